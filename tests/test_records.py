import json
import re
import subprocess

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

import companion.records
from companion.exercises import _agree, check
from companion.records import (
    MIME,
    circumstances,
    origin,
    record,
    recorded,
    recorded_picture,
    write_record,
)


@pytest.fixture
def shell():
    """What `display` needs in order to be captured."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_record_is_shown_and_left_where_the_tests_look(shell, monkeypatch, tmp_path):
    monkeypatch.setenv("COMPANION_RECORDS", str(tmp_path))
    with capture_output() as captured:
        record("cnn/training", {"accuracy": torch.tensor(0.5), "f1": 0.25})
    content = {"chapter": "cnn/training", "values": {"accuracy": 0.5, "f1": 0.25}}
    assert captured.outputs[0].data[MIME] == content
    assert json.loads((tmp_path / "cnn/training.json").read_text()) == content


@pytest.mark.parametrize(
    ("chapter", "values"),
    [("../x", {"a": 1}), ("CNN", {"a": 1}), ("a/b", {}), ("a/b", {"x": float("nan")})],
)
def test_record_refuses(chapter, values):
    with pytest.raises(ValueError):
        record(chapter, values)


def test_written_records_say_how_they_were_made(tmp_path):
    write_record(
        "speed",
        {"ratio": 2.0},
        origin=origin("python -m benchmarks.speed", torch.device("cpu")),
        data="none",
        steps=10,
        seconds=1.23,
        folder=tmp_path,
    )
    content = json.loads((tmp_path / "speed.json").read_text())
    assert content["values"] == {"ratio": 2.0}
    needed = {"command", "data", "steps", "seconds", "commit", "device", "torch"}
    assert needed <= content.keys()
    assert content["device"] == "cpu"  # also where there is a GPU that did nothing
    assert circumstances(content).startswith(f"recorded {content['date']} on ")
    assert circumstances(content | {"threads": 1}).endswith(", 1 thread, 10 steps, 1 s")
    assert ", 3 threads, 12,000 steps, 1,235 s" in circumstances(
        content | {"threads": 3, "steps": 12000, "seconds": 1234.5678}
    )
    with pytest.raises(ValueError, match="nothing to record"):
        write_record(
            "a",
            {},
            origin={},
            data="",
            steps=0,
            seconds=0,
            folder=tmp_path,
        )


def test_a_commit_is_named_only_if_it_made_the_result(tmp_path, monkeypatch):
    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)

    module = tmp_path / "companion/records/__init__.py"
    module.parent.mkdir(parents=True)
    for path in (module, module.parents[1] / "__init__.py"):
        path.write_text("")
    monkeypatch.setattr(companion.records, "__file__", str(module))

    def commit():
        return origin("", torch.device("cpu"))["commit"]

    assert commit() == "unknown"
    git("init", "-q")
    assert commit() == "unknown", "a package that only lies in another repository"
    git("add", ".")
    git("commit", "-qm", "one")
    assert re.fullmatch("[0-9a-f]+", commit())
    (tmp_path / "notes.txt").write_text("not the package's")
    assert re.fullmatch("[0-9a-f]+", commit())
    (module.parent / "recipe.py").write_text("new")
    assert commit().endswith("+")


def test_unknown_record_names_the_known():
    with pytest.raises(ValueError, match="no record 'speed_of_light'; there is"):
        recorded("speed_of_light")


def test_the_picture_of_a_study_is_its_file():
    x = recorded_picture("game")
    with Image.open(companion.records.__path__[0] + "/game.jpg") as file:
        pixels = np.asarray(file)
    assert x.shape == (1, 3, *pixels.shape[:2])
    torch.testing.assert_close(x[0, 1], torch.from_numpy(pixels[..., 1] / 255).float())
    with pytest.raises(ValueError, match="no picture of 'judge'; there is: .*'cures'"):
        recorded_picture("judge")


def test_check_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="no exercises for 'alchemy'"):
        check("alchemy", len)


@pytest.mark.parametrize(
    ("result", "expected", "agree"),
    [
        (3, 3, True),
        (3, 4, False),
        (0.1 + 0.2, 0.3, True),
        (0.31, 0.3, False),
        (None, 0.3, False),
        (torch.ones(2), torch.ones(2), True),
        (torch.ones(2), torch.ones(3), False),
        ([1, 2], [1, 2], True),
    ],
)
def test_agreement(result, expected, agree):
    assert _agree(result, expected) is agree
