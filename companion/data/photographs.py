"""Photographs: CIFAR-10's small colour pictures, and faces, LFW."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor
from torchvision.datasets.utils import download_and_extract_archive

from companion import runtime
from companion.data.files import (
    CorruptFileError,
    NotAvailableError,
    Official,
    download,
    verify,
)
from companion.data.splits import ImageData, Split, mixed_order, to_split

CIFAR10 = torchvision.datasets.CIFAR10
CIFAR10_VALIDATION_IMAGES = 5_000
LFW_IMAGES, LFW_PEOPLE = 13_233, 5_749
# Where scikit-learn and torchvision keep the unpacked pictures.
LFW_FOLDERS = ("lfw_home/lfw_funneled", "lfw-py/lfw_funneled")
LFW_CROP = (62, 62, 188, 188)  # the face, without most of the background
LFW_SHARES = (0.8, 0.9)  # where validation and test begin


def cifar10() -> ImageData:
    """CIFAR-10: photographs of ten kinds of things, 45,000 / 5,000 / 10,000 images.

    Shapes: x (N, 3, 32, 32).
    Raises: ValueError for a damaged file, which is named; RuntimeError, naming the
        remedy, if the files are neither present nor to be had.
    Source: Krizhevsky (2009), Learning multiple layers of features from tiny images.
    """
    names = [*CIFAR10.train_list, *CIFAR10.test_list]
    names.append((CIFAR10.meta["filename"], CIFAR10.meta["md5"]))
    files = [Official(f"{CIFAR10.base_folder}/{name}", md5) for name, md5 in names]
    missing = [file for file in files if verify(file) is None]
    if missing:
        try:
            download("CIFAR-10", [CIFAR10.url], _fetch_cifar10, missing)
        except NotAvailableError as error:
            folder = runtime.data_dir() / CIFAR10.base_folder
            raise NotAvailableError(
                f"CIFAR-10 is not available: {error}. Go online, or unpack "
                f"{CIFAR10.url} so that its files lie in {folder}."
            ) from error
    *train_files, test_file, meta_file = files
    x, y = _mixed_pictures(train_files)
    n = len(y) - CIFAR10_VALIDATION_IMAGES
    return ImageData(
        train=Split(x[:n], y[:n]),
        validation=Split(x[n:], y[n:]),
        test=Split(*_mixed_pictures([test_file])),
        classes=tuple(_unpickle(verify(meta_file))["label_names"]),
        source="CIFAR-10, 50,000 + 10,000 images",
    )


def lfw(size: int = 64) -> ImageData:
    """Labeled Faces in the Wild: 13,233 photographs of 5,749 people, one class each.

    About 80, 10 and 10 per cent of the people for training, validation and test:
    nobody is in two splits. There are no checksums for the single pictures; what is
    checked is that all are there and can be read.

    Shapes: x (N, 3, size, size), the middle 126 x 126 of 250 x 250 pixels, rescaled.
    Raises: RuntimeError, naming the remedy, if the pictures are absent; ValueError
        if some are missing or damaged, or for a size below 8.
    Source: Huang, Mattar, Berg and Learned-Miller (2008); the funneled version.
    """
    if not isinstance(size, int) or size < 8:
        raise ValueError(f"size is {size}; give a whole number of pixels from 8.")
    root = runtime.data_dir()
    found = [root / folder for folder in LFW_FOLDERS if (root / folder).is_dir()]
    if not found:
        raise NotAvailableError(
            f"LFW is not in {root}, and torchvision no longer downloads it. Run "
            f"sklearn.datasets.fetch_lfw_people(data_home={str(root)!r}) once, or "
            f"unpack lfw-funneled.tgz by hand into {root / 'lfw-py'}."
        )
    paths = sorted(found[0].glob("*/*.jpg"))
    people = sorted({path.parent.name for path in paths})
    if (len(paths), len(people)) != (LFW_IMAGES, LFW_PEOPLE):
        raise CorruptFileError(
            f"{found[0]} holds {len(paths)} pictures of {len(people)} people, not "
            f"{LFW_IMAGES} of {LFW_PEOPLE}. Delete this folder and fetch it anew."
        )
    images = np.stack([_face(path, size) for path in paths])
    number = {name: i for i, name in enumerate(people)}
    labels = np.array([number[path.parent.name] for path in paths])
    order = np.random.RandomState(0).permutation(LFW_PEOPLE)
    groups = np.split(order, [round(share * LFW_PEOPLE) for share in LFW_SHARES])
    splits = []
    for group in groups:
        members = np.flatnonzero(np.isin(labels, group))
        members = members[mixed_order(labels[members])]
        splits.append(to_split(images, labels, members))
    return ImageData(
        *splits,
        classes=tuple(name.replace("_", " ") for name in people),
        source="LFW, 13,233 images",
    )


def _fetch_cifar10(folder: Path) -> None:
    download_and_extract_archive(CIFAR10.url, str(folder), md5=CIFAR10.tgz_md5)


def _mixed_pictures(files: list[Official]) -> tuple[Tensor, Tensor]:
    """Pictures (N, 3, 32, 32) float32 and labels (N,) of batch files, well mixed.

    Labels first, then file by file: so not more than one file's bytes are in memory
    beside the floats, which are large enough.
    """
    labels = [np.array(_unpickle(verify(file))["labels"]) for file in files]
    y = np.concatenate(labels)
    order = mixed_order(y)
    x = np.empty((len(y), 3, 32, 32), np.float32)
    places = np.split(np.argsort(order), len(files))
    for place, file in zip(places, files, strict=True):
        x[place] = _unpickle(verify(file))["data"].reshape(-1, 3, 32, 32)
    x /= 255
    return torch.from_numpy(x), torch.from_numpy(y[order].astype(np.int64))


def _unpickle(path: Path) -> dict:
    """A batch file. Pickles can run code: open them only after `verify`."""
    with path.open("rb") as file, warnings.catch_warnings():
        # The files were pickled by a NumPy of 2009; newer ones remark on it.
        warnings.simplefilter("ignore")
        return pickle.load(file, encoding="latin1")


def _face(path: Path, size: int) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            face = picture.convert("RGB").crop(LFW_CROP)
    except OSError as error:
        raise CorruptFileError(
            f"{path} is damaged ({error}). Delete {path.parents[1]} and fetch it anew."
        ) from error
    face = face.resize((size, size), Image.Resampling.BOX)
    return np.asarray(face).transpose(2, 0, 1)
