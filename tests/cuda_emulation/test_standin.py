"""The stand-in is as strict as CuPy: what would fail on a GPU machine fails here."""

import json
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.testing import cuda_on_cpu as emulate
from minigrad.testing import cupy_memory_on_cpu as standin_memory
from minigrad.testing import cupy_on_cpu as standin


def test_the_backend_takes_it_for_a_gpu(cupy):
    assert mg.cuda.is_available()
    assert mg.ones(2, device="cuda").device == "cuda:0"
    assert isinstance(mg.ones(2, device="cuda").data, standin.ndarray)


@pytest.mark.parametrize(
    "stray",
    [
        lambda a, host: np.asarray(a),
        lambda a, host: np.array(a),
        lambda a, host: np.sqrt(a),
        lambda a, host: np.add(a, a),
        lambda a, host: np.concatenate([a, a]),
        lambda a, host: a + host,
        lambda a, host: host * a,
        lambda a, host: a.__iadd__(host),
        lambda a, host: a.__setitem__(slice(None), host),
        lambda a, host: np.copyto(host, a),
        lambda a, host: host.__setitem__(0, a),
        lambda a, host: host.__setitem__(slice(None), a),
    ],
)
def test_host_and_device_do_not_mix(cupy, stray):
    with pytest.raises((TypeError, ValueError)):
        stray(cupy.ones(3), np.ones(3))


def test_what_cupy_lacks_is_missing(cupy):
    with pytest.raises(AttributeError, match="has no 'vecdot'"):
        cupy.vecdot(cupy.ones(3), cupy.ones(3))
    with pytest.raises(AttributeError, match="have no 'setflags'"):
        cupy.ones(3).setflags(write=False)
    with pytest.raises(TypeError, match="no keyword where"):
        cupy.add(cupy.ones(3), 1, where=cupy.ones(3, bool))
    with pytest.raises(TypeError, match="no keyword initial"):
        cupy.sum(cupy.ones(3), initial=1)


def test_results_stay_on_the_device_and_transfers_are_counted(cupy):
    standin.transfers.clear()
    total = cupy.ones((2, 3)).sum()
    assert isinstance(total, standin.ndarray)
    assert total.shape == ()
    assert isinstance(np.float32(2) * total, standin.ndarray)
    assert not standin.transfers
    assert float(total) == 6
    assert standin.transfers == {"to host": 1}
    out = cupy.empty(3)
    assert cupy.add(cupy.ones(3), 1, out=out) is out
    assert out.tolist() == [2, 2, 2]


OWN = {"count", "hooks", "allocator", "put", "run", "asked", "executed", "seen"}  # not CuPy's


def test_the_pool_and_the_streams_have_no_names_of_their_own(cupy):
    known = json.loads(Path(standin.__file__).with_name("cupy_cuda_names.json").read_text())
    kinds = {
        "cuda": cupy.cuda, "memory": cupy.cuda.memory, "runtime": cupy.cuda.runtime,
        "MemoryPool": standin_memory.MemoryPool, "MemoryHook": standin_memory.MemoryHook,
        "Stream": standin_memory.Stream, "Event": standin_memory.Event,
    }  # fmt: skip
    for kind, thing in kinds.items():
        ours = {name for name in vars(thing) if not name.startswith("_")} - OWN
        assert ours <= set(known[kind]), kind


def test_a_copy_is_as_late_as_its_stream_allows(cupy):
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        array = cupy.asarray(np.arange(3))
    assert array.tolist() != [0, 1, 2]
    assert not stream.done
    cupy.cuda.get_current_stream().wait_event(stream.record())
    assert array.tolist() == [0, 1, 2]
    with pytest.raises(standin_memory.RaceError, match="waits for the null stream"):
        cupy.cuda.Stream()


@pytest.mark.skipif(emulate.COMPILER is None, reason="no C++ compiler (g++, clang++)")
def test_a_kernel_takes_a_numpy_structure_by_value_but_no_numpy_array(cupy):
    pair = np.array((3, 4), np.dtype([("a", "i4"), ("b", "i4")]))
    out = cupy.zeros(1, np.int32)
    code = """
    struct Pair { int a, b; };
    extern "C" __global__ void f(int* out, Pair pair) { out[0] = 10 * pair.a + pair.b; }
    """
    function = cupy.RawModule(code=code).get_function("f")
    function((1,), (1,), (out, pair))
    assert out.tolist() == [34]
    with pytest.raises(TypeError, match=r"numpy\.ndarray of shape"):
        function((1,), (1,), (out, np.zeros(2, np.int32)))
