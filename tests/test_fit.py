"""The loop: what it computes, what it refuses, what it leaves behind."""

import math

import pytest
import torch
from torch import nn

from companion.models.vae import MLPVAE
from companion.trainers import ClassifierTrainer, VAETrainer, fit
from companion.trainers.checkpoint import VERSION

X = torch.arange(30.0).reshape(10, 3).sin()
Y = torch.tensor([0, 1] * 5)


class Fixed:
    """Batches in a fixed order, the last one short."""

    def __init__(self, *tensors, size=4):
        self.tensors, self.size = tensors, size

    def __len__(self):
        return math.ceil(len(self.tensors[0]) / self.size)

    def __iter__(self):
        yield from zip(*(t.split(self.size) for t in self.tensors), strict=True)


class Shuffled(Fixed):
    def __init__(self, *tensors, size=4):
        super().__init__(*tensors, size=size)
        self.generator = torch.Generator().manual_seed(0)

    def __iter__(self):
        order = torch.randperm(len(self.tensors[0]), generator=self.generator)
        for part in order.split(self.size):
            yield tuple(t[part] for t in self.tensors)

    def state_dict(self):
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state):
        self.generator.set_state(state["generator"])


class Report:
    """A trainer that only states the mean of its batch."""

    def step(self, x):
        return {"mean": x.mean()}


def classifier(dropout=0.5):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(3, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2)
    )
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=30)
    return ClassifierTrainer(model, opt, schedule=schedule)


def run(trainer, **keywords):
    return fit(trainer, Shuffled(X, Y), progress=False, **keywords)


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


def test_epoch_means_count_images_not_batches():
    history = fit(Report(), Fixed(X), epochs=2, progress=False)
    torch.testing.assert_close(
        torch.tensor(history["mean"]), X.mean().expand(2), check_dtype=False
    )
    assert history.steps == [3, 6]


def test_steps_may_end_inside_an_epoch():
    history = fit(Report(), Fixed(X), steps=4, progress=False)
    assert history.steps == [3, 4]
    assert history["mean"][1] == pytest.approx(X[:4].mean().item())


def test_loop_equals_a_loop_by_hand():
    ours, by_hand = classifier(dropout=0.0), classifier(dropout=0.0)
    run(ours, epochs=3)
    batches = Shuffled(X, Y)
    for _ in range(3):
        for x, y in batches:
            loss = nn.functional.cross_entropy(by_hand.model(x), y)
            by_hand.opt.zero_grad()
            loss.backward()
            by_hand.opt.step()
            by_hand.schedule.step()
    torch.testing.assert_close(weights(ours), weights(by_hand))


def test_same_seed_same_history():
    assert run(classifier(), epochs=3).terms == run(classifier(), epochs=3).terms


def test_resumed_equals_uninterrupted_bit_for_bit(tmp_path):
    whole = classifier()
    history = run(whole, epochs=6)
    path = tmp_path / "run.pt"
    run(classifier(), epochs=2, checkpoint=path)
    torch.rand(7)  # the seeds must come from the checkpoint
    resumed = classifier()
    resumed_history = run(resumed, epochs=6, checkpoint=path, resume=True)
    assert torch.equal(weights(whole), weights(resumed))
    assert history.terms == resumed_history.terms
    assert history.steps == resumed_history.steps


def test_resume_without_a_file_starts_anew(tmp_path):
    history = run(classifier(), epochs=1, checkpoint=tmp_path / "a.pt", resume=True)
    assert history.steps == [3]
    assert (tmp_path / "a.pt").exists()


def test_validate_watch_and_checkpoint_come_at_each_epochs_end(tmp_path):
    path, seen = tmp_path / "run.pt", []

    def validate():
        seen.append("validate")
        return {"val": float(len(seen))}

    def watch(step):
        seen.append((step, path.exists()))

    history = fit(
        Report(),
        Fixed(X),
        epochs=2,
        validate=validate,
        watch=watch,
        checkpoint=path,
        progress=False,
    )
    assert seen == ["validate", (3, True), "validate", (6, True)]
    assert history["val"] == [1, 3]
    assert history.last() == {"mean": history["mean"][1], "val": 3}


