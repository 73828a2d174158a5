"""What every notebook of the book keeps to, as functions from a notebook to problems.

Each rule takes a notebook and yields one line for each thing that is wrong.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from compare_records import stored_record
from fingerprint import fingerprint
from notebooks import code_cells, repository, tags
from setup_cells import setup_cell

MAX_COLUMNS = 72
MAX_CELL_LINES = 15
MAX_DEF_LINES = 10
MIN_EXERCISES = 4
MAX_NOTEBOOK_BYTES = 1_500_000
MAX_ANIMATION_BYTES = 500_000
STAMP = {"torch", "python", "device", "threads", "data", "seconds", "date"}
HEADINGS = ("Exercises", "The three things", "Further reading")
DEFS = (ast.FunctionDef, ast.AsyncFunctionDef)

Rule = Callable[[dict], Iterator[str]]


def stamped_and_fresh(notebook: dict) -> Iterator[str]:
    stamp = notebook["metadata"].get("companion", {})
    if missing := (STAMP | {"fingerprint"}) - stamp.keys():
        yield f"the stamp lacks {sorted(missing)}: run tools/execute.py"
        return
    if stamp["data"] != "full":
        yield f"its outputs were made with {stamp['data']} data, not the full data"
    if stamp["fingerprint"] != fingerprint(notebook):
        yield "its code or the companion's has changed since: run tools/execute.py"


def ran_from_top_to_bottom(notebook: dict) -> Iterator[str]:
    for number, cell in enumerate(code_cells(notebook), 1):
        if cell["execution_count"] != number:
            yield f"code cell {number} has the count {cell['execution_count']}"


def clean_outputs(notebook: dict) -> Iterator[str]:
    for number, cell in enumerate(code_cells(notebook), 1):
        for output in cell["outputs"]:
            where = f"code cell {number}"
            if output["output_type"] == "error":
                yield f"{where} stored an error, {output['ename']}"
            if output.get("name") == "stderr":
                yield f"{where} wrote to standard error: {output['text'][:80]!r}"
            if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
                yield f"{where} shows a widget, which a page cannot"
            text = _text(output)
            if re.search(r"\b\w*Warning: ", text):
                yield f"{where} printed a warning"
            if "\r" in text:
                yield f"{where} stored a carriage return"
            if match := re.search(r"(?<![\w.:/])/(home|root|tmp|Users|work)/\S*", text):
                yield f"{where} printed a path of one machine, {match[0]}"


def generated_setup_cell(notebook: dict) -> Iterator[str]:
    cells = code_cells(notebook)
    if not cells or "setup" not in tags(cells[0]):
        yield "the first code cell lacks the tag 'setup'"
    elif cells[0]["source"] != setup_cell(repository()):
        yield "the set-up cell is not the generated one: run `make setup-cells`"


def short_code(notebook: dict) -> Iterator[str]:
    for number, cell in enumerate(code_cells(notebook), 1):
        if "setup" in tags(cell):
            continue  # generated: a long address may stand in it
        lines = cell["source"].splitlines()
        written = [ln for ln in lines if ln.strip() and not ln.startswith("#@title")]
        if len(written) > MAX_CELL_LINES:
            yield f"code cell {number} has {len(written)} lines"
        for line in lines:
            if len(line) > MAX_COLUMNS:
                yield f"code cell {number} has a line of {len(line)} columns: {line}"
        for node in ast.walk(_tree(cell)):
            if isinstance(node, DEFS):
                length = node.end_lineno - node.lineno + 1
                if length > MAX_DEF_LINES:
                    yield f"{node.name} has {length} lines"


def exercises_with_solutions(notebook: dict) -> Iterator[str]:
    asked = [
        int(number)
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
        for number in re.findall(
            r"^### Exercise (\d+): \S", cell["source"], re.MULTILINE
        )
    ]
    if asked != list(range(1, len(asked) + 1)):
        yield f"the exercises are numbered {asked}"
    if len(asked) < MIN_EXERCISES:
        yield f"it has {len(asked)} exercises"
    solved = []
    for cell in code_cells(notebook):
        if match := re.match(r"#@title Solution (\d+)\n", cell["source"]):
            solved.append(int(match[1]))
            metadata = cell["metadata"]
            hidden = metadata.get("jupyter", {}).get("source_hidden") is True
            form = metadata.get("cellView") == "form"
            if not (hidden and form and {"solution", "hide-cell"} <= set(tags(cell))):
                yield f"solution {match[1]} is not hidden in Jupyter, Colab and book"
        elif "solution" in tags(cell):
            yield "a solution does not begin with '#@title Solution <number>'"
    if solved != asked:
        yield f"the exercises are {asked}, the solutions {solved}"


def described_figures(notebook: dict) -> Iterator[str]:
    for number, cell in enumerate(code_cells(notebook), 1):
        images = [output for output in cell["outputs"] if _is_image(output)]
        for output in cell["outputs"]:
            html = "".join(output.get("data", {}).get("text/html", ""))
            if re.search(r"<img(?![^>]*\balt=\"[^\"]+\")", html):
                yield f"code cell {number} shows an image in HTML without alt text"
        if not images:
            continue
        settings = cell["metadata"].get("mystnb", {})
        alt = settings.get("image", {}).get("alt", "")
        figure = settings.get("figure", {})
        if len(images) > 1:
            yield f"code cell {number} shows {len(images)} images; one has a caption"
        if len(alt) < 20:
            yield f"code cell {number}: no alt text that says what is seen"
        if not figure.get("caption") or not figure.get("name"):
            yield f"code cell {number}: its figure lacks a caption or a name"
        elif _words(figure["caption"]) == _words(alt):
            yield f"code cell {number}: the alt text repeats the caption"


def small_enough(notebook: dict) -> Iterator[str]:
    size = len(json.dumps(notebook, indent=1, ensure_ascii=False).encode())
    if size > MAX_NOTEBOOK_BYTES:
        yield f"it has {size} bytes"
    for number, cell in enumerate(code_cells(notebook), 1):
        for output in cell["outputs"]:
            for kind, data in output.get("data", {}).items():
                moving = kind in ("image/gif", "image/webp")
                if moving and len(data) * 3 / 4 > MAX_ANIMATION_BYTES:
                    yield f"the animation of code cell {number} has {len(data)} bytes"


def numbered_equations(notebook: dict) -> Iterator[str]:
    text = markdown_text(notebook)
    numbers = [int(n) for n in re.findall(r"\\tag\{(\d+)\}", text)]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"the equations are numbered {numbers}"
    if others := set(re.findall(r"\\tag\*?\{(?!\d+\})[^}]*\}", text)):
        yield f"these equation tags are not numbers: {others}"
    for label, number in re.findall(r"\[([^\]]*)\]\(#eq-([\w-]+)\)", text):
        if number not in map(str, numbers):
            yield f"the link {label} leads to no equation"


def title_and_record(notebook: dict) -> Iterator[str]:
    text = markdown_text(notebook)
    if not text.startswith("# "):
        yield "it does not begin with its title"
    if len(re.findall(r"^# ", text, re.MULTILINE)) != 1:
        yield "it must have one title of the first level"
    if not re.search(r"^record\(", code_cells(notebook)[-1]["source"], re.MULTILINE):
        yield "its last code cell is not record(...)"
    elif stored_record(notebook) is None:
        yield "its last code cell stored no record"


def usual_parts(notebook: dict) -> Iterator[str]:
    yield from title_and_record(notebook)
    text = markdown_text(notebook)
    for heading in HEADINGS:
        if not re.search(rf"^## {heading}$", text, re.MULTILINE):
            yield f"it lacks the heading '## {heading}'"


# Readers look things up in the appendix: its pages need no exercises and no summary.
SHARED_RULES: list[Rule] = [
    stamped_and_fresh,
    ran_from_top_to_bottom,
    clean_outputs,
    generated_setup_cell,
    short_code,
    described_figures,
    small_enough,
    numbered_equations,
]
APPENDIX_RULES: list[Rule] = [*SHARED_RULES, title_and_record]
RULES: list[Rule] = [*SHARED_RULES, exercises_with_solutions, usual_parts]


def rules_for(path: Path) -> list[Rule]:
    """The rules that a notebook keeps to: those of chapters, or of pages that show."""
    teaches = path.parent.name != "appendix" and path.stem != "gallery"
    return RULES if teaches else APPENDIX_RULES


def markdown_text(notebook: dict) -> str:
    """All Markdown of a notebook but its code."""
    cells = [c["source"] for c in notebook["cells"] if c["cell_type"] == "markdown"]
    return without_code("\n\n".join(cells))


def without_code(text: str) -> str:
    """Markdown without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def defined_names(notebook: dict) -> list[str]:
    """The functions and classes that a notebook defines at its top level."""
    return [
        node.name
        for cell in code_cells(notebook)
        for node in _tree(cell).body
        if isinstance(node, (*DEFS, ast.ClassDef))
    ]


def alt_texts(notebook: dict) -> list[str]:
    return [
        cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
        for cell in code_cells(notebook)
        if any(_is_image(output) for output in cell["outputs"])
    ]


def _tree(cell: dict) -> ast.Module:
    lines = cell["source"].splitlines()
    return ast.parse(
        "\n".join(re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in lines)
    )


def _is_image(output: dict) -> bool:
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def _text(output: dict) -> str:
    data = output.get("data", {})
    parts = [
        output.get("text", ""),
        data.get("text/plain", ""),
        data.get("text/html", ""),
    ]
    return "\n".join("".join(part) for part in parts)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
