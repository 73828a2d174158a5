"""A run without a network to keep: from a recipe to a folder with its numbers."""

from companion.records import origin, write_record
from companion.runtime import setup
from companion.workshop.folder import RunFolder
from companion.workshop.log import duration
from companion.workshop.options import command
from companion.workshop.recipe import Study, as_dict
from companion.workshop.sheet import save_jpeg


def carry_out(name: str, recipe: Study, folder: RunFolder) -> bool:
    """Settings, a record, the picture if there is one; False if it was interrupted.

    Raises: ValueError if the folder is in use; else as `recipe.find_out`.
    """
    device = setup(recipe.seed)
    made = origin(command(name, recipe), device)
    folder.begin(
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
    try:
        found = recipe.find_out(device)
    except KeyboardInterrupt:
        folder.forget()
        print("Nothing is kept: a study is made in one go.")
        return False
    except Exception:
        folder.forget()
        raise
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
    print(f"Done in {duration(found.seconds)}: {folder.path} holds what was found.")
    return True
