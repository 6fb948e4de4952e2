"""Takes away from Linux what Windows, macOS and a browser do not have, and runs `alexnet` there.

    python -X warn_default_encoding elsewhere.py SYSTEM COMMANDS

SYSTEM is windows, macos or browser. COMMANDS is a JSON list of lists of arguments; they run one
after the other, all in this process.

What a system has beyond Linux, its own Python modules and its speed are not imitated.
"""

import errno
import json
import mmap
import os
import shutil
import signal
import sys
import threading
import warnings
from pathlib import Path

# The functions of os on Windows, and the flags of os.open.
WINDOWS_OS = (
    "abort access add_dll_directory chdir chmod close closerange cpu_count device_encoding dup "
    "dup2 execl execle execlp execlpe execv execve execvp execvpe fdopen fsdecode fsencode fspath "
    "fstat fsync ftruncate get_exec_path get_inheritable get_terminal_size getcwd getcwdb getenv "
    "getlogin getpid getppid isatty kill link listdir lseek lstat makedirs mkdir open pipe popen "
    "putenv read readlink remove removedirs rename renames replace rmdir scandir set_inheritable "
    "spawnl spawnle spawnv spawnve startfile stat stat_result strerror symlink system "
    "terminal_size times times_result truncate umask uname_result unlink unsetenv urandom utime "
    "waitpid waitstatus_to_exitcode walk write "
    "O_RDONLY O_WRONLY O_RDWR O_APPEND O_CREAT O_EXCL O_TRUNC"
)
WINDOWS_SIGNALS = {"SIGINT", "SIGTERM", "SIGABRT", "SIGFPE", "SIGILL", "SIGSEGV"}
UNIX_SIGNALLING = (
    "alarm pause setitimer getitimer siginterrupt sigpending sigwait sigwaitinfo sigtimedwait "
    "pthread_kill pthread_sigmask pidfd_send_signal"
)
UNIX_MODULES = "fcntl resource termios tty pty pwd grp readline syslog curses"
ILLEGAL = set('<>:"|?*\\')  # in a file's name on Windows

LINUX_OS = (
    "sched_getaffinity sched_setaffinity posix_fadvise posix_fallocate copy_file_range splice "
    "memfd_create pidfd_open eventfd getrandom fdatasync pipe2 getxattr setxattr listxattr "
    "removexattr getresuid getresgid setresuid setresgid "
    "O_DIRECT O_TMPFILE O_PATH O_NOATIME O_LARGEFILE"
)
LINUX_SIGNALLING = (
    "SIGRTMIN SIGRTMAX SIGPWR SIGSTKFLT SIGPOLL sigtimedwait sigwaitinfo pidfd_send_signal"
)


def take_away(system: str) -> None:
    """This process is on `system` from now on, as far as that can be imitated.

    Call it before the packages are imported: modules look at their system while they are loaded.
    """
    if system == "browser":
        sys.platform = "emscripten"
        _without(os, ["link", *LINUX_OS.split()])
        threading.Thread.start = _no_thread
        sys.addaudithook(_no_process)
    elif system == "macos":
        _without(os, LINUX_OS.split())
        _without(signal, LINUX_SIGNALLING.split())
    else:
        usage = shutil.disk_usage(".")
        shutil.disk_usage = lambda path: usage  # which has a way of its own there
        _without(os, [x for x in vars(os) if _is_function(x) and x not in WINDOWS_OS.split()])
        _without(signal, [x for x in vars(signal) if x[:3] == "SIG" and x[3] != "_"
                          and x not in WINDOWS_SIGNALS] + UNIX_SIGNALLING.split())  # fmt: skip
        _without(mmap.mmap, ["madvise"])
        shutil._use_fd_functions = False
        _keep_open_files()
        sys.addaudithook(_legal_names)
    if system != "macos":
        sys.modules.update(dict.fromkeys(UNIX_MODULES.split()))  # None: ImportError
    shutil._copyxattr = lambda *paths, **how: None  # shutil is loaded: it has looked already
    _hide("/proc", "/sys", "/dev/shm")


