"""Every recipe: its settings, a very short run, and the network that it makes."""

import json
import math
import sys

import pytest
import torch
from PIL import Image
from torchvision.models import squeezenet1_1

import companion.records
from companion.data import ImageData, digits
from companion.models.style import SQUEEZENET
from companion.pretrained import GIVEN, build, pretrained, write_pretrained
from companion.trainers import fit
from companion.workshop.commands import main
from companion.workshop.folder import RunFolder
from companion.workshop.paint import paint
from companion.workshop.recipe import (
    Painting,
    Recipe,
    as_dict,
    find,
    from_dict,
    names,
    settings,
)
from companion.workshop.sheet import save_sheet

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
def test_a_recipe_trains_a_network_that_travels_and_is_judged(name, data, tmp_path):
    recipe = tiny(name)
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
            assert sheet.size == (2 * (2 * 29 - 1), 2 * 28)
    else:
        assert find(name).kind.__name__ in ("Judge", "RowClassifier")
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


# Those that paint a picture


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


def test_a_painting_leaves_its_picture_and_numbers(
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
        assert picture.size == (32 * columns, 32 * rows) == (224, 96)
    assert record["steps"] == 3 and str(tmp_path) not in json.dumps(record)

    for name in ("resume", "sample", "judge"):
        assert main([name, str(run)]) == 1
        said = capsys.readouterr().err
        assert "no network" in said and "Traceback" not in said
    assert main([*words, "--dry-run"]) == 1
    assert "in one go and trains no network" in capsys.readouterr().err

    assert main(["keep", str(run)]) == 1
    assert "write a recipe of their own" in capsys.readouterr().err
    saved = json.loads((run / "settings.json").read_text())
    saved["origin"] |= {"command": "python -m companion train style", "commit": "a1"}
    (run / "settings.json").write_text(json.dumps(saved))
    target = tmp_path / "records/__init__.py"
    monkeypatch.setattr(companion.records, "__file__", str(target))
    assert main(["keep", str(run)]) == 0
    assert {p.name for p in target.parent.iterdir()} == {"style.jpg", "style.json"}


def test_a_painting_without_weights_leaves_the_folder_free(
    home, words, tmp_path, capsys
):
    home.unlink()
    assert main(words) == 1
    assert f"{home}; put torchvision's" in capsys.readouterr().err
    assert not (tmp_path / "run/settings.json").exists()


def test_an_interrupted_painting_leaves_the_folder_free(tmp_path, capsys):
    class Interrupted(Painting):
        source = "nothing"

        def paint(self, device):
            raise KeyboardInterrupt

    assert not paint("style", Interrupted(), RunFolder(tmp_path))
    assert "Nothing is kept" in capsys.readouterr().out
    assert not [*tmp_path.iterdir()]
