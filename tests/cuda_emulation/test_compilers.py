"""The CUDA sources under sanitisers, and through the compiler that CuPy uses."""

import ctypes
import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

import alexnet_scratch.pixels  # noqa: F401  (its kernels are held to the same)
from minigrad.kernels import cuda
from minigrad.kernels.cuda import sgd
from minigrad.testing import cuda_on_cpu as emulate

HERE = Path(__file__).parent


def nvrtc():
    """NVIDIA's run-time compiler from its wheel, nvidia-cuda-nvrtc; it needs no GPU. Or None."""
    spec = importlib.util.find_spec("nvidia")
    folders = [Path(p) for p in spec.submodule_search_locations] if spec else []
    found = sorted(p for f in folders for p in f.glob("**/libnvrtc.so.*") if "alt" not in p.name)
    return ctypes.CDLL(str(found[-1])) if found else None


NVRTC = nvrtc()
DEFINES = {  # that a source needs, or can have
    "im2col": ({}, {"element": "float16"}, {"element": "bfloat16"}),
    "lrn": ({"WINDOW": 5, "RUN": 4}, {"WINDOW": 11, "RUN": 4}, {"WINDOW": 4, "RUN": 1}),
    "sgd": ({"ROWS": sgd.ROWS},),
}


def compile_for(code, architecture, char, defines, library=NVRTC):
    """The size of the machine code. SyntaxError with what the compiler says."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    library.nvrtcCreateProgram(ctypes.byref(program), code.encode(), b"kernels.cu", 0, None, None)
    options = [f"--gpu-architecture={architecture}", *cuda.options(char, **defines)]
    encoded = (ctypes.c_char_p * len(options))(*(o.encode() for o in options))
    failed = library.nvrtcCompileProgram(program, len(options), encoded)
    if failed:
        library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        library.nvrtcGetProgramLog(program, log)
        raise SyntaxError(log.value.decode())
    library.nvrtcGetCUBINSize(program, ctypes.byref(size))
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return size.value


if NVRTC:

    @pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90", "sm_120"])
    @pytest.mark.parametrize("file", cuda.sources())
    def test_nvrtc_compiles(file, architecture):
        for char, defines in itertools.product("fd", DEFINES.get(file, ({},))):
            assert compile_for(cuda.source(file), architecture, char, defines) > 1000

    def test_nvrtc_refuses_what_other_compilers_take():
        code = cuda.source("lrn").replace("real sum = 0;", "real sum = -INFINITY;", 1)
        with pytest.raises(SyntaxError, match="INFINITY"):
            compile_for(code, "sm_90", "f", DEFINES["lrn"][0])


def sanitized(kind, *arguments):
    """Run the kernels' tests in a process with a sanitiser in front."""
    if emulate.COMPILER is None:
        pytest.skip("no GPU, and no C++ compiler (g++, clang++) to do without")
    name = {"address": "libasan.so", "thread": "libtsan.so"}[kind]
    runtime = subprocess.run(
        [emulate.COMPILER, f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(runtime).is_file():
        pytest.skip(f"the C++ compiler has no {name}")
    environment = {
        **os.environ, "LD_PRELOAD": str(Path(runtime).resolve()), "OPENBLAS_NUM_THREADS": "1",
        "ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "exitcode=66:report_bugs=1",
        "PYTHONMALLOC": "malloc",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, str(HERE / "run_sanitized.py"), kind, *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


# A source with a fault, a call that shows it, and what the sanitiser says.
FAULTS = {
    "out of bounds": (
        ("address", "lrn", " && place + r < runs", "", "lrn"),
        "heap-buffer-overflow",
    ),
    "two writers": (
        ("thread", "activation", "out[i] = y[i]", "out[i / 2] = y[i]", "conv-strided"),
        "data race",
    ),
    "no barrier": (
        ("thread", "softmax", "__syncthreads();  // all have", "//", "softmax-smoothed"),
        "data race",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["address", "thread"])
def test_sanitizers_find_nothing_in_the_kernels(kind):
    clean = sanitized(kind)
    assert clean.returncode == 0, clean.stderr


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_sanitizers_find_a_fault(fault):
    arguments, said = FAULTS[fault]
    _, file, right, *_ = arguments
    assert cuda.source(file).count(right) == 1
    faulty = sanitized(*arguments)
    assert faulty.returncode != 0
    assert said in faulty.stderr
    assert "kernels.cu:" in faulty.stderr
