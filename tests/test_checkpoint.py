"""Runs that end in the middle: what is left, and how they go on."""

import os
import resource
import signal
import threading
import time
from importlib import import_module

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import LambdaLR, MultiStepLR
from torch.utils.data import DataLoader, TensorDataset

from companion.data import Batches
from companion.data.augmentation import binarize
from companion.trainers import ClassifierTrainer, fit
from companion.trainers.checkpoint import saved_history

X = torch.arange(120.0).reshape(10, 1, 3, 4).sin().abs()
Y = torch.tensor([0, 1] * 5)
PER_EPOCH = 4  # batches of 3, the last one of 1


def classifier(opt=None, schedule=None):
    torch.manual_seed(0)
    layers = nn.Linear(12, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)
    model = nn.Sequential(nn.Flatten(), *layers)
    opt = Adam(model.parameters(), 0.01) if opt is None else opt(model.parameters())
    return ClassifierTrainer(model, opt, schedule=schedule and schedule(opt))


def batches(kind=Batches):
    if kind is DataLoader:
        return DataLoader(TensorDataset(X, Y), batch_size=3, shuffle=True)
    return Batches(X, Y, batch_size=3, augment=binarize, seed=5)


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


class Stops(ClassifierTrainer):
    """Presses Ctrl-C, or raises, in its n-th step."""

    def __init__(self, n, error=None):
        plain = classifier()
        super().__init__(plain.model, plain.opt)
        self.n, self.error, self.count = n, error, 0

    def step(self, x, y):
        self.count += 1
        if self.count == self.n:
            if self.error is not None:
                raise self.error
            os.kill(os.getpid(), signal.SIGINT)
        return super().step(x, y)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.pt"


def run(trainer, path=None, *, kind=Batches, epochs=3, **keywords):
    return fit(
        trainer,
        batches(kind),
        epochs=epochs,
        checkpoint=path,
        progress=False,
        **keywords,
    )


def kept(path):
    return torch.load(path, weights_only=True)["run"]


@pytest.mark.parametrize("kind", [Batches, DataLoader])
@pytest.mark.parametrize("n", [1, 2, PER_EPOCH, PER_EPOCH + 3, 3 * PER_EPOCH])
def test_interrupted_at_any_step_equals_uninterrupted(path, capsys, n, kind):
    whole = Stops(0)
    expected = run(whole, kind=kind)
    first = run(Stops(n), path, kind=kind)
    assert first.interrupted and first.steps[-1] == n
    assert f"Interrupted after {n} of 12 steps; {path} holds step {n}" in (
        capsys.readouterr().out
    )
    assert kept(path)["step"] == n
    torch.rand(5)
    resumed = Stops(0)
    history = run(resumed, path, kind=kind, resume=True)
    assert resumed.count == 12 - n, "exactly the steps that were left"
    assert torch.equal(weights(resumed), weights(whole))
    assert history.terms == expected.terms and history.steps == expected.steps
    assert not history.interrupted


def test_the_history_of_a_checkpoint_can_be_read_alone(path):
    whole = run(classifier(), path)
    saved = saved_history(path)
    assert saved.terms == whole.terms and saved.steps == whole.steps
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="no readable checkpoint"):
        saved_history(path)


def test_a_second_interrupt_does_not_wait(path, capsys):
    class Twice(Stops):
        def step(self, x, y):
            if self.count + 1 == self.n:
                os.kill(os.getpid(), signal.SIGINT)  # and once more in the step
            return super().step(x, y)

    history = run(Twice(3), path)
    assert history.steps == [2]
    assert kept(path)["step"] == 0, "half an update is no state to keep"
    assert f"{path} holds step 0" in capsys.readouterr().out


@pytest.mark.parametrize("n", [2, PER_EPOCH + 2])
def test_a_failing_step_leaves_what_was_kept_before_it(path, capsys, n):
    with pytest.raises(RuntimeError, match="out of memory"):
        run(Stops(n, RuntimeError("out of memory")), path)
    step = 0 if n <= PER_EPOCH else PER_EPOCH
    assert kept(path)["step"] == step
    said = capsys.readouterr().out
    assert f"Stopped after {n - 1} of 12 steps; {path} holds step {step}" in said
    whole, resumed = Stops(0), Stops(0)
    expected = run(whole)
    assert run(resumed, path, resume=True).terms == expected.terms
    assert resumed.count == 12 - step


