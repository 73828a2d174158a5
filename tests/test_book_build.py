"""A small book, built as the real one is, for an address with a real owner."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebooks import ROOT, Repository, write
from setup_cells import setup_cell

URL = "https://github.com/ada/learning-to-draw"
BRANCH = "colab"
CHAPTER = r"""# Chapter

A definition:

$$
\begin{aligned} a &= b \\ &= c \end{aligned} \tag{1}
$$

See [(1)](#eq-1) and [Ada (1843)](https://doi.org/10.1000/ada).

> **Folklore 7.** A claim, with $x$.
>
> Its right form.
"""
FILES = {
    "book/index.md": "# A book\n\n[The chapter](chapter.ipynb)\n",
    "book/errors.md": "# Errors\n\nTell us.\n",
    "book/bibliography.md": "# Bibliography\n\n```{bibliography}\n:all:\n```\n",
    "book/references.bib": "@misc{ada1843, author={Ada}, title={Notes}, year={1843}, "
    "url={https://doi.org/10.1000/ada}}\n",
}


def make_book(folder: Path) -> None:
    (folder / "book").mkdir()
    (folder / "tools").symlink_to(ROOT / "tools")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copyfile(ROOT / "_config.yml", folder / "_config.yml")
    pages = [{"file": f"book/{n}"} for n in ("chapter", "errors", "bibliography")]
    toc = {"format": "jb-book", "root": "book/index", "chapters": pages}
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    cells = [
        new_markdown_cell(CHAPTER),
        new_code_cell(setup_cell(Repository(URL, BRANCH))),
        new_code_cell("#@title Solution 1\nassert 1", metadata={"tags": ["hide-cell"]}),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    write(
        folder / "book/chapter.ipynb",
        new_notebook(cells=cells, metadata={"kernelspec": kernel}),
    )


def build(folder: Path) -> subprocess.CompletedProcess:
    program = shutil.which("jupyter-book", path=str(Path(sys.executable).parent))
    assert program, "jupyter-book is missing: pip install -e '.[book,test]'"
    return subprocess.run(
        [program, "build", ".", "--path-output", ".", "-n", "-W", "--keep-going"],
        cwd=folder,
        env=os.environ | {"BOOK_REPOSITORY": URL, "BOOK_BRANCH": BRANCH},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    make_book(folder)
    run = build(folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "_build/html"


@pytest.fixture(scope="module")
def chapter(html):
    text = (html / "book/chapter.html").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser")


def hrefs(tree):
    return [link["href"] for link in tree.find_all("a", href=True)]


def test_a_real_owner_brings_the_buttons(chapter):
    name = "book/chapter.ipynb"
    colab = "https://colab.research.google.com/github/ada/learning-to-draw/blob"
    binder = "https://mybinder.org/v2/gh/ada/learning-to-draw"
    assert f"{colab}/{BRANCH}/{name}" in hrefs(chapter)
    assert f"{binder}/{BRANCH}?urlpath=lab/tree/{name}" in hrefs(chapter)


def test_errors_are_then_reported_in_the_repository(chapter):
    link = chapter.find("p", class_="report-error").a["href"]
    assert link.startswith(f"{URL}/issues/new?title=")


def test_quotes_are_boxes(chapter):
    box = chapter.find("div", class_="folklore")
    assert box.find("p", class_="admonition-title").text == "Folklore 7"
    assert len(box.find_all("p")) == 3 and box.find("span", class_="math")


def test_equations_have_their_number_and_anchor(chapter):
    equation = chapter.find(id="eq-1")
    assert equation.text.strip().startswith(r"\[\begin{aligned}")
    assert equation.text.endswith(r"\tag{1}\]")
    assert "#eq-1" in hrefs(chapter)


def test_citations_lead_to_the_bibliography(chapter, html):
    assert "bibliography.html#cite-ada1843" in hrefs(chapter)
    assert 'id="cite-ada1843"' in (html / "book/bibliography.html").read_text("utf-8")


def test_solutions_are_behind_a_button(chapter):
    (solution,) = chapter.find_all("details")
    assert "Show solution 1" in solution.summary.text
    assert "#@title" not in solution.text


def test_formulas_need_no_network(html):
    for name in (
        "tex-chtml.js",
        "input/mml.js",
        "output/svg.js",
        "sre/mathmaps/en.json",
    ):
        assert (html / "_static/mathjax" / name).exists()
    assert list(html.glob("_static/mathjax/output/chtml/fonts/woff-v2/*.woff"))


def test_a_warning_fails_the_build(tmp_path):
    make_book(tmp_path)
    (tmp_path / "book/index.md").write_text("# A book\n\n[nowhere](nowhere.ipynb)\n")
    run = build(tmp_path)
    assert run.returncode != 0 and "nowhere" in run.stdout + run.stderr