def test_non_finite_term_is_named_before_anything_is_written(tmp_path):
    x = X.clone()
    x[5] = math.inf
    with pytest.raises(FloatingPointError, match="mean became inf at step 2"):
        fit(
            Report(),
            Fixed(x),
            epochs=1,
            checkpoint=tmp_path / "run.pt",
            watch=lambda step: pytest.fail("a picture was drawn"),
            progress=False,
        )
    content = torch.load(tmp_path / "run.pt", weights_only=True)
    assert content["run"]["step"] == 0, "the state before the first step is kept"


def test_interrupt_leaves_a_usable_history(capsys):
    class Interrupted(Report):
        count = 0

        def step(self, x):
            self.count += 1
            if self.count == 6:
                raise KeyboardInterrupt
            return super().step(x)

    history = fit(Interrupted(), Fixed(X), epochs=5, progress=False)
    assert history.interrupted
    assert history.steps == [3, 5]
    assert history["mean"][1] == pytest.approx(X[:8].mean().item())
    assert "5 of 15 steps" in capsys.readouterr().out


def test_terms_of_some_steps_only_are_averaged_over_those():
    class Sometimes:
        count = 0

        def step(self, x):
            self.count += 1
            terms = {"always": x.mean()}
            return terms | {"rare": x.mean()} if self.count == 2 else terms

    history = fit(Sometimes(), Fixed(X), epochs=2, progress=False)
    assert history["rare"][0] == pytest.approx(X[4:8].mean().item())
    assert math.isnan(history["rare"][1])


def test_progress_goes_to_standard_output(capsys):
    fit(Report(), Fixed(X), epochs=1)
    captured = capsys.readouterr()
    assert "3/3 steps" in captured.out and "mean" in captured.out
    assert captured.err == ""


def test_progress_may_be_a_function(capsys):
    seen = []
    fit(Report(), Fixed(X), epochs=2, progress=lambda *now: seen.append(now))
    assert capsys.readouterr().out == ""
    assert seen[-1] == (6, 6, {"mean": pytest.approx(X.mean().item())})


@pytest.mark.parametrize(
    "length",
    [{}, {"steps": 1, "epochs": 1}, {"steps": 0}, {"epochs": -1}, {"steps": 1.5}],
)
def test_length_must_be_given_once_and_positive(length):
    with pytest.raises(ValueError):
        fit(Report(), Fixed(X), **length)


def test_empty_batches():
    with pytest.raises(ValueError, match="empty"):
        fit(Report(), Fixed(X[:0]), epochs=1)


def test_terms_must_be_scalar_tensors():
    class Wrong:
        def step(self, x):
            return {"loss": self.value}

    for value in (X, 1.0):
        trainer = Wrong()
        trainer.value = value
        with pytest.raises(TypeError, match="'loss'"):
            fit(trainer, Fixed(X), epochs=1, progress=False)


def test_clashing_names():
    with pytest.raises(ValueError, match="both return"):
        fit(Report(), Fixed(X), epochs=1, validate=lambda: {"mean": 0}, progress=False)


def test_unknown_term_of_a_history_is_named():
    history = fit(Report(), Fixed(X), epochs=1, progress=False)
    with pytest.raises(KeyError, match=r"'loss' was not recorded.*mean"):
        history["loss"]


def test_checkpoint_paths_are_checked_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    untouched = [tmp_path, tmp_path / "file" / "run.pt"]
    for path in untouched:
        with pytest.raises(ValueError, match="checkpoint"):
            fit(Fails(), Fixed(X), epochs=1, checkpoint=path, progress=False)
    with pytest.raises(ValueError, match="resume=True needs checkpoint"):
        fit(Fails(), Fixed(X), epochs=1, resume=True, progress=False)


class Fails:
    def step(self, x):
        pytest.fail("work began")


def _saved(tmp_path):
    path = tmp_path / "run.pt"
    run(classifier(), epochs=1, checkpoint=path)
    return path


