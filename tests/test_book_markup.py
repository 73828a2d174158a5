"""From the plain Markdown of the notebooks to the markup of the book."""

import pytest
from book_pages import citation_keys, markdown
from book_pages.cells import RECORD, stamp, to_book

CITATIONS = {"https://doi.org/10.1/a(1)": "ada1843"}
PAGE = "book/cnn/training"


def test_quotes_with_a_title_become_boxes():
    quote = "> **Folklore 22.** A claim,\n> in $x$.\n>\n> ```python\n> x\n> ```"
    assert markdown.boxes(f"Before.\n\n{quote}\n\nAfter.") == (
        "Before.\n\n::::{admonition} Folklore 22\n:class: folklore\n\n"
        "A claim,\nin $x$.\n\n```python\nx\n```\n::::\n\nAfter."
    )


@pytest.mark.parametrize("kind", markdown.BOX_KINDS)
def test_each_kind_of_box_has_its_class(kind):
    box = markdown.boxes(f"> **{kind}: a title\n> of two lines.** Text")
    assert f"{{admonition}} {kind}: a title of two lines\n" in box
    assert f":class: {kind.lower()}\n" in box


@pytest.mark.parametrize(
    "text", ["> An ordinary quote.", "> **Bold.** Not a box.", "a > **Note.** b", ""]
)
def test_other_quotes_stay_as_they_are(text):
    assert markdown.boxes(text) == text


def test_links_to_cited_works_lead_to_the_bibliography():
    text = "[Ada (1843)](https://doi.org/10.1/a(1)), [site](https://example.org)"
    assert markdown.cite(text, PAGE, CITATIONS) == (
        '<a class="citation" href="../bibliography.html#cite-ada1843">Ada (1843)</a>, '
        "[site](https://example.org)"
    )


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("[(1)](#eq-1)", 'class="equation-link" href="#eq-1">(1)<'),
        ("[(2)](../cnn/a.ipynb#eq-2)", 'href="../cnn/a.html#eq-2">(2)<'),
        ("[code](../glossary.md#term-code)", 'href="../glossary.html#term-code">code<'),
    ],
)
def test_links_to_equations_and_terms_lead_to_their_anchors(link, target):
    assert target in markdown.link_anchors(link)


@pytest.mark.parametrize(
    "text", ["[a](b.md)", "[a](#fig-x)", "![a](x.png#eq-1)", "[a](https://x.org/#eqs)"]
)
def test_other_links_stay_as_they_are(text):
    assert markdown.link_anchors(text) == text


def test_code_is_left_alone():
    text = "`[(1)](#eq-1)`\n\n```\n[(1)](#eq-1)\n```\n\n``a ` [(1)](#eq-1)``"
    assert markdown.to_book(text, PAGE, CITATIONS) == text


def test_equation_tags_are_found():
    assert markdown.equation_tags(r"a \tag{1} \\ b \tag{12}") == ["1", "12"]


def test_bibliography_is_read_by_address(tmp_path):
    file = tmp_path / "references.bib"
    file.write_text("@misc{a, title={A}, url={https://x.org/a/}}\n")
    assert citation_keys([file]) == {"https://x.org/a": "a"}
    file.write_text(file.read_text() + "@misc{b, title={B}, url={https://x.org/a}}\n")
    with pytest.raises(ValueError, match="one url"):
        citation_keys([file])


def notebook():
    run = {
        "date": "2026-11-05",
        "torch": "2.15.0",
        "device": "cpu",
        "threads": 2,
        "data": "full",
        "seconds": 41,
    }
    code = {"cell_type": "code", "metadata": {}}
    return {
        "metadata": {"companion": run},
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "Text"]},
            {**code, "source": "#@title Solution 2\nassert x", "outputs": []},
            {**code, "source": "record()", "outputs": [{"data": {RECORD: {}}}]},
        ],
    }


def test_stamp_says_with_what_a_page_was_run():
    line = (
        "Run on 5 November 2026 with PyTorch 2.15.0 on the CPU, 2 threads, "
        "full data, 41 s."
    )
    assert stamp(notebook()["metadata"]) == line
    assert stamp({}) is None
    title = to_book(notebook(), str.upper)["cells"][0]["source"]
    assert title == f'# TITLE\n\n<p class="stamp">{line}</p>\n\nTEXT'


def test_solutions_and_records_are_made_ready_for_the_page():
    _, solution, record = to_book(notebook(), str)["cells"]
    assert solution["source"] == "assert x"
    assert solution["metadata"]["mystnb"]["code_prompt_show"] == "Show solution 2"
    assert record["outputs"] == [{"data": {}}]