def test_a_failing_first_step_leaves_nothing_in_the_way(path, capsys):
    with pytest.raises(RuntimeError):
        run(Stops(1, RuntimeError("wrong shape")), path)
    assert not path.exists()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", ["validate", "watch"])
@pytest.mark.parametrize("error", [ValueError("odd"), KeyboardInterrupt()])
def test_failing_looks_cost_no_step(path, kind, error):
    def fails(*_):
        raise error

    if isinstance(error, KeyboardInterrupt):
        assert run(Stops(0), path, **{kind: fails}).steps == [PER_EPOCH]
    else:
        with pytest.raises(ValueError, match="odd"):
            run(Stops(0), path, **{kind: fails})
    assert kept(path)["step"] == PER_EPOCH
    whole, resumed = Stops(0), Stops(0)
    run(whole)
    run(resumed, path, resume=True)
    assert resumed.count == 2 * PER_EPOCH
    assert torch.equal(weights(resumed), weights(whole))


def test_the_last_look_can_be_repeated(path):
    """All steps are done, but the last epoch's numbers are not yet taken."""

    def fails():
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        run(Stops(0), path, epochs=1, validate=fails)
    history = run(Stops(0), path, epochs=1, resume=True, validate=lambda: {"val": 1})
    assert history["val"] == [1] and history.steps == [PER_EPOCH]
    assert history["loss"] == run(Stops(0), epochs=1)["loss"]


class Draws:
    """A look that draws random numbers, and presses Ctrl-C at the n-th time."""

    def __init__(self, n=0):
        self.n, self.count = n, 0

    def __call__(self, *_):
        torch.rand(3)
        self.count += 1
        if self.count == self.n:
            raise KeyboardInterrupt
        return {"val": 0.5}


@pytest.mark.parametrize("kind", ["validate", "watch"])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_looks_may_draw_random_numbers(path, kind, n):
    whole, resumed = Stops(0), Stops(0)
    expected = run(whole, **{kind: Draws()})
    run(Stops(0), path, epochs=n or 1, **{kind: Draws(n)})
    looks_again = kind == "watch" and n  # one that failed is not repeated
    history = run(resumed, path, resume=True, **{kind: Draws()})
    assert history.terms == expected.terms or looks_again
    assert torch.equal(weights(resumed), weights(whole)) or looks_again
    assert kept(path)["step"] == 12


def test_a_run_that_ends_in_an_epoch_can_be_made_longer(path):
    whole, resumed = Stops(0), Stops(0)
    expected = fit(whole, batches(), steps=12, watch=Draws(), progress=False)
    settings = {"checkpoint": path, "resume": True, "progress": False}
    first = fit(Stops(0), batches(), steps=6, watch=Draws(), **settings)
    assert first.steps == [4, 6]
    before = kept(path)
    assert before["step"] == 6
    shorter = fit(Stops(0), batches(), steps=4, **settings)
    assert shorter.steps == [4, 6], "nothing is left to do"
    assert kept(path)["history"]["terms"] == before["history"]["terms"]
    history = fit(resumed, batches(), steps=12, watch=Draws(), **settings)
    assert history.steps == expected.steps and history.terms == expected.terms
    assert torch.equal(weights(resumed), weights(whole))


