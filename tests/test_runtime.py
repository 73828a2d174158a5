import resource

import pytest
import torch
from torch import nn

from companion.runtime import (
    _two_are_faster,
    data_dir,
    evaluating,
    offline,
    random_state,
    same_random_state,
    save_file,
    setup,
)


def test_same_seed_same_numbers(capsys):
    setup(3)
    first = torch.rand(5)
    setup(3)
    assert torch.equal(first, torch.rand(5))
    assert "seed 3" in capsys.readouterr().out


def test_denormal_numbers_are_zero():
    setup()
    assert (torch.tensor([1e-40]) * 1).item() == 0


def test_threads_and_device_follow_the_environment(monkeypatch):
    monkeypatch.setenv("COMPANION_THREADS", "1")
    monkeypatch.setenv("COMPANION_DEVICE", "cpu")
    assert setup() == torch.device("cpu")
    assert torch.get_num_threads() == 1


def test_a_trial_chooses_one_or_two_threads(monkeypatch, capsys):
    monkeypatch.delenv("COMPANION_THREADS", raising=False)
    monkeypatch.setenv("COMPANION_DEVICE", "cpu")
    former = torch.get_num_threads()
    state = random_state()["cpu"]
    try:
        for faster, threads in [(True, 2), (False, 1)]:
            monkeypatch.setattr("companion.runtime._two_are_faster", lambda f=faster: f)
            setup()
            assert torch.get_num_threads() == threads
            said = f"{threads} CPU thread{'s' if threads == 2 else ''}, seed 0."
            assert said in capsys.readouterr().out
        monkeypatch.undo()
        torch.set_rng_state(state)
        assert _two_are_faster() in (True, False)
        assert torch.equal(torch.get_rng_state(), state), "it costs no random number"
        monkeypatch.setattr("os.cpu_count", lambda: 1)
        assert not _two_are_faster()
    finally:
        torch.set_num_threads(former)


def test_random_numbers_go_on_as_if_nothing_had_been_drawn():
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    with pytest.raises(ValueError), same_random_state():
        torch.rand(7)
        raise ValueError
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [("COMPANION_THREADS", "0"), ("COMPANION_THREADS", "two")]
    + [("COMPANION_DEVICE", "abacus")],
)
def test_wrong_settings_are_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is '{value}'"):
        setup()


def test_negative_seed():
    with pytest.raises(ValueError, match="seed is -1"):
        setup(-1)


def test_folders_and_offline(monkeypatch, tmp_path):
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    monkeypatch.setenv("COMPANION_OFFLINE", "1")
    assert data_dir() == tmp_path
    assert offline()
    monkeypatch.setenv("COMPANION_OFFLINE", "0")
    monkeypatch.delenv("COMPANION_DATA")
    assert data_dir().name == "learning-to-draw"
    assert not offline()


def test_evaluating_restores_each_part():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    model[1].eval()
    with evaluating(model):
        assert not model.training
        assert not model(torch.ones(1, 2)).requires_grad
    assert model.training
    assert not model[1].training


def test_save_keeps_the_old_file_when_writing_fails(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def half_written(temporary):
        temporary.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left.*free space"):
        save_file(path, half_written)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_save_expands_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_file("~/a/b", lambda temporary: temporary.write_text("x"))
    assert (tmp_path / "a/b").read_text() == "x"


def test_save_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Could not write"):
        save_file(tmp_path / "file" / "below", lambda t: t.write_text("x"))


def test_save_on_a_full_disk(tmp_path):
    """A limit on file sizes stands for a disk that is full half-way."""
    path = tmp_path / "weights"
    save_file(path, lambda t: torch.save({"w": torch.zeros(10)}, t))
    old = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="older file is unharmed"):
            save_file(path, lambda t: torch.save({"w": torch.zeros(100_000)}, t))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
