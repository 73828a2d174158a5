"""The pictures that a recipe learns from, by name or from a folder."""

import hashlib
from functools import partial
from pathlib import Path

import torch

from companion.data import ImageData, cifar10, digits, emoji, fashion, picture_folder
from companion.data.splits import Split
from companion.nearest import nearest
from companion.workshop.recipe import FOLDER, Recipe

ICONS = {"faces", "nature", "food", "travel", "objects", "symbols", "flags"}


def load_data(recipe: Recipe) -> ImageData:
    """The set that `recipe.data` names, in three splits.

    Raises: as `checked_data`; else as the set's own function.
    """
    checked_data(recipe)
    size = getattr(recipe, "size", 32)  # where a set has no size of its own
    makers = {
        "digits": digits,
        "fashion": fashion,
        "cifar10": cifar10,
        "emoji": partial(emoji, size),
        "icons": partial(icons, size),
    }
    if recipe.data in makers:
        return makers[recipe.data]()
    return picture_folder(recipe.data, size)


def icons(size: int = 32) -> ImageData:
    """OpenMoji's pictures without people, activities and parts of the body.

    Shapes: x (N, 3, size, size).
    Raises: as `emoji`.
    """
    data = emoji(size)
    kept = [i for i, name in enumerate(data.classes) if name in ICONS]
    number = torch.full((len(data.classes),), -1)
    number[kept] = torch.arange(len(kept))

    def part(split: Split) -> Split:
        y = number[split.y]
        return Split(split.x[y >= 0], y[y >= 0])

    return ImageData(
        part(data.train),
        part(data.validation),
        part(data.test),
        classes=tuple(data.classes[i] for i in kept),
        source=data.source,
    )


def checked_data(recipe: Recipe) -> str:
    """The name of a set, or the whole path of a folder.

    Raises: ValueError if the recipe cannot learn from `recipe.data`.
    """
    allowed = [name for name in recipe.sets if name != FOLDER]
    if recipe.data in allowed:
        return recipe.data
    takes_folders = FOLDER in recipe.sets
    path = Path(recipe.data).expanduser()
    if takes_folders and recipe.data and path.is_dir():
        return str(path.resolve())
    folder = " or the path of a folder" if takes_folders else ""
    known = [] if "/" in recipe.data or "\\" in recipe.data else allowed
    raise ValueError(
        f"--data is {recipe.data!r}; this recipe takes {', '.join(allowed)}{folder}"
        f"{nearest(recipe.data, known)}"
    )


def digest(data: ImageData) -> str:
    """By which the pictures and labels of all splits are known again."""
    found = hashlib.sha256()
    for split in (data.train, data.validation, data.test):
        for tensor in (split.x, split.y):
            found.update(tensor.cpu().numpy().tobytes())
    return found.hexdigest()
