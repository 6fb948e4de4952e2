"""What keeps a process of somebody else's code from doing harm, and a word on each part that held.

Called once, before that code is read. On Linux the system itself holds it: namespaces without a
network and without other processes, Landlock for files, limits for memory, time and the size of
files. Where the system has no such thing, Python refuses the calls, which code that means to can
get around. What was held by whom is told, so that nobody relies on more.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]  # of the packages; other things may stand beside them
PACKAGES = ("minigrad", "alexnet_scratch", "alexnet_course")
PROCESSES = 64  # with threads
FILE_BYTES = 64 << 20  # that one file may grow to


class Held(NamedTuple):
    """What the system holds; what it does not, Python refuses."""

    limits: bool  # memory, CPU time, size of files
    network: bool
    processes: bool  # others are not seen, and none is left behind
    files: bool  # only the folder is written, and only the packages and it are read

    def __str__(self) -> str:
        by_python = [
            name
            for name, held in zip(("network", "other processes", "files"), self[1:], strict=True)
            if not held
        ]
        limits = "" if self.limits else "; memory and CPU time are not limited"
        if not by_python:
            return f"held by the system{limits}"
        return f"refused by Python only: {', '.join(by_python)}{limits}"


def confine(folder: Path, readable: Iterable[str], memory: int, seconds: int) -> Held:
    """Limit this process: it reads `readable`, writes into `folder` alone, has no network, and ends
    after `seconds` of CPU time. Where there are namespaces, what goes on is a child of it."""
    network, processes = _namespaces()
    limits = _limits(memory, seconds)
    return Held(limits, network, processes, _landlock(folder, readable))


# ----- Linux -----

_NEWUSER, _NEWPID, _NEWNET, _NEWIPC = 0x10000000, 0x20000000, 0x40000000, 0x08000000
_NO_NEW_PRIVILEGES, _DIE_WITH_PARENT = 38, 1  # of prctl
_CREATE_RULESET, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same numbers on every processor
_READ = (1 << 0) | (1 << 2) | (1 << 3)  # execute, read a file, read a folder
_LIST = 1 << 3  # read a folder
_ALL = (1 << 13) - 1  # and write, remove, make: what the first Landlock knows
_MORE = ((2, 1 << 13), (3, 1 << 14), (5, 1 << 15))  # refer, truncate, ioctl: since version
_OF_FILES = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 14) | (1 << 15)  # what is not for folders only


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _namespaces() -> tuple[bool, bool]:
    """No network and no other process from here on, in a child that goes with its parent."""
    if sys.platform != "linux":
        return False, False
    libc, user, group = _libc(), os.getuid(), os.getgid()
    network = libc.unshare(_NEWUSER | _NEWNET | _NEWIPC | _NEWPID) == 0
    if not network:
        return False, False
    try:
        ids = {"uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
        for name, text in {"setgroups": "deny", **ids}.items():
            Path(f"/proc/self/{name}").write_text(text)
    except OSError:  # then it is nobody: enough for what it does
        pass
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    return True, True


def _limits(memory: int, seconds: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        import resource
    except ImportError:  # a browser
        return False
    held = True
    for name, most in (
        ("RLIMIT_AS", memory), ("RLIMIT_CPU", seconds), ("RLIMIT_FSIZE", FILE_BYTES),
        ("RLIMIT_NPROC", PROCESSES), ("RLIMIT_CORE", 0),
    ):  # fmt: skip
        try:
            kind = getattr(resource, name)
            resource.setrlimit(kind, (most, most))
        except (AttributeError, ValueError, OSError):  # macOS has no limit of memory
            held = held and name not in ("RLIMIT_AS", "RLIMIT_CPU")
    if hasattr(signal, "SIGXFSZ"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an OSError then
    return held


def _landlock(folder: Path, readable: Iterable[str]) -> bool:
    """Files by Landlock (Linux 5.13, 2021)."""
    if sys.platform != "linux":
        return False
    libc = _libc()
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    handled = _ALL
    for since, right in _MORE:
        handled |= right if version >= since else 0
    attributes = struct.pack("<Q", handled)
    rules = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return False
    own = [(str(folder), handled), (str(ROOT), _LIST)]  # Python looks there for the packages
    for path, rights in [*own, *((p, _READ) for p in readable)]:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        allowed = handled & (rights if os.path.isdir(path) else rights & _OF_FILES)
        libc.syscall(_ADD_RULE, rules, 1, struct.pack("<Qi", allowed, place), 0)
        os.close(place)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    held = libc.syscall(_RESTRICT, rules, 0) == 0
    os.close(rules)
    return bool(held)


def needed_to_read() -> list[str]:
    """What Python and the packages read: their own folders, and the system's libraries."""
    own = [sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.realpath(sys.executable)]
    own += [os.path.realpath(p) for p in sys.path if p and os.path.realpath(p) != str(ROOT)]
    own += [str(ROOT / package) for package in PACKAGES]
    system = ["/usr", "/lib", "/lib64", "/bin", "/opt", "/proc", "/sys/devices/system"]
    system += ["/dev/null", "/dev/urandom", "/dev/zero", "/etc/ld.so.cache", "/etc/localtime"]
    return list(dict.fromkeys(own + system))


# ----- what Python refuses -----

_REFUSED = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname",
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork",
    "os.forkpty", "os.kill", "os.killpg", "os.startfile", "pty.spawn", "urllib.Request",
    "ctypes.dlopen", "ctypes.dlsym", "ctypes.cdata", "webbrowser.open",
    "signal.pthread_kill", "winreg.OpenKey",
)  # fmt: skip
_PATHS = {
    "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2,
    "os.truncate": 1, "os.chmod": 1, "os.chown": 1, "os.utime": 1, "shutil.rmtree": 1,
    "shutil.move": 2, "shutil.copyfile": 2,
}  # fmt: skip  (of how many arguments each must lie in the folder)


class Refused(PermissionError):  # noqa: N818  (read by learners and teachers)
    """Something that a submission may not do."""


def refuse(folder: Path) -> None:
    """From now on Python raises `Refused` for network, processes and files elsewhere."""
    sys.addaudithook(_hook(os.path.realpath(folder)))
    socket.setdefaulttimeout(1)


def _hook(folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    realpath, fspath, inside = os.path.realpath, os.fspath, folder + os.sep
    refused, paths = frozenset(_REFUSED), dict(_PATHS)
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def elsewhere(path: Any) -> bool:
        if isinstance(path, int):  # a file that is open already
            return False
        text = fspath(path)
        where = realpath(text.decode(errors="replace") if isinstance(text, bytes) else text)
        return where != folder and not where.startswith(inside) and where != os.devnull

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in refused:
            raise Refused(f"a submission may not do that here ({event})")
        if event == "open":
            path, mode, flags = args
            writes = isinstance(mode, str) and any(c in mode for c in "wax+")
            writes = writes or (isinstance(flags, int) and bool(flags & writing))
            if writes and elsewhere(path):
                raise Refused(f"a submission may write into its own folder only: {path}")
        elif event in paths and any(elsewhere(p) for p in args[: paths[event]]):
            raise Refused(f"a submission may change files in its own folder only: {args[0]}")

    return hook
