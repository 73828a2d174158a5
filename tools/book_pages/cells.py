"""What the rendered book adds to a notebook, and how it shows its cells."""

import datetime
import re
from collections.abc import Callable

RECORD = "application/vnd.companion.record+json"
SOLUTION = re.compile(r"#@title (Solution \d+)[^\n]*\n?")


def stamp(metadata: dict) -> str | None:
    """One line that says with what a notebook was run, or None if it never was."""
    run = metadata.get("companion")
    if run is None:
        return None
    date = datetime.date.fromisoformat(run["date"])
    where = {"cpu": "the CPU", "cuda": "a GPU", "mps": "an Apple GPU"}[run["device"]]
    threads = f"{run['threads']} thread{'' if run['threads'] == 1 else 's'}"
    return (
        f"Run on {date.day} {date:%B %Y} with PyTorch {run['torch']} on {where}, "
        f"{threads}, {run['data']} data, {run['seconds']} s."
    )


def to_book(notebook: dict, change: Callable[[str], str]) -> dict:
    """Prepare a notebook for the builder, in place; `change` turns its Markdown."""
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cell["source"] = change(cell["source"])
        elif cell["cell_type"] == "code":
            name_solution(cell)
            drop_records(cell)
    line = stamp(notebook["metadata"])
    if line is not None:
        add_stamp(notebook["cells"], line)
    return notebook


def name_solution(cell: dict) -> None:
    """Move Colab's title line of a solution to the button that opens it."""
    match = SOLUTION.match(cell["source"])
    if match:
        cell["source"] = cell["source"][match.end() :]
        prompts = cell["metadata"].setdefault("mystnb", {})
        prompts["code_prompt_show"] = f"Show {match[1].lower()}"
        prompts["code_prompt_hide"] = f"Hide {match[1].lower()}"


def drop_records(cell: dict) -> None:
    """Leave out what `record` stores for the tests; the builder cannot show it."""
    for output in cell["outputs"]:
        output.get("data", {}).pop(RECORD, None)


def add_stamp(cells: list[dict], line: str) -> None:
    """Put the stamp under the page's title."""
    for cell in cells:
        if cell["cell_type"] == "markdown" and cell["source"].startswith("# "):
            title, _, rest = cell["source"].partition("\n")
            cell["source"] = (
                f'{title}\n\n<p class="stamp">{line}</p>\n\n{rest.lstrip()}'
            )
            return
    raise ValueError("the notebook has no Markdown cell that begins with '# Title'")
