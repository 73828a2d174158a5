"""The full MNIST: counts, splits, the embedded part, damage, a download."""

import functools
import gzip
import http.server
import shutil
import threading
from pathlib import Path

import pytest
import torch
import torchvision

from companion.data import (
    CorruptFileError,
    digits,
    embedded_in_mnist_train,
    mnist_arrays,
)
from companion.recipes.judge import JudgeOfDigits
from companion.runtime import data_dir

RAW = data_dir() / "MNIST" / "raw"
PACKED = [name for name, _ in torchvision.datasets.MNIST.resources]
NAMES = [name.removesuffix(".gz") for name in PACKED]


def lay_out(name: str, folder: Path) -> Path:
    """A copy of an official file, packed or unpacked, whichever is asked for."""
    target = folder / "MNIST" / "raw" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if (RAW / name).exists():
        shutil.copy(RAW / name, target)
    else:
        target.write_bytes(gzip.decompress((RAW / f"{name}.gz").read_bytes()))
    return target


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    monkeypatch.setenv("COMPANION_OFFLINE", "1")
    return tmp_path


def test_splits_hold_every_image_of_the_official_set_once():
    data = digits("full")
    assert data.full and data.source == "MNIST, 60,000 + 10,000 images"
    sizes = [len(split) for split in (data.train, data.validation, data.test)]
    assert sizes == [55_000, 5_000, 10_000]
    x, y, x_test, y_test = mnist_arrays()
    ours = torch.cat([data.train.x, data.validation.x]).mul(255).round().byte()
    labels = torch.cat([data.train.y, data.validation.y])
    for a, b, c, d in (
        (ours, labels, x, y),
        (data.test.x.mul(255).round().byte(), data.test.y, x_test, y_test),
    ):
        found = sorted(
            (i.tobytes(), j) for i, j in zip(a.numpy(), b.tolist(), strict=True)
        )
        assert found == sorted((i.tobytes(), j) for i, j in zip(c, d, strict=True))


def test_arrays_are_those_of_torchvision(folder):
    for name in NAMES:
        lay_out(name, folder)
    x, y, x_test, y_test = mnist_arrays()
    for train, images, labels in ((True, x, y), (False, x_test, y_test)):
        expected = torchvision.datasets.MNIST(folder, train=train)
        assert torch.equal(expected.data, torch.from_numpy(images.copy()))
        assert torch.equal(expected.targets, torch.from_numpy(labels.copy()).long())


def test_every_leading_part_is_fair():
    data = digits("full")
    for split in (data.train, data.validation, data.test):
        shares = split.y.bincount() / len(split)
        found = split.take(1000).y.bincount() / 1000
        assert (found - shares).abs().max() < 0.005


def test_embedded_digits_are_training_images():
    places = embedded_in_mnist_train()
    assert len(places) == len(places.unique()) == 5_000
    x, y, *_ = mnist_arrays()
    embedded = digits("embedded")
    known = {(x[i].tobytes(), int(y[i])) for i in places.tolist()}
    for split in (embedded.train, embedded.validation, embedded.test):
        images = split.x.mul(255).round().byte().numpy()
        for image, label in zip(images, split.y.tolist(), strict=True):
            assert (image.tobytes(), label) in known


def test_the_judge_learns_from_none_of_the_embedded_digits():
    small = digits("embedded")
    train, validation = JudgeOfDigits().splits(digits("full"))
    assert (len(train), len(validation)) == (50_000, 5_000)
    images, embedded = (
        {image.numpy().tobytes() for image in torch.cat(parts).mul(255).round().byte()}
        for parts in (
            [train.x, validation.x],
            [small.train.x, small.validation.x, small.test.x],
        )
    )
    assert len(embedded) == 5_000 and not images & embedded


@pytest.mark.parametrize("packed", [True, False])
def test_packed_or_unpacked_files_will_do(folder, packed):
    for name in PACKED if packed else NAMES:
        lay_out(name, folder)
    assert digits("full").full


@pytest.mark.parametrize("name", [PACKED[1], NAMES[1], NAMES[3]])
@pytest.mark.parametrize("damage", ["truncated", "bit-flipped"])
def test_damage_is_found_though_everything_else_is_there(folder, name, damage):
    for each in [*PACKED, *NAMES]:
        lay_out(each, folder)
    path = folder / "MNIST" / "raw" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content if damage == "bit-flipped" else content[:-100])
    with pytest.raises(CorruptFileError, match=f"{name} is damaged"):
        digits()


def test_absent_files_alone_are_downloaded(folder, tmp_path_factory, monkeypatch):
    mirror = tmp_path_factory.mktemp("mirror")
    for name in PACKED:
        lay_out(name, mirror)
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, *_):
            asked.append(self.path.removeprefix("/"))

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(mirror / "MNIST" / "raw"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [address])
        monkeypatch.setenv("COMPANION_OFFLINE", "0")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        lay_out(PACKED[0], folder)
        lay_out(NAMES[3], folder)
        assert digits().full
        server.shutdown()
    assert set(asked) == set(PACKED[1:3])
    raw = folder / "MNIST" / "raw"
    assert {path.name for path in raw.iterdir()} == {*PACKED[:3], NAMES[3]}
    assert [path.name for path in folder.iterdir()] == ["MNIST"]
