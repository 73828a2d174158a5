"""A run without a network to keep: from a recipe to a folder with its numbers."""

import math
from collections.abc import Mapping
from typing import Any

from companion.records import origin, write_record
from companion.runtime import setup
from companion.workshop.folder import RunFolder
from companion.workshop.log import duration
from companion.workshop.options import command
from companion.workshop.recipe import Study, as_dict
from companion.workshop.sheet import save_jpeg


def carry_out(name: str, recipe: Study, folder: RunFolder) -> bool:
    """Settings, a record, the picture if there is one; False if it was interrupted.

    Until all is done the folder holds nothing of it.

    Raises: ValueError if the folder is in use, or for a value that is not finite; else
        as `recipe.find_out`.
    """
    device = setup(recipe.seed)
    made = origin(command(name, recipe), device)
    folder.check_unused()
    try:
        found = recipe.find_out(device)
    except KeyboardInterrupt:
        print("Nothing is kept: a study is made in one go.")
        return False
    _check_numbers("values", found.values)
    if found.picture is not None:
        save_jpeg(folder.picture, found.picture)
    write_record(
        "record",
        found.values,
        origin=made,
        data=recipe.source,
        steps=found.steps,
        seconds=found.seconds,
        folder=folder.path,
    )
    # Last, for with them the folder holds a run, and one of a study is finished.
    folder.keep_settings(
        {
            "recipe": name,
            "settings": as_dict(recipe),
            "data": recipe.source,
            "digest": "",
            "full": True,
            "processes": 1,
            "origin": made,
        }
    )
    print(f"Done in {duration(found.seconds)}: {folder.path} holds what was found.")
    return True


def _check_numbers(name: str, value: Any) -> None:
    """Raises: ValueError naming a number at any depth that JSON has no word for."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}; a record holds finite numbers or null.")
    if isinstance(value, Mapping):
        for key, part in value.items():
            _check_numbers(f"{name}[{key!r}]", part)
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            _check_numbers(f"{name}[{i}]", part)
