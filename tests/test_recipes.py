"""Every recipe: its settings, a very short run, and the network that it makes."""

import json
import math
import sys
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torchvision.models import squeezenet1_1

import companion.records
from companion.data import EmojiData, EmojiSplit, ImageData, digits, emoji
from companion.models.judge import Judge
from companion.models.style import SQUEEZENET
from companion.pretrained import GIVEN, build, pretrained, write_pretrained
from companion.recipes.judge_emoji import DIVISIONS, BaseBatches, f1_of_all
from companion.trainers import ClassifierTrainer, fit
from companion.workshop.commands import main
from companion.workshop.folder import RunFolder
from companion.workshop.judging import (
    _blurred,
    _in_errors,
    _noisy,
    _rescaled,
    _shares_apart,
    halves,
    noticed_faults,
)
from companion.workshop.recipe import (
    Found,
    Recipe,
    Study,
    as_dict,
    find,
    from_dict,
    names,
    settings,
)
from companion.workshop.sheet import save_sheet
from companion.workshop.study import carry_out

TRAINED = [name for name in names() if issubclass(find(name), Recipe)]
# What there is of these settings makes a recipe small.
TINY = {
    "steps": 20,
    "batch_size": 8,
    "widths_G": (8, 4),
    "widths_D": (4, 8),
    "latent": 4,
    "hidden": 4,
    "samples": 3,
    "dealings": 2,
    "widths": (4, 8, 8, 8),
    "looks": (5, 10),
    "scenes": 40,
    "asked": 4,
    "maps": (8, 8),
}


@pytest.fixture(scope="module")
def data():
    """A few of the embedded digits."""
    all_digits = digits("embedded")
    return ImageData(
        train=all_digits.train.take(330),  # 5 for each of the judge's features
        validation=all_digits.validation.take(20),
        test=all_digits.test.take(100),
        classes=all_digits.classes,
        source=all_digits.source,
        full=False,
    )


@pytest.fixture(scope="module")
def small_emoji():
    return emoji(16)


@pytest.fixture(scope="module")
def few_emoji():
    """Of the size that the judge of emoji takes."""
    whole = emoji()
    parts = [part.take(60) for part in (whole.train, whole.validation, whole.test)]
    return EmojiData(*parts, classes=whole.classes, source=whole.source)


def tiny(name):
    kind = find(name)
    return kind(**{key: value for key, value in TINY.items() if key in settings(kind)})


def card(name, recipe, data):
    kind = type(recipe).kind
    return dict.fromkeys(GIVEN, "?") | {
        "network": f"{kind.__module__}:{kind.__qualname__}",
        "arguments": recipe.arguments(data),
        "recipe": name,
        "settings": as_dict(recipe),
        "values": {},
    }


