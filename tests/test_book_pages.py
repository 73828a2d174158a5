"""The built pages, read from `_build/html`; `make book` makes them."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from notebooks import ROOT, is_placeholder, pages, repository, source_of

HTML = ROOT / "_build/html"
PAGES = pages()
NOTEBOOK_PAGES = [page for page in PAGES if source_of(page).suffix == ".ipynb"]
# Where an address makes the browser load something.
LOADS = {
    "script": ["src"],
    "img": ["src", "srcset"],
    "iframe": ["src"],
    "source": ["src", "srcset"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "embed": ["src"],
    "object": ["data"],
    "use": ["href"],
}
LOADING_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "modulepreload",
    "prefetch",
    "manifest",
}
FOREIGN = re.compile(r"(https?:)?//\w")


@cache
def soup(path: Path) -> BeautifulSoup:
    assert path.exists(), f"{path} is missing: run `make book` first."
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def built(page: str) -> BeautifulSoup:
    return soup(HTML / f"{page}.html")


def article(page: str):
    return built(page).find("article")


@cache
def anchors(path: Path) -> set[str]:
    tree = soup(path)
    named = {tag["name"] for tag in tree.find_all("a", attrs={"name": True})}
    return named | {tag["id"] for tag in tree.find_all(id=True)}


def loaded(tree: BeautifulSoup) -> list[str]:
    """Every address that opening a page loads."""
    found = [
        tag[attribute]
        for name, attributes in LOADS.items()
        for tag in tree.find_all(name)
        for attribute in attributes
        if tag.has_attr(attribute)
    ]
    for link in tree.find_all("link", href=True):
        if LOADING_LINKS & set(link.get("rel", [])):
            found.append(link["href"])
    styles = [tag.string or "" for tag in tree.find_all("style")]
    styles += [tag["style"] for tag in tree.find_all(style=True)]
    return found + re.findall(r"url\(['\"]?([^'\")]+)", " ".join(styles))


def dead_links(path: Path, tree: BeautifulSoup) -> list[str]:
    """The links of a page that lead to no file or no anchor of the book."""
    dead = []
    for tag in tree.find_all("a", href=True):
        address = urlsplit(tag["href"])
        if address.scheme or address.netloc:
            continue
        target = (
            (path.parent / unquote(address.path)).resolve() if address.path else path
        )
        if not target.is_file():
            dead.append(tag["href"])
        elif address.fragment and target.suffix == ".html":
            if unquote(address.fragment) not in anchors(target):
                dead.append(tag["href"])
    return dead


def test_pages_are_newer_than_their_sources():
    for page in PAGES:
        assert (HTML / f"{page}.html").stat().st_mtime > source_of(
            page
        ).stat().st_mtime, f"{page} changed after the book was built: run `make book`."


@pytest.mark.parametrize("page", [*PAGES, "search", "genindex", "index"])
def test_page_loads_nothing_from_another_host(page):
    assert [address for address in loaded(built(page)) if FOREIGN.match(address)] == []


@pytest.mark.parametrize("page", [*PAGES, "search", "genindex"])
def test_page_forbids_the_browser_to_load_from_another_host(page):
    policy = built(page).find("meta", attrs={"http-equiv": "Content-Security-Policy"})
    assert "default-src 'self' file:" in policy["content"]
    assert "http" not in policy["content"]


def test_styles_load_nothing_from_another_host():
    for path in HTML.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        loads = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s]+)", text)
        assert [address for address in loads if FOREIGN.match(address)] == [], path


@pytest.mark.parametrize("page", PAGES)
def test_page_has_a_language_and_one_title(page):
    assert built(page).html["lang"] == "en"
    assert len(article(page).find_all("h1")) == 1


@pytest.mark.parametrize("page", PAGES)
def test_images_have_alt_texts_and_exist(page):
    for image in article(page).find_all("img"):
        alt = image.get("alt", "")
        assert len(alt) >= 20 and "_images/" not in alt, image.get("src")
    for image in built(page).find_all("img"):
        assert image.has_attr("alt")
        if not image["src"].startswith("data:"):
            assert ((HTML / page).parent / image["src"]).exists()


def test_alt_texts_are_unique():
    texts = [i["alt"] for page in PAGES for i in article(page).find_all("img")]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    assert dead_links(HTML / f"{page}.html", built(page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_anchors_are_unique(page):
    names = [tag["id"] for tag in built(page).find_all(id=True)]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("page", PAGES)
def test_figures_are_numbered(page):
    for figure in article(page).find_all("figure"):
        number = figure.find("span", class_="caption-number")
        assert number and re.match(r"Figure \d+(\.\d+)* ", number.text), figure.get(
            "id"
        )


def test_figure_numbers_are_unique():
    numbers = [
        number.text
        for page in PAGES
        for number in article(page).find_all("span", class_="caption-number")
        if page.count("/") == 2  # of the numbered chapters
    ]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("page", NOTEBOOK_PAGES)
def test_notebook_pages_show_their_stamp_and_offer_the_notebook(page):
    (line,) = article(page).find_all("p", class_="stamp")
    assert re.fullmatch(
        r"Run on \d+ \w+ \d{4} with PyTorch [\d.]+ on (the CPU|an? .*GPU), "
        r"\d+ threads?, full data, \d+ s\.",
        line.text,
    )
    names = [link["href"] for link in built(page).find_all("a", href=True)]
    assert any(name.endswith(f"_sources/{page}.ipynb") for name in names)


@pytest.mark.parametrize("page", PAGES)
def test_pages_lead_to_where_errors_are_reported(page):
    (line,) = built(page).find_all("p", class_="report-error")
    local = is_placeholder(repository().url)
    assert ("errors.html" in line.a["href"]) == local
    assert (f"{repository().url}/issues" in line.a["href"]) != local


@pytest.mark.parametrize("page", PAGES)
def test_launch_buttons_are_shown_only_for_a_real_repository(page):
    hosts = {urlsplit(a["href"]).netloc for a in built(page).find_all("a", href=True)}
    shown = bool(hosts & {"colab.research.google.com", "mybinder.org"})
    expected = page in NOTEBOOK_PAGES and not is_placeholder(repository().url)
    assert shown == expected


@pytest.mark.parametrize("page", PAGES)
def test_no_markup_is_left_in_the_text(page):
    text = BeautifulSoup(str(article(page)), "html.parser")
    for tag in text.find_all(["pre", "code", "script", "style"]):
        tag.decompose()
    for tag in text.find_all(class_="math"):
        tag.decompose()
    words = text.get_text()
    for mark in (":::", "{admonition}", "**", "](", "$$", "\\tag", "> **", "[@"):
        assert mark not in words, words[max(0, words.find(mark) - 40) :][:80]


def test_every_kind_of_fault_is_noticed(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(
        '<link rel="stylesheet" href="https://cdn.x/a.css"><script src="//cdn.x/b.js">'
        '</script><p style="background: url(http://x/c)"></p><img src="http://x/d">'
        '<a href="#none">a</a><a href="none.html">b</a><a href="#here" id="here">c</a>'
    )
    foreign = [address for address in loaded(soup(path)) if FOREIGN.match(address)]
    assert len(foreign) == 4
    assert dead_links(path, soup(path)) == ["#none", "none.html"]
