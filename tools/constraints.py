"""Print the exact versions that are installed, as the lines of constraints.txt.

    .venv/bin/python tools/constraints.py > constraints.txt

Only what the package and its extras need, and not what belongs to one platform: the
CUDA libraries come with the builds of PyTorch that want them.
"""

from importlib.metadata import distribution, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

NAME = "learning-to-draw"
EXTRAS = ("book", "test")
# Many of the releases need 3.11, so 3.10 takes none of them.
PYTHONS = [f"3.11.{micro}" for micro in range(10)]
PLATFORM = ("nvidia-", "cuda-", "triton")


def needed(name: str = NAME, extras: tuple[str, ...] = EXTRAS) -> set[str]:
    """The names of all packages that one package needs here, at any depth."""
    found: set[str] = set()
    waiting = [(name, frozenset(extras))]
    seen = set(waiting)
    while waiting:
        current, wanted = waiting.pop()
        for text in distribution(current).requires or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and not any(
                marker.evaluate({"extra": extra}) for extra in ("", *wanted)
            ):
                continue
            child = canonicalize_name(requirement.name)
            found.add(child)
            if (entry := (child, frozenset(requirement.extras))) not in seen:
                seen.add(entry)
                waiting.append(entry)
    return {child for child in found if not child.startswith(PLATFORM)}


def line(name: str) -> str:
    """One constraint, for the versions of Python that the release runs on."""
    release = version(name).partition("+")[0]
    supported = distribution(name).metadata.get("Requires-Python") or ""
    oldest = next(v for v in PYTHONS if SpecifierSet(supported).contains(v))
    return f'{name}=={release} ; python_full_version >= "{oldest}"'


if __name__ == "__main__":
    print("# The versions that the printed pages were made and tested with.")
    print("# Made by tools/constraints.py; Python 3.10 takes what pip finds.")
    for package in sorted(needed()):
        print(line(package))
