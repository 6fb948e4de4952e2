"""Fetching the archives of public data sets: resumed where it was cut off, and checked.

What has come is in NAME.part; the server's mark of the file's version (ETag, or the date) stands
beside it, so that two versions are never joined. NAME appears when it is complete and right.

A server may send anything, and what lies in the folder may be damaged: every download ends, with
no more bytes than the file has, from https only where it began there.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import shutil
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import minigrad
from minigrad.files import rename, to_disk

from ..progress import progress_bar, say
from .disk import checksum, full_disk_told
from .image import DataError

TIMEOUT = 30.0  # seconds without a byte, or until a response begins
RETRIES = 4  # tries in a row that bring next to nothing
PROGRESS = 1 << 16  # bytes that are more than nothing
PACE = 60.0  # seconds in which so much must come
MOST = 1 << 40  # bytes of a file whose size is not known
BACK_OFF = 1.0  # seconds before the first of them, doubled each time
CHUNK = 1 << 20
BY_HAND = "download it by hand and give the file in place of --download"
_MARK = 1000  # letters of a version's mark
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # HTTP statuses that a later try may not meet


@dataclass(frozen=True)
class Archive:
    """A file on a server.

    size: bytes. checksum: "sha256:HEX" or "md5:HEX" of the whole file. None where not published.
    """

    url: str
    size: int | None = None
    checksum: str | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


_FASTAI = "https://s3.amazonaws.com/fast-ai-imageclas/"

_TORONTO = "https://www.cs.toronto.edu/~kriz/"

# Sizes and SHA-256 of Imagenette and CIFAR: TensorFlow Datasets' imagenette/checksums.tsv,
# url_checksums/cifar10.txt and cifar100.txt. ImageWoof: the sizes in fastai's data/checks.txt, the
# MD5 in Catalyst's data sets of that name (SHA-256 is not published). Tiny ImageNet: several
# projects agree. Of CIFAR the binary archives, which need no pickle to be read.
ARCHIVES = {
    "imagenette": Archive(
        _FASTAI + "imagenette2.tgz", 1_557_161_267,
        "sha256:6cbfac238434d89fe99e651496f0812ebc7a10fa62bd42d6874042bf01de4efd",
    ),
    "imagenette-320": Archive(
        _FASTAI + "imagenette2-320.tgz", 341_663_724,
        "sha256:569b4497c98db6dd29f335d1f109cf315fe127053cedf69010d047f0188e158c",
    ),
    "imagenette-160": Archive(
        _FASTAI + "imagenette2-160.tgz", 99_003_388,
        "sha256:64d0c4859f35a461889e0147755a999a48b49bf38a7e0f9bd27003f10db02fe5",
    ),
    "imagewoof": Archive(
        _FASTAI + "imagewoof2.tgz", 1_343_715_595, "md5:9aafe18bcdb1632c4249a76c458465ba"
    ),
    "imagewoof-160": Archive(
        _FASTAI + "imagewoof2-160.tgz", 92_612_825, "md5:3d200a7be99704a0d7509be2a9fbfe15"
    ),
    "cifar-10": Archive(
        _TORONTO + "cifar-10-binary.tar.gz", 170_052_171,
        "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    "cifar-100": Archive(
        _TORONTO + "cifar-100-binary.tar.gz", 168_513_733,
        "sha256:58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    ),
    "tiny-imagenet": Archive(
        "https://cs231n.stanford.edu/tiny-imagenet-200.zip", 248_100_043,
        "sha256:6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
    ),
}  # fmt: skip


def download(name: str, folder: str | os.PathLike[str]) -> Path:
    """The archive `name`, one of ARCHIVES, in `folder`; fetched over HTTPS if it is not there.

    Raises DataError as `fetch` does, and for an unknown name.
    """
    if name not in ARCHIVES:
        raise DataError(f"no data set {name!r} to download: use one of {', '.join(ARCHIVES)}")
    return fetch(ARCHIVES[name], folder)


def fetch(archive: Archive, folder: str | os.PathLike[str]) -> Path:
    """The archive's file in `folder`, which is made; what an earlier try left is gone on with.

    A file of that name that is already there is checked and used. Cut connections are tried again.
    Raises DataError for what the server refuses, a connection that stays broken, a full disk (what
    has come is kept in all three), and a wrong size or checksum (it is removed).
    """
    target = Path(folder) / archive.name
    for path in (target, target.with_name(target.name + ".part")):
        if os.path.lexists(path) and not path.is_file():
            raise DataError(f"{path}: not a plain file; move it away and try again")
    if target.exists():
        wrong = _fault(archive, target)
        if wrong:
            raise DataError(f"{target}: {wrong}; move it away and try again")
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(target)
    with full_disk_told(part.path.parent, part.advice):
        _receive_all(archive, part)
        wrong = _fault(archive, part.path)
        if wrong:
            part.remove()
            raise DataError(f"{archive.url}: {wrong}; it is removed: try again, or {BY_HAND}")
        part.finish(target)
    return target


class _Cut(Exception):  # noqa: N818  (a way back to the loop, not an error)
    """The connection broke, or the server asks to come back; another try may do."""


class _Part:
    """What has come so far of a file, and the server's mark of the version it came from."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self.mark_path = target.with_name(target.name + ".part.etag")

    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    def mark(self) -> str:
        """The mark, or "" where there is none: then nothing can be joined to what has come."""
        if not self.mark_path.is_file():
            return ""
        with open(self.mark_path, "rb") as file:
            return _usable(file.read(_MARK + 1).decode("latin-1"))

    def advice(self) -> str:
        """What to do when the disk is full."""
        return f"free some space and try again: the {_mb(self.size())} that have come are kept"

    def restart(self, mark: str) -> None:
        """Empty, for the version `mark`. In this order: killed between two steps, old bytes never
        stand beside a new mark."""
        self.path.write_bytes(b"")
        self.mark_path.write_text(mark, "utf-8")

    def remove(self) -> None:
        """Forget all of it."""
        self.path.unlink(missing_ok=True)
        self.mark_path.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Give the file its name, once it is on disk."""
        with open(self.path, "rb+") as file:
            to_disk(file)
        rename(self.path, target)
        self.mark_path.unlink(missing_ok=True)


def _receive_all(archive: Archive, part: _Part) -> None:
    """Ask for what is missing until it has come."""
    vain, most = 0, part.size()  # most: what has been there at once; to begin anew is no progress
    while True:
        try:
            return _receive(archive, part)
        except _Cut as cut:
            vain = 0 if part.size() >= most + PROGRESS else vain + 1
            most = max(most, part.size())
            if vain > RETRIES:
                kept = f"{_mb(part.size())} are kept: try again later, or " * bool(part.size())
                raise DataError(f"{archive.url}: {cut}; {kept}{BY_HAND}") from cut
            wait = BACK_OFF * 2 ** max(vain - 1, 0)
            say(f"{archive.name}: {cut}; trying again in {wait:.0f} s")
            time.sleep(wait)


def _receive(archive: Archive, part: _Part) -> None:
    """One request, and what it brings into `part`. Raises _Cut, or DataError for good."""
    have = part.size() if part.mark() else 0
    response = _ask(archive, have, part)
    if response is None:
        return
    with response:
        start, total = _place(response, have, part)
        if archive.size is not None:
            if total not in (None, archive.size):
                raise DataError(
                    f"{archive.url}: the server has {total} bytes, expected {archive.size}: it is "
                    f"not the file known here; {BY_HAND}"
                )
            total = archive.size
        if not start:
            part.restart(_mark(response.headers))
        _check_space(part, total)
        with progress_bar(archive.name, total or 0, start) as bar, open(part.path, "ab") as file:
            for chunk in _chunks(response):
                if file.tell() + len(chunk) > (MOST if total is None else total):
                    raise DataError(
                        f"{archive.url}: the server sends more than {total or MOST} bytes: it is "
                        f"not the file known here; {BY_HAND}"
                    )
                file.write(chunk)
                bar.update(len(chunk))
                bar.set_postfix_str(_mb(bar.n), refresh=False)
    if total is not None and part.size() < total:
        raise _Cut(f"the connection was cut after {_mb(part.size())} of {_mb(total)}")


def _ask(archive: Archive, have: int, part: _Part) -> Any:
    """The response to a request for the bytes from `have` on; None where all have come."""
    headers = {
        "User-Agent": f"alexnet-scratch/{minigrad.__version__}",
        "Accept-Encoding": "identity",
    }
    if have:  # another version is sent whole, by If-Range
        headers |= {"Range": f"bytes={have}-", "If-Range": part.mark()}
    request = urllib.request.Request(archive.url, headers=headers)
    try:
        opener = urllib.request.build_opener(_SafeRedirect, _Http, _Https)
        return opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing from `have` on
            if error.headers.get("Content-Range") in (None, f"bytes */{have}"):
                return None
            raise _other_piece(part) from error
        said = f"the server says {error.code} {' '.join(str(error.reason).split())}"
        if error.code in _PASSING:
            raise _Cut(said) from error
        raise DataError(f"{archive.url}: {said}; {BY_HAND}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise DataError(
                f"{archive.url}: its certificate cannot be trusted ({reason.verify_message}); "
                f"{BY_HAND}"
            ) from error
        raise _Cut(f"no connection ({' '.join(str(reason).split())})") from error
    except ValueError as error:  # a Location that is no address
        raise DataError(
            f"{archive.url}: the server's answer makes no sense ({error}); {BY_HAND}"
        ) from error


class _Response(http.client.HTTPResponse):
    """A response that must begin within TIMEOUT: a header may come a byte at a time, or never."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        self._sock = sock
        super().__init__(sock, *args, **kwargs)

    def begin(self) -> None:
        timer = threading.Timer(TIMEOUT, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            super().begin()
        finally:
            timer.cancel()
            del self._sock

    def _give_up(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    response_class = _Response


class _SafeConnection(http.client.HTTPSConnection):
    response_class = _Response


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SafeConnection, req)


class _SafeRedirect(urllib.request.HTTPRedirectHandler):
    """Follows redirects from https to https, which nobody else can read and change, and from http
    to either; never to another scheme."""

    def http_error_302(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any
    ) -> Any:
        fp.close()  # or all that comes with the redirect, without an end, is read into memory
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        address = urllib.parse.urlsplit(newurl)
        scheme, _ = address.scheme, address.port  # ValueError for what is no port
        if scheme != "https" and (req.type, scheme) != ("http", "http"):
            raise DataError(
                f"{req.full_url}: redirects to {newurl[:200]!r}, expected https there, too; "
                f"{BY_HAND}"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _place(response: Any, have: int, part: _Part) -> tuple[int, int | None]:
    """Where the response's first byte stands in the file, and the file's size if it is told."""
    if response.status != 206:  # the whole file: it has changed, or the server knows no ranges
        return 0, _number(response.headers.get("Content-Length", ""))
    sent, _, size = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    mark = _mark(response.headers)
    if sent.partition("-")[0] != str(have) or mark not in ("", part.mark()):
        raise _other_piece(part)
    return have, _number(size)


def _number(text: str) -> int | None:
    """The number of bytes that a header says, None where it says none that makes sense."""
    return int(text) if text.isdecimal() and len(text) < 16 else None


def _other_piece(part: _Part) -> _Cut:
    part.remove()
    return _Cut("what had come does not fit the server's file: starting anew")


def _mark(headers: Any) -> str:
    """What tells the file's version; a weak ETag does not tell bytes apart."""
    etag = _usable(str(headers.get("ETag", "")))
    if etag and not etag.startswith("W/"):
        return etag
    return _usable(str(headers.get("Last-Modified", "")))


def _usable(mark: str) -> str:
    """The mark, "" for one that cannot be sent back as a header."""
    return mark if mark.isascii() and mark.isprintable() and len(mark) <= _MARK else ""


def _chunks(response: Any) -> Iterator[bytes]:
    """What comes, piece by piece. Raises _Cut, so that an OSError is the disk's."""
    since, come = time.monotonic(), 0
    while True:
        try:
            chunk = response.read1(CHUNK)  # what there is: a cut loses nothing
        except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: a chunk's
            raise _Cut(f"the connection was cut ({' '.join(str(error).split())})") from error
        if not chunk:
            return
        yield chunk
        come += len(chunk)
        if time.monotonic() - since > PACE:
            if come < PROGRESS:
                raise _Cut(f"only {come} bytes came in {PACE:.0f} s")
            since, come = time.monotonic(), 0


def _fault(archive: Archive, file: Path) -> str | None:
    """What is wrong with a file that should be the archive, None if nothing is."""
    size = file.stat().st_size
    if archive.size not in (None, size):
        return f"it has {size} bytes, expected {archive.size}"
    algorithm, _, expected = (archive.checksum or "sha256:").partition(":")
    found = checksum(file, algorithm)
    if archive.checksum is None:
        say(f"{archive.name}: sha256 {found}, not compared: no checksum is published")
    elif found != expected:
        return f"its {algorithm} is {found}, expected {expected}"
    return None


def _check_space(part: _Part, total: int | None) -> None:
    missing, free = (total or 0) - part.size(), shutil.disk_usage(part.path.parent).free
    if missing > free:
        raise OSError(errno.ENOSPC, f"{_mb(missing)} more are needed, {_mb(free)} are free")


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