def _resume(path, trainer=None, batches=None):
    trainer = trainer or classifier()
    fit(
        trainer,
        batches or Shuffled(X, Y),
        epochs=2,
        checkpoint=path,
        resume=True,
        progress=False,
    )


def test_damaged_checkpoints(tmp_path):
    path = _saved(tmp_path)
    whole = path.read_bytes()
    for damaged in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="no readable checkpoint"):
            _resume(path)
        assert path.read_bytes() == damaged


def test_foreign_and_old_checkpoints(tmp_path):
    path = tmp_path / "run.pt"
    torch.save({"weights": X}, path)
    with pytest.raises(ValueError, match="no checkpoint of this book"):
        _resume(path)
    path.unlink()
    content = torch.load(_saved(tmp_path), weights_only=True)
    torch.save(content | {"version": VERSION - 1}, path)
    with pytest.raises(ValueError, match=f"version {VERSION - 1}"):
        _resume(path)


def test_checkpoint_of_another_run_changes_nothing(tmp_path):
    path = _saved(tmp_path)
    vae = MLPVAE((1, 2, 2), 3, 2)
    others = [
        (VAETrainer(vae, torch.optim.Adam(vae.parameters())), None),
        (classifier(), Shuffled(X, Y, size=2)),
    ]
    wider = classifier()
    wider.model[0] = nn.Linear(3, 9)
    no_schedule = classifier()
    no_schedule.schedule = None
    others += [(wider, None), (no_schedule, None)]
    other_kind = classifier()
    other_kind.opt = torch.optim.AdamW(other_kind.model.parameters())
    two_groups = classifier()
    half = list(two_groups.model.parameters())
    kind = type(two_groups.opt)
    two_groups.opt = kind([{"params": half[:2]}, {"params": half[2:]}], lr=0.1)
    others += [(other_kind, None), (two_groups, None)]
    others += [(classifier(), list(Shuffled(X, Y)))]
    for trainer, batches in others:
        model = getattr(trainer, "model", vae)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        with pytest.raises(ValueError, match="resume with the run that wrote it"):
            _resume(path, trainer, batches)
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name])


def test_checkpoint_runs_no_code_of_a_pickle(tmp_path):
    path = tmp_path / "run.pt"
    torch.save(Report(), path)
    with pytest.raises(ValueError, match="no readable checkpoint"):
        _resume(path)


def eight_images():
    torch.manual_seed(0)
    return torch.rand(8, 1, 4, 4).round()


def test_classifier_over_fits_eight_images():
    x = eight_images()
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 8))
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    batches = Fixed(x, torch.arange(8), size=8)
    history = fit(ClassifierTrainer(model, opt), batches, epochs=200, progress=False)
    assert history.last()["loss"] < 0.01
    assert history.last()["accuracy"] == 1


def test_vae_over_fits_eight_images():
    x = eight_images()
    vae = MLPVAE((1, 4, 4), hidden=64, latent=4)
    opt = torch.optim.Adam(vae.parameters(), lr=0.01)
    fit(VAETrainer(vae, opt), Fixed(x, size=8), epochs=600, progress=False)
    mu, _ = vae.encode(x)
    assert torch.equal(vae.decode(mu).sigmoid().round(), x)


def test_trainers_refuse_negative_weights():
    with pytest.raises(ValueError, match="l1 is -1"):
        ClassifierTrainer(nn.Linear(1, 1), None, l1=-1)
    with pytest.raises(ValueError, match="beta is -1"):
        VAETrainer(nn.Linear(1, 1), None, beta=-1)


def test_l1_is_added_to_the_loss():
    torch.manual_seed(0)
    plain, penalised = classifier(0.0), classifier(0.0)
    penalised.l1 = 0.5
    size = sum(w.abs().sum() for w in plain.model.parameters() if w.dim() > 1)
    difference = penalised.step(X, Y)["loss"] - plain.step(X, Y)["loss"]
    torch.testing.assert_close(difference, 0.5 * size)
