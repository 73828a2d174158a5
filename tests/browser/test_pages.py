"""Every built page in a real browser; `make test-browser` runs it."""

from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from notebooks import ROOT, pages

HTML = ROOT / "_build/html"
PAGES = [*pages(), "search", "genindex"]
FORMULA_ERROR = "mjx-merror, [data-mjx-error]"
DESKTOP, PHONE = 1280, 390
VIEWS = {
    "light": (DESKTOP, "light"),
    "dark": (DESKTOP, "dark"),
    "phone": (PHONE, "light"),
}
AXE = {
    # Without this axe loads style sheets by addresses that it guesses wrong.
    "preload": False,
    "rules": {"label-content-name-mismatch": {"enabled": True}},
}

# Thousands of coloured words of code make axe slow, and those of one kind look alike:
# leave the first of each kind in each kind of place.
ONE_WORD_OF_EACH_KIND = """() => {
  const seen = new Set();
  for (const word of document.querySelectorAll("div.highlight pre span")) {
    const place = word.closest(".cell_input, .cell_output, .admonition, article");
    const kind = word.className + " in " + (place ? place.className : "");
    if (seen.has(kind)) word.replaceWith(...word.childNodes);
    seen.add(kind);
  }
}"""


@contextmanager
def opened(browser, address, view="light"):
    """A page, and the list of all that went wrong while it was open."""
    width, scheme = VIEWS[view]
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    wrong = []

    def check(route):
        url = urlsplit(route.request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.hostname != "127.0.0.1":
            wrong.append(f"foreign request {route.request.url}")
            route.abort()
        else:
            route.continue_()

    context.route("**", check)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"page error {error}"))
    page.on("requestfailed", lambda request: wrong.append(f"failed {request.url}"))
    page.on(
        "console",
        lambda message: (
            message.type in ("error", "warning")
            and wrong.append(f"console {message.type} {message.text}")
        ),
    )
    page.on(
        "response",
        lambda answer: answer.status >= 400 and wrong.append(f"missing {answer.url}"),
    )
    page.goto(address, wait_until="load")
    page.wait_for_selector(
        ".math:not(:has(mjx-container))", state="detached", timeout=30_000
    )  # every formula is typeset
    page.wait_for_timeout(300)  # for what scripts load late
    yield page, wrong
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_page_opens_from_a_folder(browser, name):
    with opened(browser, f"{HTML.as_uri()}/{name}.html") as (page, wrong):
        assert page.locator(FORMULA_ERROR).count() == 0
        assert wrong == []


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_sound_and_accessible(browser, server, name, view):
    with opened(browser, f"{server}/{name}.html", view) as (page, wrong):
        assert page.locator(FORMULA_ERROR).count() == 0
        width, window = page.evaluate(
            "[document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert width <= window, "the page scrolls sideways"
        page.evaluate(ONE_WORD_OF_EACH_KIND)
        found = Axe().run(page, options=AXE).response["violations"]
        assert [
            (rule["id"], node["html"][:200], node["failureSummary"])
            for rule in found
            for node in rule["nodes"]
        ] == []
        assert wrong == []


@pytest.mark.parametrize("view", ["light", "dark"])
def test_theme_follows_the_readers_system(browser, server, view):
    with opened(browser, f"{server}/{PAGES[0]}.html", view) as (page, _):
        assert page.locator("html").get_attribute("data-theme") == view


def test_search_finds_a_word_and_leads_to_its_page(browser, base):
    with opened(browser, f"{base}/search.html?q=tensor") as (page, wrong):
        page.wait_for_selector("ul.search li a", timeout=30_000)
        page.wait_for_timeout(300)
        assert wrong == []
        page.locator("ul.search li a").first.click()
        page.wait_for_load_state()
        assert "tensor" in page.locator("article").inner_text().lower()


def test_search_says_when_there_is_nothing(browser, base):
    with opened(browser, f"{base}/search.html?q=xylophonequartz") as (page, _):
        page.wait_for_selector("text=did not match any documents", timeout=30_000)


def test_solutions_open_by_the_keyboard(browser, base):
    with opened(browser, f"{base}/book/before.html") as (page, _):
        solution = page.locator("details.admonition, details.hide").first
        assert solution.get_attribute("open") is None
        solution.locator("summary").focus()
        page.keyboard.press("Enter")
        assert solution.get_attribute("open") is not None
