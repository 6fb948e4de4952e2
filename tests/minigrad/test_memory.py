"""The pool of reused buffers."""

import gc
import threading

import numpy as np
import pytest

from minigrad.kernels.fast.memory import SMALLEST, BufferPool, empty

LARGE = SMALLEST * 2


@pytest.fixture
def pool():
    return BufferPool()


def address(array):
    return array.__array_interface__["data"][0]


def test_a_buffer_is_reused_when_its_last_view_has_gone(pool):
    gc.disable()
    try:
        array = pool.empty((LARGE,), np.uint8)
        place, view = address(array), array[10:20].reshape(2, 5)
        del array
        assert pool.free_bytes == 0  # the view still holds it
        other = pool.empty((LARGE,), np.uint8)
        assert address(other) != place
        del view
        assert pool.free_bytes == LARGE
        assert address(pool.empty((LARGE // 8,), np.float64)) == place
    finally:
        gc.enable()


def test_arrays_in_use_never_overlap(pool):
    held = []
    for step in range(200):
        array = pool.empty((LARGE + step,), np.uint8)
        array[...] = step % 251
        held.append((step % 251, array))
        if step % 3 == 0:
            del held[step % len(held)]
    for value, array in held:
        assert (array == value).all()


def test_small_arrays_do_not_go_through_the_pool(pool):
    array = pool.empty((SMALLEST - 1,), np.uint8)
    del array
    assert pool.free_bytes == 0


@pytest.mark.parametrize("dtype", [np.float32, np.complex128, bool, np.uint16])
def test_arrays_are_like_those_of_numpy_empty(pool, dtype):
    array = pool.empty((300, 1001), dtype)
    assert array.shape == (300, 1001)
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert address(array) % 16 == 0


def test_a_much_larger_buffer_is_not_taken(pool):
    array = pool.empty((LARGE * 4,), np.uint8)
    del array
    small = pool.empty((LARGE,), np.uint8)
    assert small.nbytes == LARGE
    assert pool.free_bytes == LARGE * 4


def test_the_closest_fit_is_taken(pool):
    close, closer = (pool.empty((n,), np.uint8) for n in (LARGE + 4000, LARGE + 40))
    place = address(closer)
    del close, closer
    assert address(pool.empty((LARGE,), np.uint8)) == place


def test_the_limit_drops_what_has_been_free_for_longest():
    pool = BufferPool(most_free=2 * LARGE)
    arrays = [pool.empty((LARGE + i * 1000,), np.uint8) for i in range(4)]
    while arrays:
        del arrays[0]
        assert pool.free_bytes <= 2 * LARGE
    assert pool.free_bytes > 0


def test_clear_gives_everything_back(pool):
    array = pool.empty((LARGE,), np.uint8)
    del array
    pool.clear()
    assert pool.free_bytes == 0


def test_threads_share_a_pool(pool):
    wrong = []

    def work(value):
        for _ in range(100):
            array = pool.empty((LARGE,), np.uint8)
            array[...] = value
            if (array != value).any():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert pool.free_bytes <= 8 * LARGE  # a thread holds the old array while it asks for the new


def test_an_empty_shape():
    assert empty(np, (0, 5), np.float32).shape == (0, 5)
