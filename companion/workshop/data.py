"""The pictures that a recipe learns from, by name or from a folder."""

from pathlib import Path

from companion.data import ImageData, cifar10, digits, emoji, fashion, picture_folder
from companion.workshop.nearest import nearest
from companion.workshop.recipe import Recipe


def load_data(recipe: Recipe) -> ImageData:
    """The set that `recipe.data` names, in three splits.

    Raises: ValueError if the recipe does not allow it; else as the set's own function.
    """
    size = getattr(recipe, "size", 32)  # where a set has no size of its own
    makers = {
        "digits": digits,
        "fashion": fashion,
        "emoji": lambda: emoji(size),
        "cifar10": cifar10,
    }
    if recipe.data in makers and recipe.data in recipe.sets:
        return makers[recipe.data]()
    if "FOLDER" in recipe.sets and Path(recipe.data).expanduser().is_dir():
        return picture_folder(recipe.data, size)
    folder = " or the path of a folder" if "FOLDER" in recipe.sets else ""
    allowed = [name for name in recipe.sets if name != "FOLDER"]
    raise ValueError(
        f"--data is {recipe.data!r}; this recipe takes {', '.join(allowed)}{folder}"
        f"{nearest(recipe.data, allowed)}"
    )
