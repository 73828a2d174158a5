"""The book's notebooks: which there are, where they live, how they are kept."""

import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
PLACEHOLDER_OWNER = "OWNER"


def settings() -> dict:
    """The book's `_config.yml`."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


class Repository(NamedTuple):
    """Where the book is published: an address and a branch."""

    url: str
    branch: str


def repository(configured: dict | None = None) -> Repository:
    """Where the book is published; the address has no final slash or ".git".

    BOOK_REPOSITORY and BOOK_BRANCH, if set, have precedence over `configured`, the
    "url" and "branch" of _config.yml.

    Raises: ValueError if the address is not like https://github.com/OWNER/NAME.
    """
    configured = configured or settings()["repository"]
    url = os.environ.get("BOOK_REPOSITORY") or configured["url"]
    branch = os.environ.get("BOOK_BRANCH") or configured["branch"]
    url = url.rstrip("/").removesuffix(".git")
    if not re.fullmatch(r"https://[^/\s]+/[^/\s]+/[^/\s]+", url):
        raise ValueError(
            f"The repository's address is {url!r}; in _config.yml or BOOK_REPOSITORY, "
            "give one like https://github.com/OWNER/NAME."
        )
    return Repository(url, branch)


def is_placeholder(url: str) -> bool:
    """Whether the address still has the placeholder in the owner's place."""
    return f"/{PLACEHOLDER_OWNER}/" in url


def pages(toc: dict | None = None) -> list[str]:
    """Every page of `_toc.yml` in reading order, as a path without suffix."""
    if toc is None:
        toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))

    def files(entry: dict) -> list[str]:
        below = [*entry.get("chapters", []), *entry.get("sections", [])]
        for part in entry.get("parts", []):
            below += part["chapters"]
        own = [entry["file"]] if "file" in entry else []
        return own + [name for child in below for name in files(child)]

    return [toc["root"], *files(toc)]


def source_of(page: str) -> Path:
    """The file of a page.

    Raises: FileNotFoundError if there is neither a notebook nor a Markdown file.
    """
    for suffix in (".ipynb", ".md"):
        if (path := ROOT / f"{page}{suffix}").exists():
            return path
    raise FileNotFoundError(
        f"_toc.yml names {page}, but {page}.ipynb and {page}.md are both missing."
    )


def notebooks() -> list[Path]:
    """The notebooks that `_toc.yml` names, in reading order."""
    files = [ROOT / f"{page}.ipynb" for page in pages()]
    return [path for path in files if path.exists()]


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def read(path: str | Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def write(path: str | Path, notebook: nbformat.NotebookNode) -> None:
    """Write a notebook whole or not at all."""
    # Here, because it imports torch, which those who only read need not wait for.
    from companion.runtime import save_file

    _name_cells(notebook)
    nbformat.validate(notebook)
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    save_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _name_cells(notebook: nbformat.NotebookNode) -> None:
    """Give each cell an id made from its text, so that it outlives conversions."""
    seen: dict[str, int] = {}
    for cell in notebook["cells"]:
        digest = hashlib.sha256(cell["source"].encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    notebook["nbformat_minor"] = max(notebook["nbformat_minor"], 5)
