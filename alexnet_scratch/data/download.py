"""Fetching the archives of public data sets: resumed where it was cut off, and checked.

What has come is in NAME.part; the server's mark of the file's version (ETag, or the date) stands
beside it, so that two versions are never joined. NAME appears when it is complete and right.
"""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import ssl
import time
import urllib.error
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

TIMEOUT = 30.0  # seconds without a byte
RETRIES = 4  # tries in a row that bring nothing
BACK_OFF = 1.0  # seconds before the first of them, doubled each time
CHUNK = 1 << 20
BY_HAND = "download it by hand and give the file to `alexnet prepare`"
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

# Sizes and SHA-256 of Imagenette: TensorFlow Datasets' imagenette/checksums.tsv. ImageWoof: the
# size in fastai's data/checks.txt, the MD5 in Catalyst's data set of that name (SHA-256 is not
# published). Tiny ImageNet: several projects agree.
ARCHIVES = {
    "imagenette": Archive(
        _FASTAI + "imagenette2.tgz", 1_557_161_267,
        "sha256:6cbfac238434d89fe99e651496f0812ebc7a10fa62bd42d6874042bf01de4efd",
    ),
    "imagenette-320": Archive(
        _FASTAI + "imagenette2-320.tgz", 341_663_724,
        "sha256:569b4497c98db6dd29f335d1f109cf315fe127053cedf69010d047f0188e158c",
    ),
    "imagewoof": Archive(
        _FASTAI + "imagewoof2.tgz", 1_343_715_595, "md5:9aafe18bcdb1632c4249a76c458465ba"
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
        return self.mark_path.read_text("utf-8") if self.mark_path.exists() else ""

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
    vain = 0
    while True:
        before = part.size()
        try:
            return _receive(archive, part)
        except _Cut as cut:
            vain = 0 if part.size() > before else vain + 1
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
        return urllib.request.build_opener(_SafeRedirect).open(request, timeout=TIMEOUT)
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
        raise _Cut(f"no connection ({reason})") from error


class _SafeRedirect(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from https to anything that others can read and change."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.lower().startswith("https:"):
            raise DataError(
                f"{req.full_url}: redirects to {newurl}, expected https there, too; {BY_HAND}"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _place(response: Any, have: int, part: _Part) -> tuple[int, int | None]:
    """Where the response's first byte stands in the file, and the file's size if it is told."""
    if response.status != 206:  # the whole file: it has changed, or the server knows no ranges
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    sent, _, size = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    mark = _mark(response.headers)
    if sent.partition("-")[0] != str(have) or mark not in ("", part.mark()):
        raise _other_piece(part)
    return have, int(size) if size.isdecimal() else None


def _other_piece(part: _Part) -> _Cut:
    part.remove()
    return _Cut("what had come does not fit the server's file: starting anew")


def _mark(headers: Any) -> str:
    """What tells the file's version; a weak ETag does not tell bytes apart."""
    etag = str(headers.get("ETag", ""))
    return etag if etag and not etag.startswith("W/") else str(headers.get("Last-Modified", ""))


def _chunks(response: Any) -> Iterator[bytes]:
    """What comes, piece by piece. Raises _Cut, so that an OSError is the disk's."""
    while True:
        try:
            chunk = response.read1(CHUNK)  # what there is: a cut loses nothing
        except (OSError, http.client.HTTPException) as error:
            raise _Cut(f"the connection was cut ({error})") from error
        if not chunk:
            return
        yield chunk


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
