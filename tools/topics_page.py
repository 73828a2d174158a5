"""Write the page "Where each topic is taught" from the list of topics.

    python tools/topics_page.py

Reads book/appendix/topics.yml and the headings of the pages that it names, and writes
book/appendix/topics.md.
"""

import posixpath
import re
from functools import cache

import yaml
from myst_parser.mdit_to_docutils.base import default_slugify
from notebook_rules import markdown_text, without_code
from notebooks import ROOT, read, source_of

LIST = ROOT / "book/appendix/topics.yml"
PAGE = ROOT / "book/appendix/topics.md"
TOP = """\
# Where each topic is taught

If you look for one topic, or come from an article that names it, this page leads to
the heading under which the book teaches it. *Not yet* marks what no page teaches so
far. The [glossary](../glossary.md) gives short meanings of the words, and the
[notation](../notation.md) explains the symbols.
"""
FOLKLORE = """\
These statements and listings are often met, and all of them are wrong. The headings
lead to the right form. The page of [wrong listings](listings.ipynb) runs what is merely
broken; an idea that a careful reader may hold is tested in a chapter.
"""


def read_topics() -> dict[str, list[dict]]:
    """From each area to its topics, as the list has them."""
    return yaml.safe_load(LIST.read_text(encoding="utf-8"))


def places(entry: dict) -> list[tuple[str, str]]:
    """Page of `_toc.yml` and heading, for each place that teaches a topic."""
    return [
        (f"book/{page}", heading)
        for page, heading in entry.items()
        if page not in ("number", "topic", "open")
    ]


@cache
def page_text(page: str) -> str:
    """All Markdown of a page but its code."""
    path = source_of(page)
    if path.suffix == ".md":
        return without_code(path.read_text(encoding="utf-8"))
    return markdown_text(read(path))


def headings(page: str) -> list[str]:
    """The page's title and the headings that have an anchor, in order."""
    return re.findall(r"^#{1,3} (.+?) *$", page_text(page), re.MULTILINE)


def link(page: str, heading: str) -> str:
    """A link from the page of topics to a heading, with the title of its page.

    Raises: ValueError if the page does not have the heading exactly once.
    """
    found = headings(page)
    if found.count(heading) != 1:
        raise ValueError(
            f"{page} has the heading {heading!r} {found.count(heading)} times; in "
            f"{LIST.name}, name one of {found}."
        )
    file = posixpath.relpath(source_of(page).relative_to(ROOT), "book/appendix")
    return f"[{heading}]({file}#{default_slugify(heading)}) (*{found[0]}*)"


def row(entry: dict) -> str:
    """One topic as a line of a table."""
    where = "; ".join(link(*place) for place in places(entry)) or "*not yet*"
    number = f" {entry['number']} |" if "number" in entry else ""
    return f"|{number} {entry['topic']} | {where} |"


def page_of_topics() -> str:
    """The Markdown of the whole page."""
    parts = [TOP]
    for area, entries in read_topics().items():
        head = ["| topic | where |", "|---|---|"]
        if area == "Folklore":
            parts.append(f"## {area}\n\n{FOLKLORE}")
            head = ["| number | claim | where |", "|---|---|---|"]
        else:
            parts.append(f"## {area}\n")
        parts.append("\n".join([*head, *map(row, entries)]) + "\n")
    return "\n".join(parts)


def main() -> None:
    # Here, because it imports torch, which those who only read need not wait for.
    from companion.runtime import save_file

    text = page_of_topics()
    save_file(PAGE, lambda temporary: temporary.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main()
