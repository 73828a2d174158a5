"""Print notebooks, first those that took longest when their outputs were stored.

    python tools/longest_first.py [NOTEBOOK ...]

Without arguments: every notebook of `_toc.yml`. Workers that take them in this order
end nearly together.
"""

import math
import os
import sys
from pathlib import Path

from notebooks import notebooks, read


def seconds(path: Path) -> float:
    """How long a notebook took; one that never ran may take any time."""
    return read(path)["metadata"].get("companion", {}).get("seconds", math.inf)


if __name__ == "__main__":
    paths = [Path(name) for name in sys.argv[1:]] or notebooks()
    for path in sorted(paths, key=seconds, reverse=True):
        print(os.path.relpath(path))
