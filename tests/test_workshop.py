"""The command line and the folders that its runs leave."""

import csv
import json
import shlex
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from safetensors.torch import load_file

import companion.pretrained
import companion.records
from companion.pretrained import read_card
from companion.workshop.commands import main
from companion.workshop.folder import RunFolder
from companion.workshop.log import Progress, duration
from companion.workshop.options import command
from companion.workshop.recipe import find

TINY = ["--widths-G", "8", "--widths-D", "8", "--latent", "4", "--size", "8"]
TINY += ["--batch-size", "8", "--steps", "9"]
FILES = {
    "checkpoint.pt",
    "curve.png",
    "history.csv",
    "log.txt",
    "record.json",
    "running.lock",
    "settings.json",
    "sheet.png",
    "weights.json",
    "weights.safetensors",
}


@pytest.fixture(scope="module")
def words(pictures):
    """What trains on them, in a second."""
    return ["train", "cgan_digits", "--data", str(pictures), *TINY]


@pytest.fixture(scope="module")
def run(words, tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main([*words, "--out", str(folder)]) == 0
    return folder


def copied(run, tmp_path, *without):
    """The folder of a run, but for some files."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in run.iterdir():
        if path.name not in without:
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_a_run_leaves_what_was_promised(run, pictures):
    assert {path.name for path in run.iterdir()} == FILES
    settings = json.loads((run / "settings.json").read_text())
    assert settings["settings"]["data"] == str(pictures)
    assert settings["settings"]["widths_G"] == [8]
    command = settings["origin"]["command"]
    assert command.startswith("python -m companion train cgan_digits --data ")
    assert command.endswith("--widths-G 8 --widths-D 8 --size 8")
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    # Four batches an epoch: 32 of the forty pictures are for training.
    assert [int(row["step"]) for row in rows] == [4, 8, 9]
    assert all(np.isfinite(float(row["loss_D"])) for row in rows)
    with Image.open(run / "sheet.png") as sheet, Image.open(run / "curve.png") as curve:
        assert sheet.width < sheet.height and sheet.mode == "RGB"  # 2 x 10 pictures
        assert curve.width > 300
    log = (run / "log.txt").read_text()
    assert "step 9 of 9 (100 %), loss_D " in log and "to come" in log
    card = read_card("weights", folder=run)
    record = json.loads((run / "record.json").read_text())
    assert card["values"] == record["values"] and card["values"]["samples"] == 4
    assert card["steps"] == record["steps"] == 9
    assert card["commit"] == record["commit"] == settings["origin"]["commit"]
    weights = load_file(run / "weights.safetensors")
    assert {w.dtype for w in weights.values() if w.is_floating_point()} == {
        torch.float16
    }


def test_a_run_is_judged_anew_with_the_same_numbers(run, capsys):
    assert main(["judge", str(run)]) == 0
    values = read_card("weights", folder=run)["values"]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    printed = {words[0]: words[1:] for words in lines if words[0] in values}
    assert printed == {name: [str(v), str(v)] for name, v in values.items()}


def test_sheets_are_drawn_from_runs_and_from_shipped_weights(run, tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert main(["sample", str(run), "--n", "6", "--out", str(out)]) == 0
    with Image.open(out) as sheet:
        assert sheet.size == (2 * (2 * 9 - 1), 2 * (3 * 9 - 1))  # a column a class
    again = tmp_path / "again.png"
    main(["sample", str(run), "--n", "6", "--out", str(again)])
    assert again.read_bytes() == out.read_bytes()
    main(["sample", str(run), "--n", "6", "--seed", "1", "--out", str(again)])
    assert again.read_bytes() != out.read_bytes()
    one = ["sample", str(run), "--n", "3", "--label", "1", "--out", str(again)]
    assert main(one) == 0
    with Image.open(again) as sheet:
        assert sheet.size == (2 * (3 * 9 - 1), 16)
    named = tmp_path / "named.png"
    main(["sample", str(run), "--n", "3", "--label", "light", "--out", str(named)])
    assert named.read_bytes() == again.read_bytes()
    capsys.readouterr()
    for wrong, message in {
        ("--label", "2"): "classes: 0 to 1",
        ("--label", "lihgt"): "classes: dark, light; did you mean light?",
        ("--n", "0"): "ask for 1 picture",
        ("--out", "sheet.bmp"): "must end in .png or .webp",
    }.items():
        assert main(["sample", str(run), *wrong]) == 1
        assert message in capsys.readouterr().err
    assert main(["sample", "judge", "--out", str(out)]) == 1
    assert "Judge draws nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "Unknown command trian; did you mean train?"),
        (["train", "cgan_digts"], "did you mean cgan_digits"),
        (["train", "cgan_digits", "--stpes", "3"], "--stpes; did you mean --steps"),
        (["train", "cgan_digits", "--steps=0"], "--steps is 0; give a number above 0"),
        (["train", "cgan_digits", "--steps", "many"], "invalid int value: 'many'"),
        (["train", "cgan_digits", "--lr", "nan"], "--lr is nan; give a number above"),
        (["train", "cgan_digits", "--data", "digit"], "did you mean digits"),
        (["train", "cgan_digits", "--device", "abacus"], "choose from"),
        (["train"], "companion list` shows all"),
        (["resume"], "resume DIR"),
        (["train", "cgan_digits", "more"], "Unknown word more"),
        (["train", "cgan_digits", "--data", ""], "--data is ''"),
        (["train", "cgan_digits", "--data", "./digits"], "or the path of a folder."),
        (["train", "cgan_digits", "--decay", "1"], "of 0 or more, below 1"),
        (["train", "cgan_digits", "--seed", str(2**32)], "below 4.29497e+09"),
        (["train", "judge", "--steps", "5"], "--steps is 5; give a number of 20"),
        (["sample", "runs/nothing"], "There is no folder runs/nothing"),
        (["sample", "judge", "--seed", "-1"], "draws nothing"),
        (["resume", "nowhere"], "nowhere holds no run"),
        (["keep", "nowhere"], "nowhere holds no run"),
        (["sample", "juge"], "did you mean judge or judge_emoji?"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(
    words, message, capsys, monkeypatch, tmp_path
):
    monkeypatch.delenv("COMPANION_DEVICE", raising=False)
    monkeypatch.chdir(tmp_path)
    try:
        assert main(words) > 0
    except SystemExit as left:  # as argparse does
        assert left.code == 2
    said = capsys.readouterr()
    assert message in said.err + said.out
    assert not list(tmp_path.iterdir()), "it left something behind"


def test_help_shows_each_setting_with_its_default(capsys):
    with pytest.raises(SystemExit):
        main(["train", "cgan_digits", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    recipe = find("cgan_digits")
    assert f"optimiser steps (default: {recipe.steps})" in said
    assert "digits, fashion, emoji, icons, cifar10, FOLDER" in said
    main(["list"])
    assert "cgan_digits" in capsys.readouterr().out
    for words in (["train", "--help"], ["resume", "-h"]):
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 0 and "options" in capsys.readouterr().out
    assert main(["help"]) == 0


def test_a_dry_run_says_the_time_and_leaves_nothing(words, tmp_path, capsys):
    out = tmp_path / "run"
    assert main([*words, "--dry-run", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "ConditionalDCGANGenerator " in said and " s a step " in said
    assert "9 in all would take about 0 s." in said
    assert not out.exists()
    assert main([*words, "--dry-run", "--lr", "1e30"]) == 1
    assert "is nan after 9 steps" in capsys.readouterr().err


def test_a_second_run_does_not_touch_the_first(run, words, capsys, tmp_path):
    before = (run / "checkpoint.pt").read_bytes()
    assert main([*words, "--out", str(run)]) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert (run / "checkpoint.pt").read_bytes() == before
    (tmp_path / "letter.txt").write_text("mine")
    assert main([*words, "--out", str(tmp_path)]) == 1
    assert "holds other files (letter.txt)" in capsys.readouterr().err


def test_two_runs_in_one_folder_at_a_time(words, run, tmp_path, capsys):
    with FileLock(tmp_path / "running.lock"):
        assert main([*words, "--out", str(tmp_path)]) == 1
    assert "Another process is at work in" in capsys.readouterr().err
    with FileLock(run / "running.lock"):
        assert main(["resume", str(run)]) == 1
    assert "Another process is at work in" in capsys.readouterr().err


def test_resume_takes_the_settings_from_the_folder(run, tmp_path, capsys):
    folder = copied(run, tmp_path, "record.json", "weights.json")
    assert main(["resume", str(folder), "--steps", "12"]) == 1
    assert "--steps is 12, but the run in" in capsys.readouterr().err
    assert main(["resume", str(folder), "--widths-G", "8"]) == 0  # as it was
    assert (folder / "record.json").exists()
    assert main(["resume", str(folder)]) == 1
    assert "is finished" in capsys.readouterr().err
    # Judged again after its last step: the same weights.
    assert (folder / "weights.safetensors").read_bytes() == (
        run / "weights.safetensors"
    ).read_bytes()


def test_resume_refuses_other_data_and_settings(run, tmp_path, capsys):
    folder = copied(run, tmp_path, "record.json")
    path = folder / "settings.json"
    saved = json.loads(path.read_text())
    for change in ({"data": "MNIST"}, {"digest": "0"}):
        path.write_text(json.dumps(saved | change))
        assert main(["resume", str(folder)]) == 1
        assert "with other pictures or labels" in capsys.readouterr().err
    path.write_text(json.dumps(saved | {"processes": 2}))
    assert main(["resume", str(folder)]) == 1
    assert "began with 2 processes, this is 1" in capsys.readouterr().err
    again = "torchrun --nproc-per-node 2 -m companion resume "
    assert RunFolder(folder).again() == f"{again}{folder}"
    settings = saved["settings"] | {"r2": 0.5}
    path.write_text(json.dumps(saved | {"settings": settings}))
    assert main(["resume", str(folder)]) == 1
    assert "hold ['r2'], which the recipe does not know" in capsys.readouterr().err
    for text in ("{", "[]", json.dumps({"recipe": "cgan_digits"})):
        path.write_text(text)
        assert main(["resume", str(folder)]) == 1
        assert "settings.json is damaged" in capsys.readouterr().err


def test_a_run_that_goes_on_elsewhere_says_so(run, tmp_path):
    folder = copied(run, tmp_path, "record.json")
    path = folder / "settings.json"
    saved = json.loads(path.read_text())
    saved["origin"]["threads"] = 7
    path.write_text(json.dumps(saved))
    assert main(["resume", str(folder)]) == 0
    record = json.loads((folder / "record.json").read_text())
    assert record["threads"] == 7 and record["resumed"] == [{"threads": 1}]


def test_damaged_weights_of_a_finished_run_are_written_anew(run, tmp_path, capsys):
    folder = copied(run, tmp_path)
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    assert main(["judge", str(folder)]) == 1
    assert f"companion resume {folder}` writes them anew" in capsys.readouterr().err
    assert main(["resume", str(folder)]) == 0
    assert weights.read_bytes() == (run / "weights.safetensors").read_bytes()


def test_an_interrupted_judging_can_be_done_later(words, tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    kind = find("cgan_digits")
    with monkeypatch.context() as patch:
        patch.setattr(kind, "judge", interrupted)
        assert main([*words, "--out", str(folder)]) == 130
    assert f"To judge: python -m companion resume {folder}" in capsys.readouterr().out
    assert main(["resume", str(folder)]) == 0
    assert (folder / "record.json").exists()
    monkeypatch.setattr(kind, "judge", interrupted)
    assert main(["judge", str(folder)]) == 130


def test_what_only_a_run_knows_goes_into_its_values(
    words, tmp_path, capsys, monkeypatch
):
    folder, kind = tmp_path / "run", find("cgan_digits")
    usual = kind.training

    def training(self, network, data):
        return replace(usual(self, network, data), beside=lambda: {"x": 1})

    monkeypatch.setattr(kind, "training", training)
    assert main([*words, "--out", str(folder)]) == 0
    assert f"{'x':<34}{1:>12}" in capsys.readouterr().out.splitlines()
    record = json.loads((folder / "record.json").read_text())
    assert record["values"] == read_card("weights", folder=folder)["values"]
    assert record["values"]["x"] == 1 and record["values"]["samples"] == 4
    # Another time, nothing but the card knows it.
    assert main(["judge", str(folder)]) == 0
    assert f"{'x':<34}{'':>12}{1:>12}" in capsys.readouterr().out.splitlines()


def test_labels_need_two_classes(pictures, tmp_path, capsys):
    words = ["train", "cgan_digits", "--data", str(pictures / "dark"), *TINY]
    assert main([*words, "--out", str(tmp_path / "run")]) == 1
    assert "the folder dark has one class" in capsys.readouterr().err


def test_a_home_folder_and_spaces_are_understood(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my runs").mkdir()
    folder = copied(run, tmp_path / "my runs")
    assert main(["sample", "~/my runs/copy", "--n", "2", "--out", "~/two.png"]) == 0
    assert (tmp_path / "two.png").exists()
    capsys.readouterr()
    assert main([*run_words(folder), "--out", "~/my runs/copy"]) == 1
    assert f"resume '{folder}'`" in capsys.readouterr().err


def run_words(folder):
    """The command that made a run, without python -m companion."""
    saved = json.loads((folder / "settings.json").read_text())
    return shlex.split(saved["origin"]["command"])[3:]


def test_only_the_result_itself_is_kept(run, tmp_path, capsys, monkeypatch):
    for package in (companion.pretrained, companion.records):
        target = tmp_path / package.__name__ / "__init__.py"
        target.parent.mkdir()
        monkeypatch.setattr(package, "__file__", str(target))
    folder = copied(run, tmp_path)
    assert main(["keep", str(folder)]) == 1
    assert "write a recipe of their own" in capsys.readouterr().err
    path = folder / "settings.json"
    saved = json.loads(path.read_text())
    saved["origin"]["command"] = "python -m companion train cgan_digits"
    saved["origin"]["commit"] = "abc1234+"
    path.write_text(json.dumps(saved | {"full": False}))
    assert main(["keep", str(folder)]) == 1
    assert "make the full data available" in capsys.readouterr().err
    path.write_text(json.dumps(saved))
    assert main(["keep", str(folder)]) == 1
    assert "commit 'abc1234+', which cannot be had again" in capsys.readouterr().err
    saved["origin"]["commit"] = "abc1234"
    path.write_text(json.dumps(saved))
    record = (folder / "record.json").read_text()
    (folder / "record.json").write_text(record.replace('"samples": 4', '"samples": 5'))
    assert main(["keep", str(folder)]) == 1
    assert "have other values" in capsys.readouterr().err
    (folder / "record.json").write_text(record)
    assert main(["keep", str(folder)]) == 0
    kept = sorted(p.name for p in tmp_path.glob("companion.*/*"))
    assert kept == ["cgan_digits.json", "cgan_digits.json", "cgan_digits.safetensors"]
    (folder / "record.json").unlink()
    assert main(["keep", str(folder)]) == 1
    assert "is not finished" in capsys.readouterr().err


def test_two_processes_make_one_run(words, tmp_path):
    folder = tmp_path / "run"
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*start, "-m", "companion", *words, "--out", str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == FILES
    assert done.stdout.count("step 9 of 9 ") == 1, "one process speaks"
    command = json.loads((folder / "settings.json").read_text())["origin"]["command"]
    assert command.startswith("torchrun --nproc-per-node 2 -m companion train ")


def test_the_command_of_a_run_makes_it_again():
    kind = find("cgan_digits")
    assert command("cgan_digits", kind()) == "python -m companion train cgan_digits"
    recipe = kind(steps=5, widths_G=(4, 2))
    words = command("cgan_digits", recipe).split()[3:]
    assert words == ["train", "cgan_digits", "--steps", "5", "--widths-G", "4", "2"]


def test_progress_lines_come_seldom_and_say_what_is_to_come(capsys, monkeypatch):
    now = iter([0.0, *(float(i) for i in range(1, 301))])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    progress = Progress()
    for step in range(100, 400):
        progress(step, 1000, {"loss": 0.5})
    lines = capsys.readouterr().out.splitlines()
    assert 5 <= len(lines) <= 20
    step, seconds = 101, 2
    assert lines[0] == (
        f"step {step} of 1,000 (10 %), loss 0.5; {seconds} s, about 15 min to come"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (99, "99 s"), (101, "2 min"), (5300, "88 min"), (6e3, "1 h 40 min")],
)
def test_durations(seconds, said):
    assert duration(seconds) == said
