"""Run targets of the Makefile, one after another, and print how long each took.

    python tools/stages.py MAKE TARGET [TARGET ...]

MAKE is the program. The first target that fails is the last that runs.
"""

import subprocess
import sys
import time

Row = tuple[str, float, str]


def run(make: str, targets: list[str]) -> tuple[list[Row], int]:
    """Run the targets; return (target, seconds, remark) for each, and the status."""
    rows: list[Row] = []
    status = 0
    for target in targets:
        start = time.monotonic()
        if status == 0:
            # With its files closed, the inner make would lose the outer's job server.
            status = subprocess.run([make, target], close_fds=False).returncode
            rows.append((target, time.monotonic() - start, "FAILED" if status else ""))
        else:
            rows.append((target, 0, "not run"))
    return rows, status


def table(rows: list[Row]) -> str:
    rows = [*rows, ("all", sum(seconds for _, seconds, _ in rows), "")]
    lines = [f"{name:<14}{seconds:>8.0f}  {remark}" for name, seconds, remark in rows]
    return "\n".join(line.rstrip() for line in [f"{'stage':<14} seconds", *lines])


if __name__ == "__main__":
    rows, status = run(sys.argv[1], sys.argv[2:])
    print(f"\n{table(rows)}", flush=True)
    sys.exit(status)