def copied(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def differing(one, other):
    """The names under which two dictionaries hold different things."""
    assert one.keys() == other.keys()
    return {
        key
        for key, value in one.items()
        if not (
            torch.equal(value, other[key])
            if isinstance(value, torch.Tensor)
            else value == other[key]
        )
    }


# All


@pytest.mark.parametrize("name", names())
def test_a_recipe_says_what_its_result_is(name):
    first, *others = sys.modules[find(name).__module__].__doc__.splitlines()
    assert first.endswith(".") and not (others and others[0])
    assert all(about["help"] for about in settings(find(name)).values())


@pytest.mark.parametrize("name", names())
def test_settings_survive_json(name):
    for recipe in (find(name)(), tiny(name), find(name)(seed=7)):
        saved = json.loads(json.dumps(as_dict(recipe)))
        assert from_dict(find(name), saved) == recipe


# Those that train a network


@pytest.mark.parametrize("name", TRAINED)
def test_a_recipe_trains_a_network_that_travels_and_is_judged(
    name, data, small_emoji, few_emoji, tmp_path
):
    recipe = tiny(name)
    if "emoji" in find(name).sets and "digits" not in find(name).sets:
        data = few_emoji if name == "flow_emoji" else small_emoji
    about = card(name, recipe, data)

    def work():
        network = build(about["network"], about["arguments"])
        training = recipe.training(network, data)
        return training, copied(training.network)

    def run(training, resume):
        return fit(
            training.trainer,
            training.batches,
            steps=3,
            validate=training.validate,
            checkpoint=tmp_path / "checkpoint.pt",
            resume=resume,
            progress=False,
        )

    training, before = work()
    history = run(training, resume=False)
    assert history.steps == [3] and history.names()
    after = copied(training.network)
    assert differing(before, after)

    # All that the run is lies in its checkpoint.
    other, begun = work()
    assert differing(begun, before)
    run(other, resume=True)
    assert not differing(copied(other.network), after)

    write_pretrained("small", training.network, about, folder=tmp_path)
    back = pretrained("small", folder=tmp_path)
    if hasattr(back, "sample"):
        save_sheet(tmp_path / "sheet.png", back, 2)
        with Image.open(tmp_path / "sheet.png") as sheet:
            height, width = back.image_shape[1:]
            assert sheet.size == (2 * (2 * (width + 1) - 1), 2 * height)
    else:
        assert find(name).kind.__name__ in (
            "Judge",
            "ResNet",
            "RowClassifier",
            "UNet",
        )
    values = recipe.judge(back, data)
    assert values and all(math.isfinite(value) for value in values.values())
    torch.manual_seed(1)  # which changes nothing
    assert values == recipe.judge(back, data)
    assert json.loads(json.dumps(values)) == values


def test_the_judge_is_the_average_of_the_weights(data):
    recipe = tiny("judge")
    training = recipe.training(find("judge").kind(), data)
    first, trained = training.network, training.trainer.model
    fit(training.trainer, training.batches, steps=3, progress=False)
    assert first is training.trainer.average.module and first is not trained
    pairs = zip(first.parameters(), trained.parameters(), strict=True)
    assert not any(torch.equal(*pair) for pair in pairs)


def first_judge(recipe, data):
    return Judge(**recipe.arguments(data))


def test_each_of_the_five_judges_has_a_division_of_its_own(small_emoji):
    recipe = tiny("judge_emoji")
    parts = recipe.divisions(small_emoji)
    assert len(parts) == DIVISIONS and parts[0] is small_emoji
    tests = [set(part.test.base) for part in parts]
    assert all(a != b for i, a in enumerate(tests) for b in tests[:i])
    training = recipe.training(first_judge(recipe, small_emoji), small_emoji)
    for row, part in zip(training.batches.splits, parts, strict=True):
        assert row.codes == part.train.codes
        assert not set(row.base) & (set(part.test.base) | set(part.validation.base))


@pytest.mark.parametrize("widths", [(8, 8, 8), (8, 8, 8, 0), (8, 8, 8, 8.0)])
def test_a_judge_has_four_widths(widths):
    with pytest.raises(ValueError, match="whole numbers from 1: the channels of four"):
        Judge(widths=widths)
    assert Judge().hidden[0].in_features == 64 * 9
    assert Judge(widths=(4, 5, 6, 7)).features(torch.zeros(2, 1, 28, 28)).shape[1] == 64


def test_a_judge_learns_from_its_own_row_only(small_emoji):
    def after(change=None):
        torch.manual_seed(0)
        recipe = tiny("judge_emoji")
        training = recipe.training(first_judge(recipe, small_emoji), small_emoji)
        begun = [copied(network) for network in training.trainer.networks]
        x, y = next(iter(training.batches))
        assert x.shape == (DIVISIONS, 8, 3, 16, 16) and y.shape == (DIVISIONS, 8)
        if change is not None:
            x[change] = 1 - x[change]
        training.trainer.step(x, y)
        networks = [copied(network) for network in training.trainer.networks]
        assert all(map(differing, begun, networks))
        assert training.network is training.trainer.averages[0].module
        return networks

    usual, other = after(), after(change=3)
    changed = [bool(differing(a, b)) for a, b in zip(usual, other, strict=True)]
    assert changed == [False, False, False, True, False]


def test_side_by_side_is_one_after_the_other(small_emoji):
    recipe = replace(tiny("judge_emoji"), average_decay=0.9)
    training = recipe.training(first_judge(recipe, small_emoji), small_emoji)
    trainer = training.trainer
    alone = []
    for network in deepcopy(list(trainer.networks)):
        weights, decay = network.parameters(), recipe.weight_decay
        opt = AdamW(weights, recipe.lr, weight_decay=decay, fused=True)
        schedule = OneCycleLR(opt, recipe.lr, total_steps=recipe.steps, pct_start=0.2)
        more = {"schedule": schedule, "label_smoothing": recipe.label_smoothing}
        alone.append(ClassifierTrainer(network, opt, **more))
    averages = []
    for step, (x, y) in zip(range(6), training.batches, strict=False):
        terms = trainer.step(x, y)
        x = [row.contiguous(memory_format=torch.channels_last) for row in x]
        apart = [one.step(*row) for one, *row in zip(alone, x, y, strict=True)]
        for name, value in terms.items():
            mean = sum(one[name] for one in apart) / DIVISIONS
            torch.testing.assert_close(value, mean.detach())
        now = [copied(one.model) for one in alone]
        if step == 0:
            averages = now
        else:
            averages = [
                {key: 0.9 * old[key] + 0.1 * new[key] for key in old}
                for old, new in zip(averages, now, strict=True)
            ]
    assert step == 5
    for network, one in zip(trainer.networks, alone, strict=True):
        assert not differing(copied(network), copied(one.model))
    for average, expected in zip(trainer.averages, averages, strict=True):
        for key, value in average.module.state_dict().items():
            if value.is_floating_point():
                torch.testing.assert_close(value, expected[key])

    kept = [average.module for average in trainer.averages]
    parts = recipe.divisions(small_emoji)
    tests = [part.test for part in parts]
    values = training.beside()
    assert values == f1_of_all(kept, tests)
    assert values != f1_of_all(kept, [part.train for part in parts])
    assert values != f1_of_all(trainer.networks, tests)


def numbered(base, label=0):
    """A split whose pictures are known by their grey."""
    n = len(base)
    return EmojiSplit(
        x=(torch.arange(n) / 100).view(n, 1, 1, 1).repeat(1, 3, 8, 8),
        y=torch.full((n,), label),
        skin=torch.zeros(n, dtype=torch.int64),
        names=("",) * n,
        codes=("",) * n,
        base=tuple(base),
    )


def test_of_each_base_one_picture_is_shown_an_epoch():
    splits = [numbered("aaaaabcc", 1), numbered("dddefghh", 2)]

    def plain(x, *, generator):
        return x

    def drawn(batches):
        epoch = list(batches)
        assert len(epoch) == len(batches)
        x, y = (torch.cat(tensors, dim=1) for tensors in zip(*epoch, strict=True))
        assert (y == torch.tensor([[1], [2]])).all()
        return (x[:, :, 0, 0, 0] * 100).round().long()

    batches = BaseBatches(splits, batch_size=3, augment=plain, seed=1)
    seen = [drawn(batches) for _ in range(30)]
    for rows in seen:
        bases = [
            [split.base[i] for i in row]
            for split, row in zip(splits, rows.tolist(), strict=True)
        ]
        assert sorted(bases[0]) == ["a", "b", "c"] and len(set(bases[1])) == 3
    for k in range(2):  # all pictures and orders have their turn
        assert {i for rows in seen for i in rows[k].tolist()} == set(range(8))
        assert len({rows[k, 0].item() for rows in seen}) > 3

    again = BaseBatches(splits, batch_size=3, augment=plain, seed=1)
    for _ in range(4):
        drawn(again)
    state, other = (
        again.state_dict(),
        BaseBatches(splits, batch_size=3, augment=plain, seed=9),
    )
    other.load_state_dict(state)
    assert torch.equal(drawn(other), seen[4])
    with pytest.raises(ValueError, match="batch_size is 4, above the 3 bases"):
        BaseBatches(splits, batch_size=4, augment=plain, seed=0)
    with pytest.raises(ValueError, match="batch_size 3, these batches have 2"):
        BaseBatches(splits, batch_size=2, augment=plain, seed=0).load_state_dict(state)
    del state["batch_size"]
    for foreign in (state, {}, again.state_dict() | {"num_images": 8}):
        with pytest.raises(ValueError, match=r"not made by BaseBatches\.state_dict"):
            other.load_state_dict(foreign)


def test_f1_of_several_judges_by_hand():
    class Always(torch.nn.Module):
        def __init__(self, label):
            super().__init__()
            self.label = label

        def forward(self, x):
            return torch.nn.functional.one_hot(
                torch.full((len(x),), self.label), 2
            ).float()

    split = numbered("aab")
    split.y[2] = 1
    # Bases a and b: "always 0" has F1 of 2/3 and 0.
    values = f1_of_all([Always(0), Always(1)], [split, split])
    assert values == {
        "macro_f1_0": 0.3333,
        "macro_f1_1": 0.3333,
        "macro_f1_mean": 0.3333,
        "macro_f1_deviation": 0.0,
        "macro_f1_together": 0.5,
    }


def test_five_scores_stand_beside_the_judge(small_emoji):
    recipe = tiny("judge_emoji")
    training = recipe.training(first_judge(recipe, small_emoji), small_emoji)
    fit(training.trainer, training.batches, steps=2, progress=False)
    values = training.beside()
    scores = [values[f"macro_f1_{k}"] for k in range(DIVISIONS)]
    assert all(0 <= score <= 1 for score in scores)
    assert values["macro_f1_mean"] == pytest.approx(np.mean(scores), abs=1e-3)
    deviation = np.std(scores, ddof=1)
    assert values["macro_f1_deviation"] == pytest.approx(deviation, abs=1e-3)


def test_emoji_are_shown_whole_and_on_white(small_emoji):
    x = small_emoji.train.x[:50]
    generator = torch.Generator().manual_seed(0)
    still = find("judge_emoji")(turn=0.0, zoom=0.0, shift=0.0, jitter=0.0)
    same = still.augment(x, generator=generator)
    mirrored = (same - x.flip(-1)).abs().amax((1, 2, 3)) < 1e-5
    unchanged = (same - x).abs().amax((1, 2, 3)) < 1e-5
    assert (mirrored | unchanged).all() and 10 < mirrored.sum() < 40
    moved = find("judge_emoji")().augment(x, generator=generator)
    assert moved.amin() >= 0 and moved.amax() <= 1 and not torch.equal(moved, same)
    black = torch.zeros(50, 3, 16, 16)
    edge = find("judge_emoji")(shift=4.0, jitter=0.0).augment(
        black, generator=generator
    )
    assert edge.amax() > 0.9 and edge.amin() == 0


# The test of noticing


def test_halves_hold_one_picture_of_each_base():
    base = list("aaaaabbcdef")
    dealt = list(halves(base, 20))
    for A, B in dealt:
        assert len(A) == len(B) == 3
        assert sorted(base[i] for i in [*A, *B]) == list("abcdef")
    assert len({tuple(A.tolist()) for A, _ in dealt}) > 10
    again = list(halves(base, 20))
    assert [A.tolist() for A, _ in again] == [A.tolist() for A, _ in dealt]


def test_rises_are_counted_in_deviations_of_the_first_column():
    table = torch.tensor([[0.0, 3.0, 0.0], [2.0, 9.0, 2.0]]).double()
    found = _in_errors(table)
    torch.testing.assert_close(found, torch.tensor([5 / 2**0.5, 0.0]).double())
    assert _in_errors(torch.ones(4, 3)).tolist() == [0, 0]


class Sees(torch.nn.Module):
    """Its features are a picture's contrast and a class, kept in the first pixel."""

    num_classes = 3

    def features(self, x):
        contrast = 10 * x[:, :, 1:].std((1, 2, 3))
        return torch.stack([contrast, x[:, 0, 0, 0]], dim=1)

    def classify(self, features):
        # Never class 2.
        known = features[:, 1]
        return torch.stack([0.5 - known, known - 0.5, known - 9], dim=1)


class Blind(Sees):
    def features(self, x):
        return torch.zeros(len(x), 2)


class Recognises(Sees):
    """It sees the mean grey, and whether it knows the picture."""

    def __init__(self, known):
        super().__init__()
        self.known = known

    def features(self, x):
        seen = (x[:, None] == self.known).flatten(2).all(dim=2).any(dim=1)
        return torch.stack([x.mean((1, 2, 3)), seen.float()], dim=1)


def in_three_classes():
    """Noise of 120, 80 and 12 pictures in pairs of one base; `Sees` takes 2 for 0."""
    y = torch.tensor([0] * 120 + [1] * 80 + [2] * 12)
    x = torch.rand(len(y), 3, 8, 8, generator=torch.Generator().manual_seed(0))
    x[:, 0, 0, 0] = (y == 1).float()
    return x, y, [str(i // 2) for i in range(len(y))]


def test_a_judge_notices_the_faults_that_it_sees():
    pictures = in_three_classes()
    values = noticed_faults(Sees(), *pictures, 10)
    assert values["blur_in_errors"] > 3 and values["rescaling_in_errors"] > 3
    for kind in ("", "_by_shares"):
        assert values[f"classes_noticed{kind}"] == 2
        assert abs(values[f"least_class_in_errors{kind}"]) < 1
    assert values == noticed_faults(Sees(), *pictures, 10)
    assert set(noticed_faults(Blind(), *pictures, 10).values()) == {0}

    # Without the class that is not told apart from another, the least is noticed.
    x, y, base = pictures
    values = noticed_faults(Sees(), x[:200], y[:200], base[:200], 10)
    for kind in ("", "_by_shares"):
        assert values[f"classes_noticed{kind}"] == 2
        assert values[f"least_class_in_errors{kind}"] > 3


@pytest.mark.parametrize(
    ("name", "fault"),
    [("blur", _blurred), ("noise", _noisy), ("rescaling", _rescaled)],
)
def test_a_fault_has_a_name_of_its_own(name, fault):
    x, y, base = in_three_classes()
    shade = torch.rand(len(x), 1, 1, 1, generator=torch.Generator().manual_seed(1))
    x = (x + 3 * shade) / 4
    values = noticed_faults(Recognises(fault(x)), x, y, base, 10)
    seen = {key: values[f"{key}_in_errors"] for key in ("blur", "noise", "rescaling")}
    assert seen.pop(name) > 3
    assert all(abs(value) < 1 for value in seen.values())


def test_what_cannot_be_dealt_is_refused():
    x, y, base = in_three_classes()
    for wrong in ((x[1:], y, base), (x, y[1:], base), (x, y, base[1:])):
        with pytest.raises(ValueError, match="give one of each for every picture"):
            noticed_faults(Sees(), *wrong)
    with pytest.raises(ValueError, match="All pictures are of class 1;"):
        noticed_faults(Sees(), x[120:200], y[120:200], base[120:200])
    with pytest.raises(ValueError, match="dealings is 1; give 2 or more"):
        noticed_faults(Sees(), x, y, base, dealings=1)


def test_blur_is_the_mean_of_nine_pixels():
    x = torch.zeros(1, 2, 4, 4)
    x[0, 0, 0, 0], x[0, 1, 2, 1] = 0.9, 0.9
    expected = torch.zeros(1, 2, 4, 4)
    # Beyond the edge, the nearest pixel is repeated.
    expected[0, 0, :2, :2] = torch.tensor([[0.4, 0.2], [0.2, 0.1]])
    expected[0, 1, 1:, :3] = 0.1
    torch.testing.assert_close(_blurred(x), expected)


def test_noise_has_a_deviation_of_a_tenth():
    grey = torch.full((4, 3, 64, 64), 0.5)
    added = _noisy(grey) - grey
    assert added.mean().item() == pytest.approx(0, abs=0.002)
    assert added.std().item() == pytest.approx(0.1, abs=0.002)
    alike = torch.corrcoef(added.flatten(0, 1).flatten(1)).abs()
    assert alike.fill_diagonal_(0).amax() < 0.1  # to each picture and colour its own
    assert torch.equal(_noisy(grey), grey + added)
    for edge in (0.0, 1.0):
        x = _noisy(torch.full((1, 3, 8, 8), edge))
        assert x.amin() >= 0 and x.amax() <= 1 and x.std() > 0.03


def test_rescaling_goes_to_three_quarters_and_back():
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    rescaled = _rescaled(x)
    for one, image in zip(x.flatten(0, 1), rescaled.flatten(0, 1), strict=True):
        there = Image.fromarray(one.numpy()).resize((12, 12), Image.Resampling.BILINEAR)
        back = np.asarray(there.resize((16, 16), Image.Resampling.BILINEAR))
        np.testing.assert_allclose(image, back, atol=1e-5)


def test_shares_by_hand():
    a, b = torch.tensor([0, 0, 1, 2]), torch.tensor([1, 1])
    # 1/2, 1/4, 1/4, 0 and 0, 1, 0, 0.
    assert _shares_apart(a, b, 4) == _shares_apart(b, a, 4) == 0.75
    assert _shares_apart(a, a.flip(0), 4) == 0
    assert _shares_apart(a, torch.tensor([3]), 4) == 1


def test_pixels_are_read_in_order_or_in_one_other(data):
    x = data.test.x[:5]
    plain, shuffled = (
        tiny(name)._as_pixels(x)
        for name in ("pixel_classifier", "pixel_classifier_shuffled")
    )
    assert plain.shape == (5, 1, 784, 1)
    assert torch.equal(plain.view_as(x), x)
    assert torch.equal(shuffled.sort(dim=2)[0], plain.sort(dim=2)[0])
    again = tiny("pixel_classifier_shuffled")._as_pixels(x[:1])
    assert torch.equal(shuffled[:1], again) and not torch.equal(shuffled, plain)


@pytest.mark.parametrize(
    ("one", "other", "keys"),
    [
        ("cgan_clothes", "cgan_digits", {"data", "steps"}),
        ("pixels_rnn", "pixels_transformer", {"lr"}),
        ("pixels_cnn", "pixels_transformer", {"lr"}),
        ("pixel_classifier_shuffled", "pixel_classifier", {"shuffled"}),
    ],
)
def test_variants_differ_in_what_they_are_for(one, other, keys):
    assert differing(*(as_dict(find(name)()) for name in (one, other))) == keys


# Studies


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Where torchvision keeps its downloads: random weights in place of ImageNet's."""
    path = tmp_path / "home/hub/checkpoints" / SQUEEZENET
    path.parent.mkdir(parents=True)
    torch.save(squeezenet1_1().state_dict(), path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return path


@pytest.fixture
def words(tmp_path):
    small = ["--sizes", "32", "--texture-steps", "1", "--transfer-steps", "1"]
    return ["train", "style", *small, "--out", str(tmp_path / "run")]


def test_a_study_leaves_its_picture_and_numbers(
    home, words, tmp_path, capsys, monkeypatch
):
    assert main(words) == 0
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} == {
        "log.txt",
        "picture.jpg",
        "record.json",
        "running.lock",
        "settings.json",
    }
    record = json.loads((run / "record.json").read_text())
    with Image.open(run / "picture.jpg") as picture:
        rows, columns = (len(record["values"][key]) for key in ("rows", "columns"))
        assert picture.size == (32 * columns, 32 * rows) == (224, 128)
    # One of a texture and two of pictures, of four styles by two networks.
    assert record["steps"] == 3 * 4 * 2 and str(tmp_path) not in json.dumps(record)

    for name in ("resume", "sample", "judge"):
        assert main([name, str(run)]) == 1
        said = capsys.readouterr().err
        assert "no network" in said and "Traceback" not in said
    assert main([*words, "--dry-run"]) == 1
    assert "made in one go, and keeps no network" in capsys.readouterr().err

    assert main(["keep", str(run)]) == 1
    assert "write a recipe of their own" in capsys.readouterr().err
    saved = json.loads((run / "settings.json").read_text())
    saved["origin"] |= {"command": "python -m companion train style", "commit": "a1"}
    (run / "settings.json").write_text(json.dumps(saved))
    target = tmp_path / "records/__init__.py"
    monkeypatch.setattr(companion.records, "__file__", str(target))
    assert main(["keep", str(run)]) == 0
    assert {p.name for p in target.parent.iterdir()} == {"style.jpg", "style.json"}


def test_a_study_without_weights_leaves_the_folder_free(home, words, tmp_path, capsys):
    home.unlink()
    assert main(words) == 1
    assert f"{home}; put torchvision's" in capsys.readouterr().err
    assert not (tmp_path / "run/settings.json").exists()


def test_an_interrupted_study_leaves_the_folder_free(tmp_path, capsys):
    class Interrupted(Study):
        source = "nothing"

        def find_out(self, device):
            raise KeyboardInterrupt

    assert not carry_out("style", Interrupted(), RunFolder(tmp_path))
    assert "Nothing is kept" in capsys.readouterr().out
    assert not [*tmp_path.iterdir()]


def study_of(found):
    class Numbers(Study):
        source = "nothing"

        def find_out(self, device):
            return found

    return Numbers()


def test_a_study_without_a_picture_leaves_its_numbers(tmp_path):
    folder = RunFolder(tmp_path)
    found = Found({"answer": [1, 2]}, steps=3, seconds=4.0)
    assert carry_out("style", study_of(found), folder)
    record = json.loads(folder.record.read_text())
    assert record["values"] == {"answer": [1, 2]} and record["steps"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {
        "record.json",
        "settings.json",
    }
    with pytest.raises(ValueError, match="holds a study, which keeps no network"):
        folder.network()
    with pytest.raises(ValueError, match="holds a run already: delete the folder"):
        carry_out("style", study_of(found), folder)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Found({"a": {"b": [1.0, math.nan]}}, 3, 4.0), r"values\['a'\]\['b'\]\[1\]"),
        (Found({"a": 1}, 3, 4.0, torch.zeros(2, 3)), "picture|shape|dimension|axes"),
    ],
)
def test_a_study_that_cannot_be_kept_leaves_the_folder_free(found, said, tmp_path):
    with pytest.raises((ValueError, RuntimeError), match=said):
        carry_out("style", study_of(found), RunFolder(tmp_path))
    assert not [*tmp_path.iterdir()]
