"""Write the set-up cell of every notebook for the repository's address.

    python tools/setup_cells.py [--to FOLDER] [NOTEBOOK ...]

While the repository's address has the placeholder owner, the cell names the local
remedy; once it is real, the cell installs the companion where it is missing. With
`--to` the notebooks are written below FOLDER, and those of the book stay as they are.
"""

import argparse
from pathlib import Path

from notebooks import (
    ROOT,
    Repository,
    code_cells,
    is_placeholder,
    notebooks,
    read,
    repository,
    tags,
    write,
)

LOCAL = """\
try:
    import companion  # noqa: F401
except ModuleNotFoundError:
    raise SystemExit("First run `make book` or `pip install -e .` "
                     "in the folder of the book.")
from companion.runtime import setup
device = setup(seed=0)"""

INSTALLING = """\
try:
    import companion  # noqa: F401
except ModuleNotFoundError:
    %pip install -q "learning-to-draw @ git+{url}@{branch}"
from companion.runtime import setup
device = setup(seed=0)"""


def setup_cell(published: Repository) -> str:
    """The text of the set-up cell for where the book is published."""
    if is_placeholder(published.url):
        return LOCAL
    return INSTALLING.format(url=published.url, branch=published.branch)


def write_setup_cell(path: Path, published: Repository, to: Path | None = None) -> bool:
    """Write one notebook with its set-up cell; return whether that changed the cell.

    It is written to the file `to`, else in place.

    Raises: ValueError if the first code cell is not tagged "setup".
    """
    notebook = read(path)
    cells = code_cells(notebook)
    if not cells or "setup" not in tags(cells[0]):
        raise ValueError(
            f"{path}: the first code cell must have the tag 'setup'; add it, with any "
            "text, and run tools/setup_cells.py again."
        )
    changed = cells[0]["source"] != setup_cell(published)
    if changed or to is not None:
        cells[0]["source"] = setup_cell(published)
        write(to or path, notebook)
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument(
        "--to", type=Path, help="write below this folder instead of in place"
    )
    arguments = parser.parse_args()
    published = repository()
    for path in arguments.notebooks or notebooks():
        to = arguments.to and arguments.to / path.resolve().relative_to(ROOT)
        if write_setup_cell(path, published, to):
            print(f"{to or path}: set-up cell written")


if __name__ == "__main__":
    main()
