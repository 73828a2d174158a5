"""Write the set-up cell of every notebook according to `_config.yml`.

    python tools/setup_cells.py [NOTEBOOK ...]

While the repository's address has the placeholder owner, the cell names the local
remedy; once it is real, the cell installs the companion where it is missing.
"""

import sys
from pathlib import Path

from notebooks import (
    code_cells,
    is_placeholder,
    notebooks,
    read,
    repository_url,
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
    %pip install -q "learning-to-draw @ git+{url}"
from companion.runtime import setup
device = setup(seed=0)"""


def setup_cell(url: str) -> str:
    """The text of the set-up cell for a repository's address."""
    return LOCAL if is_placeholder(url) else INSTALLING.format(url=url)


def write_setup_cell(path: Path, url: str) -> bool:
    """Write one notebook's set-up cell; return whether that changed it.

    Raises: ValueError if the first code cell is not tagged "setup".
    """
    notebook = read(path)
    cells = code_cells(notebook)
    if not cells or "setup" not in tags(cells[0]):
        raise ValueError(
            f"{path}: the first code cell must have the tag 'setup'; add it, with any "
            "text, and run tools/setup_cells.py again."
        )
    if cells[0]["source"] == setup_cell(url):
        return False
    cells[0]["source"] = setup_cell(url)
    write(path, notebook)
    return True


def main() -> None:
    url = repository_url()
    for path in [Path(name) for name in sys.argv[1:]] or notebooks():
        if write_setup_cell(path, url):
            print(f"{path}: set-up cell written")


if __name__ == "__main__":
    main()
