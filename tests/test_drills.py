"""What must not be lost when a run meets trouble, tried out with real trouble."""

import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from companion.workshop.commands import main

TINY = ["--widths-G", "8", "--widths-D", "8", "--latent", "4", "--size", "8"]
STEPS = 200


@pytest.fixture(scope="module")
def words(pictures):
    steps = ["--batch-size", "8", "--steps", str(STEPS)]
    return ["train", "cgan_digits", "--data", str(pictures), *TINY, *steps]


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory):
    """The run without any trouble."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert main([*words, "--out", str(folder)]) == 0
    return folder


def started(*words, **options):
    """`python -m companion` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "companion", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def stopped_midway(words, folder, how):
    """A run that gets a signal when it has done some epochs; what it said."""
    process = started(*words, "--out", folder)
    while process.poll() is None and not (folder / "weights.json").exists():
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(how)
    said, errors = process.communicate(timeout=60)
    assert not (folder / "record.json").exists(), "it was done before the signal"
    return process.returncode, said, errors


def limited(size):
    """A process that may write no larger files, as on a disk that gets full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def same_weights(one, other):
    names = "weights.safetensors"
    return (one / names).read_bytes() == (other / names).read_bytes()


def test_killed_and_resumed_equals_the_whole_run(words, whole, tmp_path):
    folder = tmp_path / "run"
    code, _, _ = stopped_midway(words, folder, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert main(["resume", str(folder)]) == 0
    assert same_weights(folder, whole)
    assert (folder / "history.csv").read_text() == (whole / "history.csv").read_text()


def test_interrupted_and_resumed_equals_the_whole_run(words, whole, tmp_path):
    folder = tmp_path / "run"
    code, said, _ = stopped_midway(words, folder, signal.SIGINT)
    assert code == 130
    assert f"Go on with: python -m companion resume {folder}" in said
    assert main(["resume", str(folder)]) == 0
    assert same_weights(folder, whole)


def test_a_disk_that_gets_full_leaves_a_checkpoint_to_go_on_from(
    words, whole, tmp_path
):
    # The history makes each checkpoint a little larger: the last ones do not fit.
    size = (whole / "checkpoint.pt").stat().st_size - 600
    folder = tmp_path / "run"
    process = started(*words, "--out", folder, preexec_fn=limited(size))
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Could not write" in errors and "checkpoint.pt" in errors
    assert "Traceback" not in errors
    assert "Traceback" in (folder / "log.txt").read_text()
    assert not list(folder.glob(".*")), "a temporary file is left"
    assert main(["resume", str(folder)]) == 0
    assert same_weights(folder, whole)


def test_a_full_disk_is_known_before_the_work(words, tmp_path):
    folder = tmp_path / "run"
    process = started(*words, "--out", folder, preexec_fn=limited(5000))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "Could not write" in errors
    assert {path.name for path in folder.iterdir()} <= {"log.txt", "running.lock"}


def test_a_folder_that_cannot_be_made_is_known_before_the_work(words, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        assert main([*words, "--out", str(out)]) == 1
        assert "cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_files_are_named(words, whole, tmp_path, capsys, share):
    for name in ("checkpoint.pt", "weights.safetensors"):
        content = (whole / name).read_bytes()
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
    for name in ("settings.json", "weights.json"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    assert main(["resume", str(tmp_path)]) == 1
    assert "checkpoint.pt is no readable checkpoint" in capsys.readouterr().err
    out = tmp_path / "sheet.png"
    assert main(["sample", str(tmp_path), "--out", str(out)]) == 1
    assert "weights.safetensors are damaged" in capsys.readouterr().err
    assert not out.exists()


def test_nan_in_the_data_is_named_before_the_work(pictures, tmp_path, capsys):
    folder = tmp_path / "pictures" / "one"
    folder.mkdir(parents=True)
    for path in (pictures / "dark").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    x = np.full((8, 8), np.nan, np.float32)
    Image.fromarray(x).save(folder / "odd.tiff")
    out = tmp_path / "run"
    words = ["train", "cgan_digits", "--data", str(folder.parent), "--out", str(out)]
    assert main([*words, *TINY]) == 1
    assert "odd.tiff" in capsys.readouterr().err
    assert {path.name for path in out.iterdir()} <= {"log.txt", "running.lock"}


def test_a_training_that_diverges_says_so(words, tmp_path, capsys):
    out = tmp_path / "run"
    assert main([*words, "--lr", "1e30", "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "at step 1. Lower the learning rate" in said and "Traceback" not in said
    # Nothing was learned: the folder is free again.
    assert {path.name for path in out.iterdir()} == {"log.txt", "running.lock"}
