"""Compare what a run of the notebooks recorded with what their pages promise.

    python tools/compare_records.py FOLDER [NOTEBOOK ...]

FOLDER is where `record` left the run's numbers (COMPANION_RECORDS). With the full
data each number must be near the stored one; with either data it must lie in its
band of book/bands.yml.
"""

import json
import sys
from pathlib import Path

import yaml
from notebooks import ROOT, code_cells, notebooks, read

MIME = "application/vnd.companion.record+json"

Bands = dict[str, dict]


def stored_record(notebook: dict) -> dict | None:
    """The {chapter, values} that a notebook's last `record` stored, if it has one."""
    records = [
        output["data"][MIME]
        for cell in code_cells(notebook)
        for output in cell["outputs"]
        if MIME in output.get("data", {})
    ]
    return records[-1] if records else None


def read_bands() -> dict[str, Bands]:
    return yaml.safe_load((ROOT / "book/bands.yml").read_text(encoding="utf-8"))


def problems(
    stored: dict[str, float], run: dict[str, float], bands: Bands, data: str
) -> list[str]:
    """What is wrong with a run's numbers, one line each; none if all is well.

    `data` is "full" or "embedded"; only with the full data, which the stored numbers
    were made with, must the two be near each other.
    """
    if not set(stored) == set(run) == set(bands):
        return [
            f"the names differ: stored {sorted(stored)}, run {sorted(run)}, "
            f"book/bands.yml {sorted(bands)}"
        ]
    found = []
    for name, value in run.items():
        low, high = bands[name][data]
        if not low <= value <= high:
            found.append(f"{name} is {value:.5g}, outside [{low}, {high}] ({data})")
        tolerance = bands[name]["tolerance"]
        if data == "full" and not abs(value - stored[name]) <= tolerance:
            found.append(
                f"{name} is {value:.5g}, stored {stored[name]:.5g}: they differ by "
                f"more than {tolerance}"
            )
    return found


def main(folder: Path, paths: list[Path]) -> int:
    # Here, because it imports torch, which `problems` does not need.
    from companion.data import digits

    data = "full" if digits().full else "embedded"
    all_bands = read_bands()
    wrong = 0
    print(f"{'number':<44}{'stored':>12}{'this run':>12}   {data} data")
    for path in paths:
        record = stored_record(read(path))
        if record is None:
            print(f"WRONG {path}: it records nothing; end it with record(...).")
            wrong += 1
            continue
        chapter, stored = record["chapter"], record["values"]
        file = folder / f"{chapter}.json"
        if not file.exists():
            print(f"WRONG {chapter}: this run left no {file}.")
            wrong += 1
            continue
        run = json.loads(file.read_text(encoding="utf-8"))["values"]
        for name in sorted(stored.keys() & run.keys()):
            label = f"{chapter} {name}"
            print(f"{label:<44}{stored[name]:>12.5g}{run[name]:>12.5g}")
        for problem in problems(stored, run, all_bands.get(chapter, {}), data):
            print(f"WRONG {chapter}: {problem}")
            wrong += 1
    print(f"{wrong} wrong" if wrong else "All recorded numbers are as promised.")
    return 1 if wrong else 0


if __name__ == "__main__":
    names = sys.argv[2:]
    sys.exit(main(Path(sys.argv[1]), [Path(n) for n in names] or notebooks()))
