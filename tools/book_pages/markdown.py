"""From the plain Markdown of the notebooks to the markup of the rendered book.

The chapters keep to Markdown that also reads well in Colab; these functions, from text
to text, turn its fixed patterns into boxes, citations and links.
"""

import posixpath
import re
from collections.abc import Callable, Mapping

BIBLIOGRAPHY = "book/bibliography"
BOX_KINDS = ("Folklore", "Note", "Warning", "Recorded")

_BOX_TITLE = re.compile(rf"\*\*((?:{'|'.join(BOX_KINDS)})\b.*?)\.?\*\*\s*", re.DOTALL)
_CODE = re.compile(
    r"(^[ \t]*(`{3,}|~{3,})[^\n]*\n.*?^[ \t]*\2[`~]*[ \t]*$"  # a fenced block
    r"|(?<!`)(`+)(?!`).+?(?<!`)\3(?!`))",  # code inside a line
    re.DOTALL | re.MULTILINE,
)
_LINK = re.compile(r"(?<!!)\[([^\[\]]+)\]\(((?:[^()\s]|\([^()\s]*\))+)\)")
_ANCHOR = re.compile(r"([\w./-]*?)(?:\.ipynb|\.md)?#((?:eq|term)-[\w-]+)")


def to_book(text: str, page: str, citations: Mapping[str, str]) -> str:
    """The Markdown of one cell or page as the book's builder wants it.

    `page` is the page's path without suffix; `citations` leads from the addresses of
    the bibliography's entries to their keys.
    """
    text = boxes(text)
    text = outside_code(text, lambda part: cite(part, page, citations))
    return outside_code(text, link_anchors)


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Apply `change` to all that is not code."""
    pieces, end = [], 0
    for match in _CODE.finditer(text):
        pieces += [change(text[end : match.start()]), match.group()]
        end = match.end()
    return "".join([*pieces, change(text[end:])])


def boxes(text: str) -> str:
    """Turn quotes that begin with `**Folklore 22.**` or the like into boxes."""
    lines, result = text.split("\n"), []
    while lines:
        quoted = _leading_quote(lines)
        box = _box([line[1:].removeprefix(" ") for line in quoted])
        if box:
            result += box
            del lines[: len(quoted)]
        else:
            count = max(1, len(quoted))
            result += lines[:count]
            del lines[:count]
    return "\n".join(result)


def _leading_quote(lines: list[str]) -> list[str]:
    end = 0
    while end < len(lines) and lines[end].startswith(">"):
        end += 1
    return lines[:end]


def _box(lines: list[str]) -> list[str]:
    """The lines of a box, or none if this quote is an ordinary one."""
    text = "\n".join(lines)
    match = _BOX_TITLE.match(text)
    if match is None:
        return []
    title = " ".join(match[1].split())
    kind = title.split()[0].rstrip(":").lower()
    fence = ":" * 4
    return [
        f"{fence}{{admonition}} {title}",
        f":class: {kind}",
        "",
        *text[match.end() :].split("\n"),
        fence,
    ]


def cite(text: str, page: str, citations: Mapping[str, str]) -> str:
    """Lead links to a cited work to its entry on the bibliography page."""

    def replace(match: re.Match[str]) -> str:
        key = citations.get(match[2].rstrip("/"))
        if key is None:
            return match[0]
        target = posixpath.relpath(BIBLIOGRAPHY, posixpath.dirname(page))
        return f'<a class="citation" href="{target}.html#cite-{key}">{match[1]}</a>'

    return _LINK.sub(replace, text)


def link_anchors(text: str) -> str:
    """Lead links to equations and glossary terms to the anchors of the HTML pages."""

    def replace(match: re.Match[str]) -> str:
        anchor = _ANCHOR.fullmatch(match[2])
        if anchor is None:
            return match[0]
        page = f"{anchor[1]}.html" if anchor[1] else ""
        kind = "equation" if anchor[2].startswith("eq-") else "term"
        return f'<a class="{kind}-link" href="{page}#{anchor[2]}">{match[1]}</a>'

    return _LINK.sub(replace, text)


def equation_tags(tex: str) -> list[str]:
    r"""The numbers n of every `\tag{n}` in a formula."""
    return re.findall(r"\\tag\*?\{([^{}]*)\}", tex)
