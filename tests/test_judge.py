"""The judges and their shipped weights."""

import numpy as np
import pytest
import torch

from companion.data import digits, emoji
from companion.metrics import accuracy, judge_report, predict
from companion.models.judge import Judge, load_judge
from companion.pretrained import pretrained, read_card
from companion.recipes.judge_emoji import macro_f1
from companion.records import recorded


@pytest.fixture(scope="module")
def judge():
    return load_judge()


@pytest.fixture(scope="module")
def embedded():
    return digits("embedded")


def test_judge_reads_digits_that_were_not_in_its_training(judge, embedded):
    assert accuracy(predict(judge, embedded.test.x), embedded.test.y) >= 0.99
    assert accuracy(predict(judge, embedded.train.x), embedded.train.y) >= 0.99


def test_shapes_agree(judge):
    x = torch.rand(5, 1, 28, 28)
    features = judge.features(x)
    assert features.shape == (5, judge.num_features)
    assert judge(x).shape == (5, judge.num_classes)
    assert torch.equal(judge(x), judge.classify(features))
    # An image's features do not depend on the others in its batch.
    assert torch.allclose(judge.features(x[:1]), features[:1], atol=1e-5)


def test_loaded_judge_is_frozen_but_passes_gradients_to_images(judge):
    assert not judge.training
    assert not any(w.requires_grad for w in judge.parameters())
    x = torch.rand(2, 1, 28, 28, requires_grad=True)
    judge(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_features_have_full_rank(judge, embedded):
    covariance = torch.cov(predict(judge, embedded.train.x, function=judge.features).T)
    values = torch.linalg.eigvalsh(covariance.double())
    assert values[0] > 1e-5 * values[-1]


def test_report_ranks_real_blurred_and_noise(judge, embedded):
    real, x = embedded.train.x[:1000], embedded.train.x[1000:1500]
    blurred = torch.nn.functional.avg_pool2d(x, 5, stride=1, padding=2)
    noise = torch.rand(500, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    name = "relative Frechet distance"
    reports = [judge_report(real, fake, judge) for fake in (x, blurred, noise)]
    distances = [report[name] for report in reports]
    assert distances == sorted(distances)
    assert distances[0] < 2 * reports[0].best[name]
    assert distances[1] > 4 * reports[1].best[name]
    assert distances[2] > 0.5
    assert reports[0]["class coverage"] == 1
    assert reports[2]["precision"] < 0.1


def test_a_missing_class_and_a_collapse_are_seen(judge, embedded):
    train = embedded.train
    real, x = train.x[:1000], train.x[1000:]
    without_one = judge_report(real, x[train.y[1000:] != 1][:500], judge)
    assert without_one["class coverage"] == pytest.approx(0.9)
    collapsed = judge_report(real, x[:1].repeat(500, 1, 1, 1), judge)
    assert collapsed["class coverage"] == pytest.approx(0.1)
    assert collapsed["recall"] < 0.05
    assert collapsed["relative Frechet distance"] > 0.8


def test_the_card_agrees_with_the_recorded_run():
    run, card = recorded("judge"), read_card("judge")
    assert card["network"] == "companion.models.judge:Judge"
    shared = ("command", "data", "steps", "commit", "device", "threads", "date")
    assert all(card[key] == run[key] for key in shared)
    tests = run["values"]["test_accuracy"]
    assert len(tests) == 3 and np.mean(tests) >= 0.994
    # Float16 moves no more than a few of the 10,000 images.
    assert card["values"]["test_accuracy"] == pytest.approx(tests[0], abs=5e-4)
    assert card["parameters"] == run["values"]["parameters"]


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(2, 28, 28), ValueError, "shape"),
        (torch.zeros(2, 3, 28, 28), ValueError, "shape"),
        (torch.zeros(2, 1, 32, 32), ValueError, "shape"),
        (torch.zeros(0, 1, 28, 28), ValueError, "one or more"),
        (torch.full((2, 1, 28, 28), 255.0), ValueError, r"255.*\[0, 1\]"),
        (torch.full((2, 1, 28, 28), -1.0), ValueError, "from -1"),
        (torch.full((2, 1, 28, 28), torch.nan), ValueError, "nan"),
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), TypeError, "uint8"),
        (np.zeros((2, 1, 28, 28)), TypeError, "ndarray"),
    ],
)
def test_judge_refuses_wrong_images(judge, x, error, message):
    with pytest.raises(error, match=message):
        judge(x)
    with pytest.raises(error, match=message):
        judge.features(x)


@pytest.mark.parametrize("name", ["judge_clothes", "judge_emoji"])
def test_the_other_judges_are_as_their_cards_say(name):
    card, judge = read_card(name), pretrained(name)
    assert isinstance(judge, Judge) and len(card["classes"]) == judge.num_classes
    assert card["values"]["parameters"] == card["parameters"]
    assert recorded(name)["values"] == card["values"]
    x = torch.rand(3, *judge.image_shape)
    assert judge.features(x).shape == (3, judge.num_features)
    with pytest.raises(ValueError, match=f"takes images of shape.*{x.shape[3]}"):
        judge(x[:, :, 1:])


def test_the_judge_of_emoji_classifies_new_drawings():
    values = read_card("judge_emoji")["values"]
    data, judge = emoji(32), pretrained("judge_emoji")
    found = accuracy(predict(judge, data.test.x), data.test.y)
    assert found == pytest.approx(values["test_accuracy"], abs=0.006)
    assert macro_f1(judge, data.test) == pytest.approx(
        values["test_macro_f1"], abs=0.02
    )
    # Much better than the most frequent class, for the classes are uneven.
    scores = [values[f"macro_f1_{k}"] for k in range(5)]
    assert values["macro_f1_mean"] == pytest.approx(np.mean(scores), abs=1e-3)
    assert min(scores) > 0.4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_shape": (1, 7, 28)}, r"\(1, 7, 28\).*8 or more"),
        ({"image_shape": (28, 28)}, r"\(28, 28\).*\(C, H, W\)"),
        ({"num_classes": 1}, "num_classes 1"),
        ({"widths": (8, 8, 8)}, r"\(8, 8, 8\).*four"),
        ({"image_shape": (0, 28, 28)}, r"\(0, 28, 28\)"),
        ({"image_shape": 28}, "image_shape is 28"),
        ({"num_classes": 2.0}, "2.0"),
        ({"widths": (8, 8, 0, 8)}, "from 1"),
    ],
)
def test_a_judge_refuses_what_it_cannot_be_built_for(settings, message):
    with pytest.raises(ValueError, match=message):
        Judge(**settings)
