"""On Windows, macOS and in a browser nothing is called that Linux alone has."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SYSTEMS = ("windows", "macos", "browser")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="takes Linux apart")


def run_on(system, *commands, folder):
    return subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", HERE / "elsewhere.py", system,
         json.dumps([list(map(str, command)) for command in commands])],
        env={**os.environ, "PYTHONPATH": str(HERE.parent), "MPLBACKEND": "agg",
             "ALEXNET_CACHE": str(folder / "cache")},
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "system",
    # A browser has least; what another system lacks and a browser has is tried in the slow set.
    [pytest.param(s, marks=[pytest.mark.slow] * (s != "browser")) for s in SYSTEMS],
)
def test_a_set_is_prepared_a_network_trained_and_asked(system, tmp_path, colours, narrow_flags):
    photo = next((colours / "val").glob("*/*.png"))
    for class_id in ("n01440764", "n02102040"):  # two of ImageNet's class tars
        shutil.make_archive(str(tmp_path / f"tars/{class_id}"), "tar", photo.parent)
    train = ["train", "set", *narrow_flags]
    done = run_on(
        system,
        ["prepare", colours, "set"],
        [*train, "--out", "run", "--epochs", "1", "--image-size", "256"],
        ["train", "--resume", "run", "--epochs", "2"],
        ["evaluate", "run", "--report", "report"],
        ["report", "run"],
        ["predict", "run", photo],
        ["inside", "run", photo, "--what", "grad-cam"],
        ["doctor", "set"],
        ["stats", "set"],
        ["stats", colours, "--image-size", "24", "--plot", "stats.png"],
        ["prepare", "tars", "set-of-tars", "--image-size", "24"],
        ["show-augment", "set", "--recipe", "run/recipe.json", "--out", "augment.png"],
        ["diff", "small", "paper"],
        ["learn", "--list", "--copy", "course"],
        ["learn", "--list"],
        ["summary"],
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    metrics = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in metrics] == [1, 2]


BARS = """
import sys
import tqdm
from elsewhere import take_away
take_away("browser")
from alexnet_scratch.progress import progress_bar
sys.stderr.isatty = lambda: True
for hidden in (False, True):
    with progress_bar("work", 2, hidden=hidden) as bar:
        bar.update()
"""


def test_a_bar_in_a_browser_starts_no_thread_and_warns_of_none(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BARS], cwd=tmp_path, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent}"}, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "work   0%|" in done.stderr


# What fails there, and how.
MISSED = {
    "windows": {
        "import fcntl": "ModuleNotFoundError",
        "import resource": "ModuleNotFoundError",
        "os.sched_getaffinity(0)": "AttributeError",
        "signal.SIGKILL": "AttributeError",
        "signal.setitimer(signal.ITIMER_REAL, 1)": "AttributeError",
        "open('/proc/cpuinfo')": "FileNotFoundError",
        "os.open('.', os.O_RDONLY)": "PermissionError",
        "open('a:b', 'w')": "no file name on Windows",
        "open('closed', 'w').close(); os.rename('closed', 'there')": "FileExistsError",
        "file = open('open', 'w'); os.replace('open', 'b')": "PermissionError",
        "a = np.memmap('mapped', 'u1', 'w+', shape=9); os.remove('mapped')": "PermissionError",
    },
    "macos": {
        "os.posix_fadvise": "AttributeError",
        "os.sched_getaffinity(0)": "AttributeError",
        "signal.SIGRTMIN": "AttributeError",
        "os.stat('/proc/meminfo')": "FileNotFoundError",
    },
    "browser": {
        "import fcntl": "ModuleNotFoundError",
        "threading.Thread(target=print).start()": "can't start new thread",
        "os.link('a', 'b')": "AttributeError",
        "import resource": "ModuleNotFoundError",
        "subprocess.run(['true'])": "OSError",
    },
}
SCRIPT = """
import os, signal, subprocess, sys, threading; import numpy as np
from elsewhere import take_away
take_away(sys.argv[1])
for code in sys.argv[2:]:
    try:
        exec(code)
        print("nothing happened")
    except Exception as error:
        print(repr(error))
"""


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_taken_away_is_missed(system, tmp_path):
    (tmp_path / "there").touch()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, system, *MISSED[system]], cwd=tmp_path, text=True,
        env={**os.environ, "PYTHONPATH": str(HERE)}, capture_output=True, check=True,
    )  # fmt: skip
    found = done.stdout.splitlines()
    for (code, error), line in zip(MISSED[system].items(), found, strict=True):
        assert error in line, code
