"""A finished result, copied from its run's folder into the package."""

import json
import shutil
from pathlib import Path

import companion.pretrained
import companion.records
from companion.runtime import save_file
from companion.workshop.folder import WEIGHTS, RunFolder
from companion.workshop.options import command
from companion.workshop.recipe import Study, find


def keep(folder: RunFolder) -> list[Path]:
    """Copy the record, a study's picture and, if they ship, weights and card.

    They get the name of the recipe. Returns the files written.

    Raises: ValueError for a run that is not finished or damaged, that had other
        settings than its recipe has, code that no commit names, or data that stand in
        for larger ones; OSError if the package cannot be written.
    """
    saved = folder.settings()
    name, done = saved["recipe"], saved["origin"]["command"]
    recipe = find(name)
    usual = command(name, recipe())
    if not folder.record.exists():
        raise ValueError(
            f"The run in {folder.path} is not finished: `{folder.again()}`."
        )
    if done != usual:
        raise ValueError(
            f"The run in {folder.path} was made by `{done}`; only a run by `{usual}` "
            f"is the result {name}. For other settings write a recipe of their own."
        )
    if not saved["full"]:
        raise ValueError(
            f"The run in {folder.path} learned from {saved['data']}; make the full "
            "data available and train anew."
        )
    commit = saved["origin"]["commit"]
    if commit == "unknown" or commit.endswith("+"):
        raise ValueError(
            f"The run in {folder.path} was made by the commit {commit!r}, which cannot "
            "be had again; train anew on a clean checkout."
        )
    if recipe.ships:
        folder.network()
        if folder.card()["values"] != json.loads(folder.record.read_text())["values"]:
            raise ValueError(
                f"Card and record in {folder.path} have other values; train anew."
            )
    copies = {folder.record: _beside(companion.records, f"{name}.json")}
    if issubclass(recipe, Study) and folder.picture.exists():
        copies[folder.picture] = _beside(companion.records, f"{name}.jpg")
    elif recipe.ships:
        for suffix in ("safetensors", "json"):
            source = folder.path / f"{WEIGHTS}.{suffix}"
            copies[source] = _beside(companion.pretrained, f"{name}.{suffix}")
    for source, path in copies.items():
        save_file(path, lambda temporary, source=source: shutil.copy(source, temporary))
    return list(copies.values())


def _beside(package: object, name: str) -> Path:
    return Path(package.__file__).parent / name
