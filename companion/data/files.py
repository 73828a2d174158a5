"""Official data files: verified where they lie, downloaded where they are absent.

A file counts only if its checksum is right. Downloads go to a temporary folder beside
the data and are renamed one by one when verified, so that a half-finished download
never looks finished.
"""

import contextlib
import hashlib
import http.client
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from companion import runtime

CONNECT_SECONDS = 10


class CorruptFileError(ValueError):
    """A data file is present, but its content is not the official one."""


class NotAvailableError(RuntimeError):
    """A data set is neither present nor to be had; the message names the remedy."""


@dataclass(frozen=True)
class Official:
    """A file of a data set: its path below the data folder, and its MD5 checksum."""

    path: str
    md5: str


def verify(file: Official) -> Path | None:
    """The file's place, or None if it is absent.

    Raises: CorruptFileError if it is present with another content, or cannot be read;
        ValueError if the data folder is a file or stands below one.
    """
    path = _root() / file.path
    if not path.exists():
        return None
    try:
        found = _md5(path)
    except OSError as error:
        raise CorruptFileError(
            f"{path} cannot be read ({error.strerror}). Make it readable, or point "
            "COMPANION_DATA to another folder."
        ) from error
    if found != file.md5:
        raise CorruptFileError(
            f"{path} is damaged: {path.stat().st_size} bytes with MD5 {found}, "
            f"expected {file.md5}. Delete this file; it is downloaded anew at the "
            "next call."
        )
    return path


def download(
    name: str,
    urls: Sequence[str],
    fetch: Callable[[Path], None],
    files: list[Official],
) -> None:
    """Download `files` of the set `name`, verified and renamed into the data folder.

    `fetch(folder)` lays them out under a temporary folder. The `urls`, one of each
    server, are asked first, so that a dead connection costs at most CONNECT_SECONDS
    a server; one that answers is enough.

    Raises: NotAvailableError with the reason: downloading is switched off, the data
        folder cannot be written, no connection, a damaged or half-finished download.
    """
    if runtime.offline():
        raise NotAvailableError("COMPANION_OFFLINE forbids downloading")
    root = _root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        temporary = TemporaryDirectory(dir=root, prefix=".download-")
    except OSError as error:
        raise NotAvailableError(
            f"the data folder {root} cannot be written ({error.strerror}); point "
            "COMPANION_DATA to another"
        ) from error
    with temporary as folder:
        _ask_any(urls)
        print(f"Downloading {name} to {root} ...")
        try:
            with _socket_timeout(), contextlib.redirect_stderr(sys.stdout):
                fetch(Path(folder))
        except (OSError, RuntimeError, EOFError, http.client.HTTPException) as error:
            reason = str(error).strip().replace("\n", " ") or type(error).__name__
            raise NotAvailableError(f"the download failed: {reason}") from error
        for file in files:
            _move(Path(folder) / file.path, root / file.path, file.md5)


def _move(source: Path, target: Path, md5: str) -> None:
    if not source.is_file() or _md5(source) != md5:
        raise NotAvailableError(f"the download failed: {target.name} came damaged")
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _root() -> Path:
    root = runtime.data_dir()
    for folder in (root, *root.parents):
        if folder.exists() and not folder.is_dir():
            raise ValueError(
                f"The data folder {root} cannot be made: {folder} is a file. Point "
                "COMPANION_DATA to a folder."
            )
    return root


def _md5(path: Path) -> str:
    found = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


def _ask_any(urls: Sequence[str]) -> None:
    problems = []
    for url in urls:
        try:
            return _ask(url)
        except NotAvailableError as error:
            problems.append(str(error))
    raise NotAvailableError("; ".join(problems))


def _ask(url: str) -> None:
    """Ask the server for the file's head, and wait no longer than CONNECT_SECONDS.

    In a thread, because a socket's timeout counts for each address of a name anew.
    """
    outcome: list[str] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=CONNECT_SECONDS):
                outcome.append("")
        except (OSError, http.client.HTTPException) as error:
            outcome.append(str(getattr(error, "reason", error)))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    host = url.split("/")[2]
    if not outcome:
        raise NotAvailableError(f"{host} did not answer in {CONNECT_SECONDS} seconds")
    if outcome[0]:
        raise NotAvailableError(f"{host} could not be reached: {outcome[0]}")


@contextlib.contextmanager
def _socket_timeout() -> Iterator[None]:
    # torchvision's downloads set no time limit of their own.
    former = socket.getdefaulttimeout()
    socket.setdefaulttimeout(CONNECT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(former)
