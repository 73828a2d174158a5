"""The judge and its shipped weights."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file as save_tensors

import companion.models.judge as judge_module
from companion.data import digits
from companion.metrics import accuracy, judge_report, predict
from companion.models.judge import WEIGHTS, Judge, load_judge, save_judge
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
    assert distances[0] < 2 * reports[0].floors[name]
    assert distances[1] > 4 * reports[1].floors[name]
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


def test_weights_are_small_and_recorded():
    assert WEIGHTS.stat().st_size <= 500_000
    values = recorded("judge")["values"]
    assert values["bytes"] == WEIGHTS.stat().st_size
    assert len(values["test_accuracy"]) == 3
    assert np.mean(values["test_accuracy"]) >= 0.994
    assert values["parameters"] == sum(p.numel() for p in Judge().parameters())


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


def test_missing_weights_name_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(judge_module, "WEIGHTS", tmp_path / "judge.safetensors")
    with pytest.raises(FileNotFoundError, match="benchmarks.train_judge"):
        load_judge()


@pytest.mark.parametrize("damage", ["empty", "truncated", "other", "header", "bit"])
def test_damaged_weights_name_the_command(monkeypatch, tmp_path, damage):
    content = WEIGHTS.read_bytes()
    path = tmp_path / "judge.safetensors"
    if damage == "other":
        save_tensors({"weight": torch.zeros(3)}, path)
    else:
        path.write_bytes(
            {
                "empty": b"",
                "truncated": content[: len(content) // 2],
                "header": content[:20] + b"\xff" + content[21:],
                "bit": content[:-9000] + bytes([content[-9000] ^ 4]) + content[-8999:],
            }[damage]
        )
    monkeypatch.setattr(judge_module, "WEIGHTS", path)
    with pytest.raises(ValueError, match="damaged.*benchmarks.train_judge"):
        load_judge()


def test_saved_weights_load_again(monkeypatch, tmp_path):
    path = tmp_path / "judge.safetensors"
    monkeypatch.setattr(judge_module, "WEIGHTS", path)
    torch.manual_seed(3)
    judge = Judge().to(memory_format=torch.channels_last)
    save_judge(judge, path)
    x = torch.rand(2, 1, 28, 28)
    assert torch.allclose(load_judge()(x), judge.eval()(x), atol=1e-6)
