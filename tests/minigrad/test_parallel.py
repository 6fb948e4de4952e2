"""The batch split over threads: coverage, order, nesting, exceptions, BLAS."""

import os
import sys
import threading
import time
from types import ModuleType

import numpy as np
import pytest

from minigrad.kernels.conv import conv2d_backward, conv2d_forward
from minigrad.kernels.fast import conv as fast_conv
from minigrad.kernels.fast import parallel
from minigrad.kernels.fast.memory import scratch
from minigrad.kernels.fast.parallel import over_batch


@pytest.fixture
def threads():
    """Sets the number of threads and puts it back."""
    before = parallel.get_num_threads()
    yield parallel.set_num_threads
    parallel.set_num_threads(before)


def blas_threads():
    """Of the BLAS that NumPy uses; SciPy may have brought one of its own since."""
    return {lib["num_threads"] for lib in parallel._blas().info()}


@pytest.mark.parametrize("count", [0, 1, 5, 16, 17])
@pytest.mark.parametrize("chunk", [1, 4, 100])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_index_is_done_once_and_results_come_in_order(threads, count, chunk, number):
    threads(number)
    def lane(parts):
        return [i for part in parts for i in range(part.start, part.stop)]

    lanes = over_batch(np, lane, count, chunk)
    assert [i for lane in lanes for i in lane] == list(range(count))
    assert len(lanes) <= number
    parts = [part for lane in over_batch(np, list, count, chunk) for part in lane]
    assert all(0 < part.stop - part.start <= chunk for part in parts)


def test_work_is_done_on_several_threads_at_once(threads):
    threads(2)
    barrier = threading.Barrier(2, timeout=20)  # passes only if both lanes are inside
    over_batch(np, lambda parts: barrier.wait(), 2, 1)


def test_a_gpu_needs_no_threads(threads):
    threads(2)
    gpu = ModuleType("cupy")
    assert over_batch(gpu, lambda parts: (threading.get_ident(), len(parts)), 7, 2) == [
        (threading.get_ident(), 4)
    ]
    assert over_batch(gpu, len, 0, 2) == []


def test_blas_has_one_thread_inside_and_all_outside(threads):
    threads(2)
    outside = blas_threads()
    inside = over_batch(np, lambda slices: blas_threads(), 4, 1)
    assert inside == [{1}, {1}]
    assert blas_threads() == outside == {2}


def test_nested_splits_do_not_deadlock(threads):
    threads(2)
    done = []

    def outer(parts):
        for a in parts:
            starts = over_batch(np, lambda inner: [b.start for b in inner], 3, 1)
            done.extend((a.start, b) for lane in starts for b in lane)

    over_batch(np, outer, 4, 1)
    assert sorted(done) == [(a, b) for a in range(4) for b in range(3)]


def test_several_callers_do_not_deadlock(threads):
    threads(2)
    done = []
    callers = [
        threading.Thread(
            target=over_batch, args=(np, lambda parts: done.extend(p.start for p in parts), 50, 1)
        )
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=20)
        assert not caller.is_alive()
    assert sorted(done) == sorted(list(range(50)) * 4)


def test_an_exception_comes_out_after_all_lanes_have_stopped(threads):
    threads(2)
    finished = []

    def task(slices):
        if slices[0].start == 0:
            raise KeyError("in a lane")
        time.sleep(0.05)
        finished.append(True)

    with pytest.raises(KeyError, match="in a lane"):
        over_batch(np, task, 4, 1)
    assert finished == [True]
    assert blas_threads() == {2}
    assert over_batch(np, len, 4, 1) == [2, 2]  # and the threads go on working


def test_errstate_of_the_caller_holds_in_the_threads(threads):
    threads(2)
    with np.errstate(divide="ignore"):
        over_batch(np, lambda parts: np.ones(1) / np.zeros(1), 2, 1)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        over_batch(np, lambda parts: np.ones(1) / np.zeros(1), 2, 1)


def test_scratch_is_reused_by_name_and_is_a_threads_own(threads):
    threads(2)
    one, again = scratch(np, "test", (10,), np.float64), scratch(np, "test", (5,), np.float64)
    assert np.shares_memory(one, again)
    assert not np.shares_memory(one, scratch(np, "other", (10,), np.float64))
    barrier = threading.Barrier(2, timeout=20)

    def lane(slices):
        array = scratch(np, "test", (10,), np.float64)
        barrier.wait()
        return array

    first, second = over_batch(np, lane, 2, 1)
    assert not np.shares_memory(first, second)


@pytest.mark.parametrize("number", [0, -1])
def test_number_of_threads_must_be_positive(number):
    with pytest.raises(ValueError, match="at least 1"):
        parallel.set_num_threads(number)


def test_number_of_threads_from_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert parallel.default_threads() == 3
    monkeypatch.setenv("MINIGRAD_NUM_THREADS", "5")
    assert parallel.default_threads() == 5
    monkeypatch.setenv("MINIGRAD_NUM_THREADS", "many")
    assert parallel.default_threads() == 3


@pytest.mark.parametrize(("cores", "expected"), [(6, 6), (None, 1)])
def test_number_of_threads_where_no_affinity_is_known(monkeypatch, cores, expected):
    for name in ("OMP_NUM_THREADS", "MINIGRAD_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert parallel.default_threads() == expected


def test_convolution_gives_the_same_bits_each_time_and_the_same_numbers_on_any_threads(
    threads, monkeypatch
):
    monkeypatch.setattr(fast_conv, "WORKSPACE", 2**20)  # three images: each thread gets a part
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(7, 3, 40, 40)), rng.normal(size=(4, 3, 3, 3))
    results = []
    for number in (1, 2, 2, 3):
        threads(number)
        y = conv2d_forward(x, w)
        results.append([y, *conv2d_backward(y, x, w)])
    for one, other in zip(results[1], results[2], strict=True):
        assert one.tobytes() == other.tobytes()
    for result in results[1:]:
        for one, other in zip(results[0], result, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-10)


def test_an_executor_has_the_threads_asked_for_or_one_for_each_core():
    for asked, expected in ((3, 3), (None, os.cpu_count())):
        with parallel.executor(asked) as pool:
            assert pool._max_workers == expected


def test_without_threads_the_caller_does_the_work(threads, monkeypatch):
    threads(2)
    monkeypatch.setattr(sys, "platform", "emscripten")  # Python in a browser
    monkeypatch.setattr(threading.Thread, "start", None)
    assert parallel.get_num_threads() == 1
    assert over_batch(np, lambda parts: len(parts), 10, 3) == [4]
    with parallel.executor(4) as pool:
        assert list(pool.map(str, range(3))) == ["0", "1", "2"]
        assert isinstance(pool.submit(int, "x").exception(), ValueError)
