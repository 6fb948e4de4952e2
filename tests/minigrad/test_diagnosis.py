"""What is wrong with a GPU's installation: each mismatch by its name, with the command that mends
it."""

import ctypes
import sys
from dataclasses import replace

import pytest

from minigrad import arrays
from minigrad.cuda import diagnosis
from minigrad.cuda.diagnosis import Facts

GOOD = Facts({"cupy-cuda13x": "14.2.0"}, 13010, gpus=(("H100", 90),))
TWELVE = replace(GOOD, packages={"cupy-cuda12x": "14.2.0"}, driver=12040)
PASCAL = (("GTX 1080", 61),)
TAKE_12 = "pip install 'cupy-cuda12x[ctk]>=14.1,<15' (our extra cuda12)"
TAKE_13 = "pip install 'cupy-cuda13x[ctk]>=14.1,<15' (our extra cuda13)"
NVRTC = (
    'DynamicLibNotFoundError: Failure finding "libnvrtc.so.13 or libnvrtc.so.12": No such file: '
    "libnvrtc.so.13 or libnvrtc.so.12"
)
CUBLAS = 'ImportError: Failure finding "libcublasLt.so.13 or libcublasLt.so.12": No such file'


def without(facts, *packages):
    return replace(facts, packages=dict(packages))


