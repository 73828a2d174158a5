"""Every built page in a real browser; `make test-browser` runs it."""

import re
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from notebooks import ROOT, pages

HTML = ROOT / "_build/html"
PAGES = [*pages(), "search", "genindex"]
# The colours and the narrow layout come from one style sheet: a page of prose and
# tables, one of solutions, one of figures, formulas and boxes show what there is.
SAMPLE = ["book/numbers", "book/before", "book/vae/vae"]
FOREIGN = re.compile(r"(https?|wss?)://(?!127\.0\.0\.1[:/])")
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

# Thousands of coloured words of code and of pieces of formulas make axe slow, and those
# of one kind look alike: leave the first of each kind in each kind of place.
ONE_OF_EACH_KIND = """() => {
  const seen = new Set();
  for (const part of document.querySelectorAll(
    "div.highlight pre span, mjx-container")) {
    const place = part.closest(
      ".cell_input, .cell_output, .admonition, td, figcaption, article");
    const formula = part.tagName == "MJX-CONTAINER";
    const kind = [formula ? part.getAttribute("display") : part.className,
                  formula, place ? place.tagName + place.className : ""].join();
    if (seen.has(kind)) part.replaceWith(...(formula ? [] : part.childNodes));
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

    def refuse(route):
        wrong.append(f"foreign request {route.request.url}")
        route.abort()

    context.route(FOREIGN, refuse)
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


def assert_sound(page, wrong):
    """Nothing went wrong, every formula is typeset, nothing sticks out."""
    assert page.locator(FORMULA_ERROR).count() == 0
    width, window = page.evaluate(
        "[document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert width <= window, "the page scrolls sideways"
    assert wrong == []


def assert_accessible(page):
    page.evaluate(ONE_OF_EACH_KIND)
    found = Axe().run(page, options=AXE).response["violations"]
    assert [
        (rule["id"], node["html"][:200], node["failureSummary"])
        for rule in found
        for node in rule["nodes"]
    ] == []


@pytest.mark.parametrize("name", PAGES)
def test_page_opens_on_a_phone_from_a_folder(browser, name):
    with opened(browser, f"{HTML.as_uri()}/{name}.html", "phone") as (page, wrong):
        assert_sound(page, wrong)


@pytest.mark.parametrize("name", PAGES)
def test_page_is_sound_and_accessible(browser, server, name):
    with opened(browser, f"{server}/{name}.html") as (page, wrong):
        assert_sound(page, wrong)
        assert_accessible(page)


@pytest.mark.parametrize("view", ["dark", "phone"])
@pytest.mark.parametrize("name", SAMPLE)
def test_other_views_are_accessible(browser, server, name, view):
    with opened(browser, f"{server}/{name}.html", view) as (page, wrong):
        assert_sound(page, wrong)
        assert_accessible(page)


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
