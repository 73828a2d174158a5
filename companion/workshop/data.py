"""The pictures that a recipe learns from, by name or from a folder."""

from pathlib import Path

from companion.data import ImageData, cifar10, digits, emoji, fashion, picture_folder
from companion.workshop.nearest import nearest
from companion.workshop.recipe import FOLDER, Recipe


def load_data(recipe: Recipe) -> ImageData:
    """The set that `recipe.data` names, in three splits.

    Raises: as `check_data`; else as the set's own function.
    """
    check_data(recipe)
    size = getattr(recipe, "size", 32)  # where a set has no size of its own
    if recipe.data == "emoji":
        return emoji(size)
    makers = {"digits": digits, "fashion": fashion, "cifar10": cifar10}
    if recipe.data in makers:
        return makers[recipe.data]()
    return picture_folder(recipe.data, size)


def check_data(recipe: Recipe) -> None:
    """Raises: ValueError if the recipe cannot learn from `recipe.data`."""
    allowed = [name for name in recipe.sets if name != FOLDER]
    is_folder = FOLDER in recipe.sets and Path(recipe.data).expanduser().is_dir()
    if recipe.data not in allowed and not is_folder:
        folder = " or the path of a folder" if FOLDER in recipe.sets else ""
        raise ValueError(
            f"--data is {recipe.data!r}; this recipe takes {', '.join(allowed)}{folder}"
            f"{nearest(recipe.data, allowed)}"
        )
