"""A run that trains no network: from a recipe to a folder with its picture."""

from companion.records import origin, write_record
from companion.runtime import setup
from companion.workshop.folder import RunFolder
from companion.workshop.log import duration
from companion.workshop.options import command
from companion.workshop.recipe import Painting, as_dict
from companion.workshop.sheet import save_jpeg


def paint(name: str, recipe: Painting, folder: RunFolder) -> bool:
    """Settings, the picture, a record; False if it was interrupted.

    Raises: ValueError if the folder is in use; else as `recipe.paint`.
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
        painted = recipe.paint(device)
    except KeyboardInterrupt:
        folder.forget()
        print("Nothing is kept: a picture is painted in one go.")
        return False
    except Exception:
        folder.forget()
        raise
    save_jpeg(folder.picture, painted.picture)
    write_record(
        "record",
        painted.values,
        origin=made,
        data=recipe.source,
        steps=painted.steps,
        seconds=painted.seconds,
        folder=folder.path,
    )
    print(f"Done in {duration(painted.seconds)}: {folder.path} holds the picture.")
    return True