def _is_function(name: str) -> bool:
    return name[:2] == "O_" or (name[0].islower() and callable(getattr(os, name)))


def _without(module: object, names: list[str]) -> None:
    for name in names:
        if hasattr(module, name) and not isinstance(module, type):
            delattr(module, name)


def _no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def _no_process(event: str, _: object) -> None:
    if event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.system", "os.exec"):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def _hide(*folders: str) -> None:
    """Nothing is there: neither to be opened nor to be asked after."""
    stat, lstat = os.stat, os.lstat

    def check(path: object) -> None:
        if path == "/proc/self/maps":  # threadpoolctl's, which asks the real systems otherwise
            return
        if isinstance(path, str) and any(f"{path}/".startswith(f"{one}/") for one in folders):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def checked(function):
        def call(path, *args, **kwargs):
            check(os.fspath(path) if isinstance(path, os.PathLike) else path)
            return function(path, *args, **kwargs)

        return call

    os.stat, os.lstat = checked(stat), checked(lstat)
    sys.addaudithook(lambda event, args: check(args[0]) if event == "open" else None)


def _keep_open_files() -> None:
    """As Windows does: a file that is open or mapped is not removed, renamed or replaced; renaming
    never replaces; a folder is not opened."""
    readlink, listdir, native_open = os.readlink, os.listdir, os.open
    descriptors = native_open("/proc/self/fd", os.O_RDONLY)
    maps = open("/proc/self/maps", encoding="utf-8")  # noqa: SIM115

    def check(path) -> None:
        real = os.path.realpath(path)
        held = set()
        for number in listdir(descriptors):
            try:
                held.add(readlink(number, dir_fd=descriptors))
            except OSError:
                continue  # the listing's own
        maps.seek(0)
        held.update(line.rstrip("\n").partition("/")[2] for line in maps)
        if real in held or real.removeprefix("/") in held:
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(path))

    def checked(function, targets):
        def call(*args, **kwargs):
            for path in args[:targets]:
                if os.path.lexists(path) and not os.path.isdir(path):
                    check(path)
            if function is rename and os.path.lexists(args[1]):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(args[1]))
            return function(*args, **kwargs)

        return call

    def open_file(path, flags, *args, **kwargs):
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return native_open(path, flags, *args, **kwargs)

    rename = os.rename
    os.rename, os.replace = checked(rename, 2), checked(os.replace, 2)
    os.remove, os.unlink = checked(os.remove, 1), checked(os.unlink, 1)
    os.open = open_file


def _legal_names(event: str, args) -> None:
    new = (event == "open" and (args[2] or 0) & os.O_CREAT) or event == "os.mkdir"
    if new and isinstance(args[0], str):
        name = os.path.basename(args[0])
        if ILLEGAL & set(name) or name.endswith((" ", ".")):
            raise OSError(errno.EINVAL, "no file name on Windows", args[0])


def main(system: str, commands: list[list[str]]) -> int:
    """Run the commands on `system`; the status of the first that does not end with 0."""
    # First what is not ours: it knows the real systems itself.
    import matplotlib.pyplot
    import numpy
    import PIL.Image
    import safetensors.numpy
    import threadpoolctl
    import tqdm

    for module in (matplotlib.pyplot, numpy, PIL.Image, safetensors.numpy, threadpoolctl, tqdm):
        assert module
    take_away(system)
    # Text is written in the system's own encoding where none is given.
    ours = str(Path(__file__).resolve().parents[1])
    warnings.simplefilter("ignore", EncodingWarning)
    warnings.filterwarnings("error", category=EncodingWarning, module="minigrad|alexnet_scratch")
    from alexnet_scratch.cli import main as alexnet

    assert sys.modules["alexnet_scratch"].__file__.startswith(ours)
    return next((status for status in map(alexnet, commands) if status), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], json.loads(sys.argv[2])))
