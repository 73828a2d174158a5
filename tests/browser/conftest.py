"""A browser, and the built pages on disk and behind a server on this machine."""

import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from notebooks import ROOT
from playwright.sync_api import sync_playwright

HTML = ROOT / "_build/html"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def browser():
    path = os.environ.get("PLAYWRIGHT_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    assert path, (
        f"None of {', '.join(NAMES)} was found. Install Chromium, or name the program "
        "of a browser that is built on it in PLAYWRIGHT_CHROMIUM."
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server():
    assert HTML.exists(), f"{HTML} is missing: run `make book` first."
    handler = partial(QuietHandler, directory=str(HTML))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(params=["file", "http"])
def base(request, server):
    """The address of the book, from a folder and from a server."""
    return HTML.as_uri() if request.param == "file" else server
