"""The book's own Sphinx extension: boxes, citations, equations, stamps, no requests.

Every page works from a folder on disk as it does from a server, and loads nothing
from another host: a content security policy makes the browser see to that.
"""

import json
import posixpath
import shutil
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from docutils import nodes
from notebooks import is_placeholder, repository
from pybtex.database import parse_file
from sphinx.application import Sphinx

from book_pages import cells, markdown

HERE = Path(__file__).parent
ERRORS_PAGE = "book/errors"
POLICY = "; ".join(
    [
        "default-src 'self' file:",
        "script-src 'self' file: 'unsafe-inline'",  # the theme has inline scripts
        "style-src 'self' file: 'unsafe-inline'",
        "img-src 'self' file: data:",
        "font-src 'self' file: data:",
        "connect-src 'self' file:",
        "object-src 'none'",
        "base-uri 'none'",
    ]
)
# What the pages need of MathJax: also the files behind every choice of its menu,
# because a reader's choice is remembered for all books of one host.
MATHJAX_FILES = [
    "tex-chtml.js",
    "output/chtml/fonts/woff-v2/*.woff",
    "output/svg.js",
    "output/svg/fonts/*.js",
    "input/mml.js",
    "input/tex/extensions/*.js",
    "a11y/*.js",
    "sre/mathmaps/base.json",
    "sre/mathmaps/en.json",
]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_css_file("book.css")
    app.add_js_file("book.js")
    app.connect("config-inited", add_static_files, priority=900)
    app.connect("config-inited", name_repository, priority=900)
    app.connect("builder-inited", read_citations)
    app.connect("source-read", rewrite_source)
    app.connect("doctree-read", anchor_equations)
    app.connect("html-page-context", complete_page, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def add_static_files(app: Sphinx, config) -> None:
    # Here and not in _static, all of whose scripts jupyter-book loads on every page.
    config.html_static_path.append(str(HERE / "static"))


def name_repository(app: Sphinx, config) -> None:
    """Lead links to where the book is published, which the environment may say.

    No Colab or Binder button while that address is a placeholder.
    """
    options = config.html_theme_options
    published = repository(
        {"url": options["repository_url"], "branch": options["repository_branch"]}
    )
    options["repository_url"], options["repository_branch"] = published
    if is_placeholder(published.url):
        options["launch_buttons"] = {}


def read_citations(app: Sphinx) -> None:
    app.citation_keys = citation_keys(
        [Path(app.srcdir) / name for name in app.config.bibtex_bibfiles]
    )


def citation_keys(files: list[Path]) -> dict[str, str]:
    """From the address of each entry of the bibliography to its key.

    Raises: ValueError if two entries have one address.
    """
    keys: dict[str, str] = {}
    for file in files:
        for key, entry in parse_file(file, bib_format="bibtex").entries.items():
            url = entry.fields.get("url", "").rstrip("/")
            if url in keys:
                raise ValueError(f"{file}: {keys[url]} and {key} have one url, {url}.")
            if url:
                keys[url] = key
    return keys


def rewrite_source(app: Sphinx, page: str, source: list[str]) -> None:
    def change(text: str) -> str:
        return markdown.to_book(text, page, app.citation_keys)

    if Path(app.env.doc2path(page)).suffix == ".ipynb":
        notebook = cells.to_book(json.loads(source[0]), change)
        source[0] = json.dumps(notebook)
    else:
        source[0] = change(source[0])


def anchor_equations(app: Sphinx, doctree: nodes.document) -> None:
    r"""Hand each formula to MathJax as it stands, with an anchor for each `\tag`.

    Sphinx would wrap a formula of several lines in an environment without tags.
    """
    for node in doctree.findall(nodes.math_block):
        tex = node.astext().strip()
        node["nowrap"] = True
        node["ids"] += [f"eq-{number}" for number in markdown.equation_tags(tex)]
        node.children = [nodes.Text(rf"\[{tex}\]")]


def complete_page(app: Sphinx, page, template, context, doctree) -> None:
    context["metatags"] = (
        context.get("metatags", "")
        + f'<meta http-equiv="Content-Security-Policy" content="{POLICY}" />'
    )
    # Thebe would run cells through a third party; the book does not use it, and
    # sphinx-thebe declares its constants twice on each page.
    context["script_files"] = [
        script for script in context["script_files"] if not _of_thebe(script)
    ]
    if doctree is not None:
        context["body"] = repair(context["body"]) + report_link(app, page)


def repair(body: str) -> str:
    """Mend what Sphinx and myst-nb write against the rules of accessibility.

    Roles that ARIA has given up, table heads without text, and a label other than the
    text that is seen.
    """
    for wrong, right in [
        (' role="doc-biblioentry"', ""),
        ('<div role="list" class="citation-list">', '<div class="citation-list">'),
        ('<th class="head"><p></p></th>', "<td></td>"),
        ('<summary aria-label="Toggle hidden content">', "<summary>"),
    ]:
        body = body.replace(wrong, right)
    return body


def _of_thebe(script) -> bool:
    text = f"{script.filename or ''} {script.attributes.get('body', '')}"
    return "thebe" in text.lower()


def report_link(app: Sphinx, page: str) -> str:
    """Where to report an error: a page of the book, or the issue tracker."""
    url = app.config.html_theme_options["repository_url"]
    if is_placeholder(url):
        target = posixpath.relpath(ERRORS_PAGE, posixpath.dirname(page)) + ".html"
    else:
        target = f"{url}/issues/new?title={quote(f'Error in {page}')}"
    return (
        '<p class="report-error">Is something on this page wrong or unclear? '
        f'<a href="{target}">Report an error</a>.</p>'
    )


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
    target = Path(app.outdir) / "_static/mathjax"
    for pattern in MATHJAX_FILES:
        files = list(source.glob(pattern))
        if not files:
            raise FileNotFoundError(f"sphinx-mathjax-offline has no file {pattern}.")
        for file in files:
            copy = target / file.relative_to(source)
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