def test_a_failing_resumption_leaves_the_file(path):
    with pytest.raises(RuntimeError):
        run(Stops(2, RuntimeError("out of memory")), path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        run(Stops(1, RuntimeError("out of memory")), path, resume=True)
    assert path.read_bytes() == before


def test_an_interrupt_in_the_last_save_is_not_lost(path):
    pressed = []

    class Late(WithState):
        def step(self, x, y):
            self.value += 1
            return {"n": torch.tensor(0.0)}

        def state_dict(self):
            if self.value == 12 and not pressed:
                pressed.append(True)
                os.kill(os.getpid(), signal.SIGINT)
            return super().state_dict()

    history = run(Late(0), path)
    assert history.interrupted and history.steps == [4, 8, 12]
    assert kept(path)["step"] == 12


def test_not_a_number_and_an_interrupt_at_once(path, capsys):
    class Both(Stops):
        def step(self, x, y):
            terms = super().step(x, y)
            return (
                terms | {"loss": torch.tensor(torch.nan)} if self.count == 2 else terms
            )

    history = run(Both(2), path)
    assert history.interrupted and history.steps == [2]
    assert "loss became nan at step 2" in (said := capsys.readouterr().out)
    assert f"{path} holds step 0" in said


def test_without_a_checkpoint_it_is_said(capsys):
    history = run(Stops(3))
    assert history.steps == [3]
    assert "after 3 of 12 steps; no checkpoint was asked for" in capsys.readouterr().out


def test_former_handler_of_ctrl_c_comes_back():
    run(Stops(0))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    done = []
    thread = threading.Thread(target=lambda: done.append(run(Stops(0)).steps[-1]))
    thread.start()
    thread.join()
    assert done == [12], "handlers can be set in the main thread only"


def test_long_epochs_are_kept_on_their_way(path, monkeypatch):
    monkeypatch.setattr(import_module("companion.trainers.fit"), "SAVE_SECONDS", 0)
    seen = []

    class Looks(ClassifierTrainer):
        def step(self, x, y):
            seen.append(kept(path)["step"])
            return super().step(x, y)

    plain = classifier()
    run(Looks(plain.model, plain.opt), path, epochs=1)
    assert seen == [0, 1, 2, 3]


RATES = {
    "a lambda": (None, lambda o: LambdaLR(o, lambda step: np.cos(step / 100))),
    "an interpolation": (
        None,
        lambda o: LambdaLR(o, lambda step: np.interp(step, [0, 9], [1, 0])),
    ),
    "milestones": (None, lambda o: MultiStepLR(o, np.array([3, 5]))),
    "a rate": (lambda p: SGD(p, lr=np.geomspace(1e-4, 1e-2, 3)[1]), None),
    "betas": (lambda p: Adam(p, betas=tuple(np.array([0.5, 0.99]))), None),
    "a decay": (lambda p: Adam(p, weight_decay=np.float64(0.01)), None),
}


@pytest.mark.parametrize("name", RATES)
def test_numbers_of_numpy_come_back(path, name):
    whole = classifier(*RATES[name])
    expected = run(whole, epochs=2)
    run(classifier(*RATES[name]), path, epochs=1)
    resumed = classifier(*RATES[name])
    assert run(resumed, path, epochs=2, resume=True).terms == expected.terms
    assert torch.equal(weights(resumed), weights(whole))


class WithState:
    def __init__(self, value):
        self.value = value

    def step(self, x, y):
        pytest.fail("work began")

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


@pytest.mark.parametrize("value", [threading.Event, lambda: 0, time.localtime()])
def test_what_could_not_be_read_is_refused_before_the_work(path, value):
    with pytest.raises(TypeError, match="The state of this WithState cannot be kept"):
        run(WithState(value), path)
    assert list(path.parent.iterdir()) == []


def test_a_trainers_own_state_comes_back(path):
    class Counts(WithState):
        def step(self, x, y):
            self.value["n"] += np.float32(1)
            return {"n": torch.tensor(float(self.value["n"]))}

    run(Counts({"n": np.float32(0), "more": [np.int64(3), (True, "x")]}), path)
    again = Counts({})
    run(again, path, epochs=4, resume=True)
    assert again.value == {"n": 16.0, "more": [3, (True, "x")]}


def test_a_run_is_not_overwritten_by_another(path):
    run(classifier(), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="exists: give resume=True"):
        run(WithState(1), path)
    assert path.read_bytes() == before


def test_targets_that_cannot_be_written_are_known_before_the_work(path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="Could not write"):
            run(WithState(1), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(path.parent.iterdir()) == []


def test_a_resumed_run_tries_its_target_before_the_work(path):
    run(classifier(), path, epochs=1)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    resumed = classifier()
    try:
        with pytest.raises(OSError, match="an older file is unharmed"):
            run(resumed, path, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before


def test_a_disk_that_fills_up_leaves_the_older_checkpoint(path, capsys):
    class Fills(Stops):
        def step(self, x, y):
            terms = super().step(x, y)
            if self.count == PER_EPOCH + 1:
                resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
            return terms

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(OSError, match="Could not write"):
            run(Fills(0), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert kept(path)["step"] == PER_EPOCH
    assert f"{path} holds step {PER_EPOCH}" in capsys.readouterr().out


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    run(classifier(), "~/runs/ü a.pt", epochs=1)
    assert (tmp_path / "runs/ü a.pt").exists() and not (tmp_path / "~").exists()
    resumed = run(classifier(), "~/runs/ü a.pt", epochs=2, resume=True)
    assert resumed.steps == [PER_EPOCH, 2 * PER_EPOCH]


def test_a_whole_file_with_foreign_things_is_not_called_damaged(path):
    torch.save({"format": threading.Event}, path)
    with pytest.raises(ValueError, match=r"whole.*threading\.Event"):
        run(classifier(), path, resume=True)