CASES = {
    "nothing": (Facts(), None, "not installed, and there is no NVIDIA driver", TAKE_13),
    "no CuPy, old driver": (without(TWELVE), None, "the driver runs CUDA 12.4", TAKE_12),
    "no CuPy, new driver": (without(GOOD), None, "the driver runs CUDA 13.1", TAKE_13),
    "no CuPy, new driver, old GPU": (without(replace(GOOD, gpus=PASCAL)), None, "", TAKE_12),
    "no driver": (replace(GOOD, driver=None, gpus=()), None, "there is no NVIDIA driver", "cpu"),
    "no libcuda": (replace(GOOD, driver=None, gpus=(), smi=True), None, "libcuda", "--gpus all"),
    "driver broken": (replace(GOOD, status=803, gpus=()), None, "cuInit says 803", "restart"),
    "hidden": (
        replace(GOOD, status=100, gpus=(), visible=""), None,
        "CUDA_VISIBLE_DEVICES is ''", "unset CUDA_VISIBLE_DEVICES",
    ),
    "no GPU": (replace(GOOD, status=100, gpus=()), None, "finds no GPU", "nvidia-smi must list"),
    "both": (
        without(GOOD, ("cupy-cuda12x", "14.2.0"), ("cupy-cuda13x", "14.2.0")), None,
        "cupy-cuda12x and cupy-cuda13x are both installed and clash",
        f"pip uninstall -y cupy-cuda12x cupy-cuda13x, then {TAKE_13}",
    ),
    "CUDA 11": (
        without(TWELVE, ("cupy-cuda11x", "13.4.0")), None,
        "cupy-cuda11x does not fit", f"pip uninstall -y cupy-cuda11x, then {TAKE_12}",
    ),
    "AMD": (without(GOOD, ("cupy-rocm-7-0", "14.2.0")), None, "does not fit", TAKE_13),
    "old CuPy": (without(TWELVE, ("cupy-cuda12x", "13.4.1")), None, "13.4.1 does not fit", TAKE_12),
    "CuPy to come": (without(GOOD, ("cupy-cuda13x", "15.0.0")), None, "15.0.0 does not", TAKE_13),
    "old plain CuPy": (
        without(TWELVE, ("cupy", "12.0.0")), None,
        "cupy 12.0.0 does not fit", f"pip uninstall -y cupy, then {TAKE_12}",
    ),
    "13 on an old GPU": (
        replace(GOOD, gpus=PASCAL), None,
        "GTX 1080 has compute capability 6.1, CUDA 13 needs 7.5",
        f"pip uninstall -y cupy-cuda13x, then {TAKE_12}",
    ),
    "too old for all": (replace(TWELVE, gpus=(("K80", 37),)), None, "CuPy needs 5.0", "cpu"),
    "13 on an old driver": (
        replace(GOOD, driver=12040), None,
        "needs a driver for CUDA 13, this one runs CUDA 12.4", f"{TAKE_12}; or update the driver",
    ),
    "very old driver": (replace(TWELVE, driver=11040), None, "runs CUDA 11.4", "update it to 525"),
    "no NVRTC": (TWELVE, NVRTC, "does not find NVRTC", TAKE_12),
    "no cuBLAS": (GOOD, CUBLAS, "does not find cuBLAS", TAKE_13),
    "no headers": (
        GOOD, "CompileException: cannot open source file \"cuda_fp16.h\"", "headers", TAKE_13,
    ),
    "plain CuPy, no NVRTC": (
        without(TWELVE, ("cupy", "14.2.0")), NVRTC,
        "NVRTC", f"pip uninstall -y cupy, then {TAKE_12}",
    ),
    "something else": (
        GOOD, "CUDARuntimeError: cudaErrorUnknown\nmore", "(CUDARuntimeError: cudaErrorUnknown)",
        TAKE_13,
    ),
    "CuPy of unknown origin": (without(GOOD), "broken", "cannot compute on it (broken)", TAKE_13),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_mismatch_is_named_and_mended(case):
    facts, error, names, mends = CASES[case]
    line = diagnosis.diagnosis(facts, error)
    assert line is not None
    assert names in line
    assert mends in line
    assert "\n" not in line


def test_what_fits_is_left_alone():
    for facts in (
        GOOD,
        TWELVE,
        replace(TWELVE, driver=13010),  # a driver runs what came before it
        replace(TWELVE, gpus=PASCAL),
        replace(GOOD, gpus=(*PASCAL, *GOOD.gpus)),  # one that can be used
        without(GOOD, ("cupy", "14.2.0")),
    ):
        assert diagnosis.diagnosis(facts) is None, facts


class Driver:
    """libcuda's functions, which write through pointers."""

    def __init__(self, status=0):
        self.status = status

    def cuDriverGetVersion(self, to):
        to._obj.value = 12040

    def cuInit(self, flags):
        return self.status

    def cuDeviceGetCount(self, to):
        to._obj.value = 2

    def cuDeviceGet(self, to, index):
        to._obj.value = 7 + index

    def cuDeviceGetName(self, buffer, size, device):
        buffer.value = b"GPU %d" % device

    def cuDeviceGetAttribute(self, to, which, device):
        to._obj.value = {75: 8, 76: device - 1}[which]


def test_the_facts_come_from_the_drivers_own_library(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    facts = diagnosis.look()
    assert (facts.driver, facts.status, facts.visible) == (12040, 0, "0,1")
    assert facts.gpus == (("GPU 7", 86), ("GPU 8", 87))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(status=100))
    assert (diagnosis.look().status, diagnosis.look().gpus) == (100, ())


def test_without_a_driver_there_are_no_facts_of_it(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert diagnosis.look().driver is None


def test_an_error_of_the_device_carries_the_diagnosis(monkeypatch):
    monkeypatch.setattr(diagnosis, "look", lambda: replace(GOOD, driver=12040))
    monkeypatch.setattr(arrays.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "cupy", None)  # cannot be imported
    arrays.require_cupy.cache_clear()
    try:
        with pytest.raises(arrays.DeviceError) as raised:
            arrays.parse_device("cuda")
    finally:
        arrays.require_cupy.cache_clear()
    assert str(raised.value) == (
        "device 'cuda' was asked for, but cupy-cuda13x needs a driver for CUDA 13, this one runs "
        f"CUDA 12.4: pip uninstall -y cupy-cuda13x, then {TAKE_12}; or update the driver to 580 "
        "or newer"
    )
