"""Batches on their way to the device: on time, unharmed, and from pinned memory."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.data import DataLoader, Dataset, prefetch
from minigrad.data.prefetch import MOST_UNDER_WAY
from minigrad.testing import cupy_memory_on_cpu as memory


class Pictures(Dataset):
    """Large noise, and its number."""

    def __len__(self):
        return 12

    def sample(self, index, rng):
        return rng.integers(0, 256, (160, 160, 3), np.uint8), index


def batches(pin, workers=2):
    return DataLoader(
        Pictures(), 2, num_workers=workers, pin_memory=pin, pin_memory_device="cuda"
    ).batches(0)


def differences():
    """How far what a consumer computes on the device is from what the host has, and the labels."""
    expected = [images.data.astype(np.int64).sum() for images, _ in batches(False)]
    found, labels = [], []
    for images, numbers in prefetch(batches(True), "cuda"):
        assert images.device == "cuda:0"
        found.append(images.data.astype(np.int64).sum())
        labels += numbers.data.tolist()
    assert labels == list(range(12))
    return [int(f) - int(e) for f, e in zip(found, expected, strict=True)]


@pytest.mark.parametrize("times", [1, pytest.param(50, marks=pytest.mark.gpu)])
def test_a_batch_arrives_as_it_was(cupy, times):
    for _ in range(times):
        assert differences() == [0] * 6


def test_on_the_cpu_nothing_is_done():
    given = [(mg.ones(2), mg.zeros(2))]
    assert list(prefetch(given, "cpu")) == given
    assert prefetch(iter(given), "cpu").__class__ is iter(given).__class__


def test_what_is_on_the_device_already_stays_there(cupy):
    images = mg.ones(3, device="cuda")
    ((found, other),) = prefetch([(images, 7)], "cuda")
    assert found.data is images.data
    assert other == 7


def test_one_batch_travels_while_another_is_in_hand(cupy, monkeypatch):
    streams = []
    made = memory.Stream
    monkeypatch.setattr(cupy.cuda, "Stream", lambda **o: streams.append(made(**o)) or streams[-1])
    feed = prefetch(batches(False), "cuda")
    for done in range(1, 6):
        next(feed)
        assert (streams[0].executed, streams[0].asked) == (done, done + 1)
    next(feed)
    assert streams[0].done
    with pytest.raises(StopIteration):
        next(feed)


def test_the_host_does_not_run_far_ahead(cupy, monkeypatch):
    """Without an event that comes, copies would pile up, and pinned memory with them."""
    monkeypatch.setattr(memory.Event, "done", False)
    longest = 0
    feed = prefetch(batches(True), "cuda")
    for _ in feed:
        longest = max(longest, len(feed.gi_frame.f_locals["lane"].under_way))
    assert longest == MOST_UNDER_WAY


def test_large_fields_are_pinned_and_small_ones_are_not(cupy):
    memory.pinned.clear()
    images, labels = next(batches(True))
    assert memory.pinned_owner(images.data) is not None
    assert memory.pinned_owner(labels.data) is None
    assert memory.pinned_owner(next(batches(False))[0].data) is None


def test_a_run_that_ends_early_leaves_nothing_behind(cupy):
    feed = prefetch(batches(True), "cuda")
    next(feed)
    used = memory.pool.used_bytes()
    feed.close()
    assert memory.pool.used_bytes() < used


# ----- what the stand-in would notice -----


def test_computing_on_what_has_not_arrived_is_noticed(cupy, monkeypatch):
    wait = memory.Stream.wait_event
    monkeypatch.setattr(
        memory.Stream, "wait_event",
        lambda self, event: None if self is memory.Stream.null else wait(self, event),
    )  # fmt: skip
    assert any(differences())


def test_copying_over_what_may_still_be_read_is_noticed(cupy, monkeypatch):
    wait = memory.Stream.wait_event
    monkeypatch.setattr(
        memory.Stream, "wait_event",
        lambda self, event: wait(self, event) if self is memory.Stream.null else None,
    )  # fmt: skip
    with pytest.raises(memory.RaceError, match="overwrite memory"):
        differences()


def test_pinned_memory_that_goes_too_early_is_noticed(cupy):
    feed = prefetch(batches(True), "cuda")
    feed.gi_frame.f_locals["lane"].under_way = Forgetful()
    with pytest.raises(memory.RaceError, match="freed while its copy was under way"):
        list(feed)


class Forgetful(list):
    """A list that keeps nothing."""

    def append(self, item):
        pass
