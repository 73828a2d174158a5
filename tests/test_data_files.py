"""Downloads: whole or not at all, and never a long wait."""

import hashlib
import http.server
import socket
import threading
import time

import pytest

from companion.data import files
from companion.data.files import (
    CorruptFileError,
    NotAvailableError,
    Official,
    download,
    verify,
)

CONTENT = b"the official content"
FILE = Official("set/raw/a.bin", hashlib.md5(CONTENT).hexdigest())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COMPANION_OFFLINE", "0")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "data"


@pytest.fixture
def url():
    """The address of a server that answers every question."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200 if self.path == "/here" else 404)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/here"
        server.shutdown()


def fetch_of(content):
    def fetch(folder):
        path = folder / FILE.path
        path.parent.mkdir(parents=True)
        path.write_bytes(content)

    return fetch


def everything_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_download_lands_verified_and_alone(folder, url):
    assert verify(FILE) is None
    download("set", [url], fetch_of(CONTENT), [FILE])
    assert verify(FILE) == folder / FILE.path
    assert everything_below(folder) == [folder / FILE.path]
    assert [path.name for path in folder.iterdir()] == ["set"]


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT[:-1] + b"T", b""])
def test_a_damaged_download_never_lands(folder, url, content):
    with pytest.raises(NotAvailableError, match="a.bin came damaged"):
        download("set", [url], fetch_of(content), [FILE])
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, TimeoutError, RuntimeError, EOFError, MemoryError]
)
def test_an_interrupted_download_leaves_nothing(folder, url, error):
    def fetch(temporary):
        fetch_of(CONTENT[:5])(temporary)
        assert everything_below(folder)  # half of it is there ...
        raise error("in the middle")

    with pytest.raises((NotAvailableError, KeyboardInterrupt, MemoryError)):
        download("set", [url], fetch, [FILE])
    assert list(folder.iterdir()) == []  # ... and gone


def test_torchvisions_progress_goes_to_standard_output(folder, url, capsys):
    def fetch(temporary):
        import sys

        print("12 %", file=sys.stderr)
        fetch_of(CONTENT)(temporary)

    download("set", [url], fetch, [FILE])
    captured = capsys.readouterr()
    assert "12 %" in captured.out and captured.err == ""


def test_sockets_have_a_time_limit_only_meanwhile(folder, url):
    seen = []

    def fetch(temporary):
        seen.append(socket.getdefaulttimeout())
        fetch_of(CONTENT)(temporary)

    download("set", [url], fetch, [FILE])
    assert seen == [10] and socket.getdefaulttimeout() is None


def test_a_server_that_says_nothing_costs_the_connect_limit(folder, monkeypatch):
    assert files.CONNECT_SECONDS == 10
    monkeypatch.setattr(files, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.bin"
        started = time.perf_counter()
        with pytest.raises(NotAvailableError, match=r"did not answer|timed out"):
            download("set", [url], fetch_of(CONTENT), [FILE])
        assert time.perf_counter() - started < 3
    assert list(folder.iterdir()) == []


def test_a_closed_port_and_an_absent_file(folder, url):
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    with pytest.raises(NotAvailableError, match="could not be reached"):
        download("set", [f"http://127.0.0.1:{port}/"], fetch_of(CONTENT), [FILE])
    with pytest.raises(NotAvailableError, match="could not be reached: .*404|Not Fo"):
        download("set", [url.replace("here", "gone")], fetch_of(CONTENT), [FILE])


def test_one_server_that_answers_is_enough(folder, url):
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    dead = f"http://127.0.0.1:{port}/"
    download("set", [dead, url], fetch_of(CONTENT), [FILE])
    assert (folder / FILE.path).read_bytes() == CONTENT


def test_offline_is_obeyed(folder, url, monkeypatch):
    monkeypatch.setenv("COMPANION_OFFLINE", "1")
    with pytest.raises(NotAvailableError, match="COMPANION_OFFLINE"):
        download("set", [url], fetch_of(CONTENT), [FILE])
    assert not folder.exists()


def test_a_flipped_bit_is_found(folder):
    path = folder / FILE.path
    path.parent.mkdir(parents=True)
    for bit in range(8 * len(CONTENT)):
        damaged = bytearray(CONTENT)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(CorruptFileError, match=f"{path} is damaged"):
            verify(FILE)
    path.write_bytes(CONTENT)
    assert verify(FILE) == path
