"""Images as tensors: one split, a whole set, and how a set is divided."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from companion.data.checks import check_unit_range

S = TypeVar("S", bound="Split")
PIECE = 4096  # images converted at a time


@dataclass(frozen=True, eq=False)
class Split:
    """Images with their labels.

    Shapes: x (N, C, H, W) float32 in [0, 1]; y (N,) int64.
    Raises: TypeError for another dtype; ValueError for another shape, a value
        outside [0, 1], different lengths or an empty split.
    """

    x: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        for name, value, dtype in (
            ("x", self.x, torch.float32),
            ("y", self.y, torch.int64),
        ):
            if not isinstance(value, Tensor) or value.dtype != dtype:
                found = getattr(value, "dtype", type(value).__name__)
                raise TypeError(f"{name} is {found}; give a tensor of {dtype}.")
        if self.x.dim() != 4 or self.y.dim() != 1:
            raise ValueError(
                f"x has shape {tuple(self.x.shape)} and y {tuple(self.y.shape)}; "
                "give x as (N, C, H, W) and y as (N,)."
            )
        if len(self.x) != len(self.y):
            raise ValueError(
                f"{len(self.x)} images but {len(self.y)} labels; give one label each."
            )
        if self.x.numel() == 0:
            raise ValueError(
                f"x has shape {tuple(self.x.shape)}: the split is empty; "
                "give at least one image."
            )
        check_unit_range("x", self.x)

    def __len__(self) -> int:
        return len(self.x)

    def to(self: S, device: torch.device | str) -> S:
        """The same split on another device."""
        moved = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)

    def take(self: S, n: int) -> S:
        """A copy of the first n images. The order is mixed: they are a fair sample.

        A copy, so that the memory of the others can be freed.

        Raises: ValueError unless 1 <= n <= len(self).
        """
        if not 1 <= n <= len(self):
            raise ValueError(f"n is {n}; this split has 1 to {len(self)} to take.")
        first = {name: value[:n] for name, value in vars(self).items()}
        for name, value in first.items():
            first[name] = value.clone() if isinstance(value, Tensor) else value
        return replace(self, **first)


@dataclass(frozen=True, eq=False)
class ImageData:
    """A set of images in three splits.

    `classes` names the labels 0, 1, ...; `source` says where the images came from;
    `full` is False if they stand in for a larger set.
    """

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    source: str
    full: bool = True

    def to(self, device: torch.device | str) -> "ImageData":
        """The same set on another device."""
        return replace(
            self,
            train=self.train.to(device),
            validation=self.validation.to(device),
            test=self.test.to(device),
        )


def mixed_order(y: Sequence[int] | np.ndarray, seed: int = 0) -> np.ndarray:
    """A seeded order in which any leading part holds the classes in fair shares.

    Shapes: y (N,) -> (N,) int64, a permutation of 0 .. N - 1.
    """
    y = np.asarray(y)
    # RandomState, because NumPy promises that its numbers never change.
    order = np.random.RandomState(seed).permutation(len(y))
    position = np.empty(len(y))  # of an image within its class, from 0 to 1
    for label in np.unique(y):
        members = order[y[order] == label]
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(position[order], kind="stable")]


def grouped_parts(
    keys: np.ndarray, y: np.ndarray, shares: tuple[float, float, float]
) -> np.ndarray:
    """0, 1 or 2 (training, validation, test) for each image, the same for equal keys.

    Groups are ranked by a checksum of their key within the class of their first image,
    the classes' rankings are merged as in `mixed_order`, and the merged one is cut by
    the shares, which count images.

    Shapes: keys (N,) of strings, y (N,) -> (N,).
    """
    _, at, number, size = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    label = y[at]
    checksum = [hashlib.sha256(key.encode(errors="replace")) for key in keys[at]]
    order = np.argsort([found.hexdigest() for found in checksum])
    position = np.empty(len(at))  # of a group within its class, from 0 to 1
    for one in np.unique(label):
        members = order[label[order] == one]
        position[members] = _middles(size[members])
    order = order[np.argsort(position[order], kind="stable")]
    part = np.empty(len(at), np.int64)
    part[order] = np.searchsorted(np.cumsum(shares[:2]), _middles(size[order]))
    return part[number]


def _middles(sizes: np.ndarray) -> np.ndarray:
    """Where the middle of each part lies in the row of all, from 0 to 1."""
    return (sizes.cumsum() - sizes / 2) / sizes.sum()


def check_filled(
    part: np.ndarray, keys: np.ndarray, shares: tuple[float, float, float]
) -> None:
    """Raises: ValueError if one of the three splits has no image."""
    empty = np.bincount(part, minlength=3) == 0
    if empty.any():
        which = int(empty.argmax())
        name = ("training", "validation", "test")[which]
        need = math.ceil(1 / min(shares) - 1e-6)
        raise ValueError(
            f"{len(part)} pictures in {len(np.unique(keys))} groups leave none for the "
            f"{name} split, whose share is {shares[which]:.3g}: give {need} groups of "
            "about one size, or larger shares."
        )


def to_split(images: np.ndarray, labels: np.ndarray, members: np.ndarray) -> Split:
    """The chosen images of a set, bytes made floats, in the order of `members`.

    Shapes: images (N, H, W) or (N, C, H, W) uint8; labels (N,); members (M,).
    """
    if images.ndim == 3:
        images = images[:, None]
    x = np.empty((len(members), *images.shape[1:]), np.float32)
    # In pieces: a whole copy of the bytes would cost as much again as the set itself.
    for i in range(0, len(members), PIECE):
        piece = members[i : i + PIECE]
        np.divide(images[piece], np.float32(255), out=x[i : i + PIECE])
    y = labels[members].astype(np.int64)
    return Split(torch.from_numpy(x), torch.from_numpy(y))
