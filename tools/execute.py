"""Execute notebooks, each in its own folder, and store what they print.

    python tools/execute.py [--embedded-ok] [NOTEBOOK ...]

Without arguments: every notebook of `_toc.yml`. A notebook that fails, warns or
writes to standard error is left as it was.
"""

import argparse
import json
import os
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import nbformat
from fingerprint import fingerprint
from nbclient import NotebookClient
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from notebooks import ROOT, code_cells, notebooks, read, write
from processes import SIDE_BY_SIDE

TIMEOUT = 1200  # seconds for one cell
# Asked of the kernel that ran the notebook, after its last cell.
PROBE = """\
import json as _json, platform as _platform, torch as _torch
from companion.data import digits as _digits
from companion.runtime import setup as _setup
_stamp = {
    "torch": str(_torch.__version__).split("+")[0],
    "python": _platform.python_version(),
    "device": str(_setup()),
    "threads": _torch.get_num_threads(),
    "data": "full" if _digits().full else "embedded",
}
print()
print(_json.dumps(_stamp))
"""


class NotebookFailed(Exception):
    """A notebook raised, warned or wrote to standard error."""


def execute(path: Path, *, embedded_ok: bool = False) -> dict:
    """Run one notebook, store its outputs, and return its stamp.

    Raises: NotebookFailed if a cell fails or writes to standard error, or if it ran
        without the full data and `embedded_ok` is not set.
    """
    notebook = read(path)
    _clean_metadata(notebook)
    stamp = _run(notebook, path)
    if stamp["data"] != "full" and not embedded_ok:
        raise NotebookFailed(
            f"{path}: ran without the full data, so its outputs are not stored. "
            "Set COMPANION_DATA to the folder of the full data, or pass --embedded-ok."
        )
    notebook["metadata"]["companion"] = stamp
    write(path, notebook)
    return stamp


def _run(notebook: nbformat.NotebookNode, path: Path) -> dict:
    """Execute the cells in place, on one thread; return the stamp."""
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    with client.setup_kernel(env=os.environ | SIDE_BY_SIDE):
        start = time.perf_counter()
        for index, cell in enumerate(list(notebook["cells"])):
            try:
                client.execute_cell(cell, index)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                raise NotebookFailed(f"{path}, cell {index}:\n{error}") from error
        seconds = time.perf_counter() - start
        for cell in code_cells(notebook):
            cell["outputs"] = _clean_outputs(cell["outputs"])
            _refuse_stderr(cell, path)
        probe = nbformat.v4.new_code_cell(PROBE)
        notebook["cells"].append(probe)
        client.execute_cell(probe, len(notebook["cells"]) - 1)
        notebook["cells"].pop()
    printed = "".join(output.get("text", "") for output in probe["outputs"])
    return json.loads(printed.splitlines()[-1]) | {
        "seconds": round(seconds),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "fingerprint": fingerprint(notebook),
    }


def _clean_metadata(notebook: nbformat.NotebookNode) -> None:
    """Leave in the notebook only what its readers and the book need."""
    notebook["metadata"] = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python", "file_extension": ".py"},
        }
    )
    for cell in notebook["cells"]:
        for name in ("execution", "lines_to_next_cell", "collapsed", "scrolled"):
            cell["metadata"].pop(name, None)


def _clean_outputs(outputs: list[dict]) -> list[dict]:
    """Join the pieces of each stream and keep the last state of its progress bars."""
    cleaned: list[dict] = []
    for output in outputs:
        same_stream = (
            cleaned
            and output["output_type"] == cleaned[-1]["output_type"] == "stream"
            and output["name"] == cleaned[-1]["name"]
        )
        if same_stream:
            cleaned[-1]["text"] += output["text"]
        else:
            cleaned.append(output)
    for output in cleaned:
        if output["output_type"] == "stream":
            output["text"] = collapse_returns(output["text"])
    return [output for output in cleaned if output.get("text") != ""]


def collapse_returns(text: str) -> str:
    r"""Each line as a terminal leaves it: only what follows its last "\r".

    A line that ends in returns keeps the last text before them.
    """
    return "\n".join(
        line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n")
    )


def _refuse_stderr(cell: dict, path: Path) -> None:
    for output in cell["outputs"]:
        if output.get("name") == "stderr":
            raise NotebookFailed(
                f"{path}: a cell wrote to standard error (warnings go there):\n"
                f"{cell['source']}\n---\n{output['text']}"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument(
        "--embedded-ok",
        action="store_true",
        help="store the outputs of a run without the full data too",
    )
    arguments = parser.parse_args()
    failures = 0
    for path in arguments.notebooks or notebooks():
        path = path.resolve()
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        try:
            stamp = execute(path, embedded_ok=arguments.embedded_ok)
        except NotebookFailed as error:
            print(f"FAILED {error}", file=sys.stderr)
            failures += 1
        else:
            print(f"{name}: {stamp['seconds']} s, {stamp['data']} data")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
