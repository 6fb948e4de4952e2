"""Names of files and classes as people meet them: in a line, in a shell, in a table.

A name may hold anything: bytes that are no text, a newline, an escape sequence of a terminal.
"""

from __future__ import annotations

import difflib
import os
import shlex
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence

# Characters that turn the order of a line's text around, whatever else stands in it.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str) -> str:
    """The text in one line that any UTF-8 file and any screen takes; readable letters stay."""
    if text.isprintable():
        return text
    return "".join(c if _harmless(c) else _escaped(c) for c in text)


def _harmless(c: str) -> bool:
    return c not in _TURNING and unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp")


def _escaped(c: str) -> str:
    if "\udc80" <= c <= "\udcff":  # a byte that is no text, as os.fsdecode hands it over
        return f"\\x{ord(c) - 0xDC00:02x}"
    return c.encode("unicode_escape").decode()


def in_shell(path: str | os.PathLike[str]) -> str:
    """The path as a word to paste after a command."""
    text = os.fspath(path)
    if one_line(text) == text:
        return shlex.quote(text)
    plain = range(0x20, 0x7F)
    letters = (
        chr(b) if b in plain and chr(b) not in "\\'" else f"\\x{b:02x}"
        for b in text.encode(errors="surrogateescape")
    )
    return f"$'{''.join(letters)}'"  # bash's and zsh's form for any bytes


def program() -> str:
    """How this program is called from here: `alexnet`, or the path that was typed.

    The path where the shell would not find it by its name, or would find another environment's.
    """
    called = sys.argv[0]
    if os.path.splitext(os.path.basename(called))[0] != "alexnet":  # python -m, a notebook
        return "alexnet"
    found = shutil.which("alexnet")
    if found is not None and os.path.realpath(found) == os.path.realpath(called):
        return "alexnet"
    return called if os.name == "nt" else in_shell(called)  # cmd.exe knows no single quotes


def file_name(text: str, most: int = 60) -> str:
    """Letters, digits, dots and dashes of a text, as the name of a new file: short and harmless."""
    kept = "".join(c if c.isalnum() or c in "._" else "-" for c in text)
    words = "-".join(filter(None, kept.split("-"))).lstrip("-.")
    while len(words.encode()) > most:
        words = words[:-1]
    return words.rstrip("-.")


def short_names(names: Sequence[str]) -> list[str]:
    """Each name up to its first comma ("tench, Tinca tinca"), where that still tells them apart."""
    short = [name.partition(",")[0].strip(" ") or name for name in names]
    counts: dict[str, int] = {}
    for name in short:
        counts[name] = counts.get(name, 0) + 1
    return [s if counts[s] == 1 else name for s, name in zip(short, names, strict=True)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What an error adds for the known word that is nearest; "" if none is near."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
