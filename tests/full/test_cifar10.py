"""The full CIFAR-10."""

import shutil
import warnings

import pytest
import torch
import torchvision

from companion.data import CorruptFileError, NotAvailableError, cifar10
from companion.metrics import accuracy, predict
from companion.pretrained import pretrained, read_card
from companion.runtime import data_dir


def test_splits_hold_the_official_images():
    data = cifar10()
    for split, each in ((data.train, 4_500), (data.validation, 500), (data.test, 1000)):
        assert split.x.shape == (10 * each, 3, 32, 32)
        assert split.y.bincount().tolist() == [each] * 10
    with warnings.catch_warnings():  # torchvision reads pickles of an old NumPy
        warnings.simplefilter("ignore")
        official = torchvision.datasets.CIFAR10(data_dir(), train=False)
    assert list(data.classes) == official.classes
    pairs = zip(official.data.transpose(0, 3, 1, 2), official.targets, strict=True)
    images = {image.tobytes(): label for image, label in pairs}
    ours = data.test.x.mul(255).round().to(torch.uint8).numpy()
    for image, label in zip(ours, data.test.y.tolist(), strict=True):
        assert images[image.tobytes()] == label


def test_a_missing_and_a_damaged_batch(tmp_path, monkeypatch):
    shutil.copytree(
        data_dir() / "cifar-10-batches-py", tmp_path / "cifar-10-batches-py"
    )
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    monkeypatch.setenv("COMPANION_OFFLINE", "1")
    path = tmp_path / "cifar-10-batches-py" / "data_batch_5"
    content = bytearray(path.read_bytes())
    content[1_000_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match="data_batch_5 is damaged"):
        cifar10()
    path.unlink()
    with pytest.raises(NotAvailableError, match="COMPANION_OFFLINE"):
        cifar10()


def test_the_shipped_network_is_as_good_on_cats_as_its_card_says():
    test, network = cifar10().test, pretrained("cifar10")
    cats = test.y == read_card("cifar10")["classes"].index("cat")
    found = accuracy(predict(network, test.x[cats]), test.y[cats])
    values = read_card("cifar10")["values"]
    assert found == pytest.approx(values["recall of cat"], abs=0.003)
