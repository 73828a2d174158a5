"""CIFAR-10 and LFW: what happens when files are absent, damaged or incomplete."""

import os

import numpy as np
import pytest
from PIL import Image

from companion.data import CorruptFileError, NotAvailableError, cifar10, lfw


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    monkeypatch.setenv("COMPANION_OFFLINE", "1")
    return tmp_path


def test_absent_cifar10_names_the_remedy(folder):
    with pytest.raises(NotAvailableError, match="Go online, or unpack https://") as e:
        cifar10()
    assert str(folder / "cifar-10-batches-py") in str(e.value)


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_damaged_cifar10_file_is_named_and_never_unpickled(folder, name):
    path = folder / "cifar-10-batches-py" / name
    path.parent.mkdir()
    # A pickle that would make a folder if it were opened.
    path.write_bytes(b"cos\nmkdir\n(V" + str(folder / "opened").encode() + b"\ntR.")
    with pytest.raises(CorruptFileError, match=f"{name} is damaged"):
        cifar10()
    assert not (folder / "opened").exists()


def test_absent_lfw_names_the_remedy(folder):
    with pytest.raises(NotAvailableError, match="fetch_lfw_people") as caught:
        lfw()
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("place", ["lfw_home/lfw_funneled", "lfw-py/lfw_funneled"])
def test_incomplete_lfw(folder, place):
    person = folder / place / "Ada_Lovelace"
    person.mkdir(parents=True)
    (person / "Ada_Lovelace_0001.jpg").write_bytes(b"")
    with pytest.raises(CorruptFileError, match="1 pictures of 1 people, not 13233"):
        lfw()


@pytest.fixture
def people(folder):
    """As many pictures and people as LFW has, all of them one file."""
    pixels = np.random.RandomState(0).randint(0, 256, (250, 250, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "face.jpg", quality=30)
    root = folder / "lfw_home" / "lfw_funneled"
    for i in range(13_233):
        name = f"Person_{i % 5_749:04d}"
        if i < 5_749:
            (root / name).mkdir(parents=True)
        os.link(folder / "face.jpg", root / name / f"{name}_{i // 5_749:04d}.jpg")
    return root


def test_a_truncated_lfw_picture_is_named(people):
    path = people / "Person_0000" / "Person_0000_0000.jpg"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CorruptFileError, match="Person_0000_0000.jpg is damaged"):
        lfw()


@pytest.mark.parametrize("size", [7, 0, 64.0])
def test_wrong_size(size):
    with pytest.raises(ValueError, match=f"size is {size}"):
        lfw(size)
