"""DataLoader: fixed order, numbers that do not depend on the workers, clean ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad.core import Tensor
from minigrad.data import DataLoader, Dataset, LoaderError, SkipSample, Subset, TensorDataset


class Noisy(Dataset):
    """Sample i is (random image, i, i / 2), later samples ready before earlier ones."""

    def __init__(self, size: int = 23, bad: tuple[int, ...] = (), broken: int = -1) -> None:
        self.size, self.bad, self.broken = size, bad, broken
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Any:
        raise AssertionError("the loader must ask for sample()")

    def sample(self, index: int, rng: np.random.Generator) -> Any:
        self.asked.append(index)
        if index in self.bad:
            raise SkipSample("cut short")
        if index == self.broken:
            raise KeyError("no such thing")
        time.sleep(0.0005 * (index % 3))
        return rng.random((3, 2), dtype=np.float32), index, index / 2

    def describe(self, index: int) -> str:
        return f"cats/{index}.jpg"


def flat(batches: Any) -> list[tuple[bytes, ...]]:
    return [tuple(field.numpy().tobytes() for field in batch) for batch in batches]


def loader_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("minigrad-loader")]


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    assert loader_threads() == []


@pytest.mark.parametrize("prefetch", [1, 4])
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_number_of_workers_does_not_change_the_numbers(workers: int, prefetch: int) -> None:
    def numbers(workers: int) -> Any:
        loader = DataLoader(
            Noisy(bad=(4, 5)), 5, shuffle=True, num_workers=workers, seed=3, prefetch=prefetch
        )
        return flat(loader), flat(loader), loader.skipped

    assert numbers(workers) == numbers(0)


def test_fields_get_the_promised_types_and_shapes() -> None:
    image, label, half = next(DataLoader(Noisy(), 4).batches(0))
    assert isinstance(image, Tensor)
    assert (image.shape, image.dtype) == ((4, 3, 2), np.float32)
    assert (label.shape, label.dtype) == ((4,), np.int64)
    assert half.dtype == np.float32
    assert half.numpy().tolist() == [0, 0.5, 1, 1.5]


def test_single_array_gives_a_single_tensor_and_keeps_its_dtype() -> None:
    data = np.arange(12, dtype=np.uint8).reshape(6, 2)

    class Rows(Dataset):
        def __len__(self) -> int:
            return 6

        def __getitem__(self, index: int) -> Any:
            return data[index]

    batches = list(DataLoader(Rows(), 4))
    assert all(isinstance(batch, Tensor) and batch.dtype == np.uint8 for batch in batches)
    np.testing.assert_array_equal(np.concatenate([b.numpy() for b in batches]), data)


@pytest.mark.parametrize(
    "data",
    [
        np.array([1e300, 16777217.0]), np.array([2**63 + 5] * 2, np.uint64), np.ones(2, complex),
        *(np.ones(2, dtype) for dtype in ("bool", "u1", "i1", "u2", "i2", "i4", "f2", "f4", "c8")),
    ],
    ids=lambda data: str(data.dtype),
)  # fmt: skip
@pytest.mark.parametrize("columns", [(), (1,), (2, 3)])
def test_a_batch_has_the_dtype_and_the_numbers_of_its_samples(data: Any, columns: Any) -> None:
    data = np.broadcast_to(data.reshape(2, *[1] * len(columns)), (2, *columns))
    (batch,) = next(iter(DataLoader(TensorDataset(data), 2)))
    assert batch.dtype == data.dtype
    np.testing.assert_array_equal(batch.data, data)


def test_big_endian_and_masked_and_listed_samples() -> None:
    data = TensorDataset(np.ones(2, ">f8"), np.ma.array([[1, 2], [3, 4]]), [1, 2], [0.5, 1.5])
    fields = next(iter(DataLoader(data, 2)))
    assert [str(f.dtype) for f in fields] == ["float64", "int64", "int64", "float32"]
    assert all(f.dtype.isnative and type(f.data) is np.ndarray for f in fields)


def test_samples_of_torch() -> None:
    torch = pytest.importorskip("torch")
    (batch,) = next(iter(DataLoader(TensorDataset(torch.ones(2, 3, dtype=torch.int16)), 2)))
    assert batch.dtype == np.int16


def test_every_sample_comes_once_per_epoch_and_epochs_differ() -> None:
    loader = DataLoader(Noisy(), 4, shuffle=True, seed=1)
    first, second = ([batch[1].numpy() for batch in loader] for _ in range(2))
    assert sorted(np.concatenate(first)) == sorted(np.concatenate(second)) == list(range(23))
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()
    assert loader.epoch == 2


def test_a_sample_is_augmented_anew_each_epoch_from_seed_epoch_and_index_alone() -> None:
    def image_of_7(loader: DataLoader, epoch: int) -> bytes:
        for image, label, _ in loader.batches(epoch):
            if 7 in label.numpy():
                return image.numpy()[label.numpy() == 7].tobytes()
        raise AssertionError

    plain, shuffled = DataLoader(Noisy(), 4), DataLoader(Noisy(30), 3, shuffle=True)
    assert image_of_7(plain, 0) == image_of_7(shuffled, 0)
    assert image_of_7(plain, 0) != image_of_7(plain, 1)
    assert image_of_7(plain, 0) != image_of_7(DataLoader(Noisy(), 4, seed=1), 0)
    expected = np.random.default_rng(np.random.SeedSequence([0, 2, 7])).random((3, 2), np.float32)
    assert image_of_7(plain, 2) == expected.tobytes()


def test_without_threads_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = flat(DataLoader(Noisy(), 5, shuffle=True, seed=4))
    monkeypatch.setattr(sys, "platform", "emscripten")  # Python in a browser
    monkeypatch.setattr(threading.Thread, "start", None)
    assert flat(DataLoader(Noisy(), 5, shuffle=True, seed=4, num_workers=2)) == reference


@pytest.mark.parametrize("workers", [0, 2])
def test_resume_equals_the_tail_and_loads_nothing_before_it(workers: int) -> None:
    whole = flat(DataLoader(Noisy(), 4, shuffle=True, seed=5).batches(3))
    for start in range(7):
        data = Noisy()
        loader = DataLoader(data, 4, shuffle=True, num_workers=workers, seed=5)
        assert flat(loader.batches(3, start)) == whole[start:]
        assert sorted(data.asked) == sorted(loader.order(3)[4 * start :])
        assert loader.epoch == 0


@pytest.mark.parametrize(("size", "drop", "lengths"), [(23, False, 6), (23, True, 5), (20, True, 5),
                                                       (3, True, 0), (0, False, 0)])  # fmt: skip
def test_length_is_what_is_yielded(size: int, drop: bool, lengths: int) -> None:
    loader = DataLoader(Noisy(size), 4, drop_last=drop, num_workers=2)
    assert len(loader) == lengths == len(list(loader))


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_samples_are_left_out_and_noted_once(workers: int) -> None:
    loader = DataLoader(Noisy(12, bad=(1, 4, 5, 6, 7)), 4, num_workers=workers)
    for _ in range(2):
        labels = [batch[1].numpy().tolist() for batch in loader]
        assert labels == [[0, 2, 3], [8, 9, 10, 11]]  # a batch with nothing left is not yielded
    assert [s.index for s in loader.skipped] == [1, 4, 5, 6, 7]
    assert loader.skipped[0] == (1, "cats/1.jpg", "cut short")


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_failure_names_the_sample_and_keeps_its_cause(workers: int) -> None:
    loader = DataLoader(Noisy(broken=9), 4, num_workers=workers)
    seen = []

    def consume() -> None:
        for batch in loader:
            seen.extend(batch[1].numpy().tolist())

    with pytest.raises(LoaderError, match=r"cats/9\.jpg \(index 9\): KeyError") as caught:
        consume()
    assert seen == list(range(8))
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_worker_that_is_told_to_exit_does_not_leave_the_consumer_waiting() -> None:
    class Exits(Noisy):
        def sample(self, index: int, rng: np.random.Generator) -> Any:
            sys.exit(3)

    with pytest.raises(SystemExit):
        next(DataLoader(Exits(), num_workers=2).batches(0))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (
            (np.zeros((2, 2), np.float32), 1),
            r"cats/6\.jpg .* cats/4\.jpg: shape of field 0 is \(2, 2\)",
        ),
        ((np.zeros(3), 1), "dtype of field 0 is float64, expected float32"),
        ((np.zeros(3, np.float32), 1.5), "dtype of field 1 is float32, expected int64"),
        ((np.zeros(3, np.float32),), "number of fields is 1, expected 2"),
        (np.zeros(3, np.float32), "number of fields is ndarray, expected 2"),
        ((np.zeros(3, np.float32), "cat"), r"cats/6\.jpg .* field 1 is a str"),
    ],
)
def test_samples_that_do_not_fit_are_named(workers: int, odd: Any, message: str) -> None:
    class Odd(Noisy):
        def sample(self, index: int, rng: np.random.Generator) -> Any:
            return odd if index == 6 else (np.zeros(3, np.float32), index)

    with pytest.raises(LoaderError, match=message):
        list(DataLoader(Odd(), 4, num_workers=workers))


def test_breaking_out_stops_the_threads_and_the_work() -> None:
    data = Noisy(1000)
    for i, _ in enumerate(DataLoader(data, 10, num_workers=2, prefetch=2)):
        assert len(loader_threads()) == 2
        if i == 1:
            break
    assert loader_threads() == []
    assert len(data.asked) <= 40  # two handed out, two ahead


def test_an_exception_in_the_consumer_stops_the_threads() -> None:
    def consume() -> None:
        for _ in DataLoader(Noisy(100), 10, num_workers=2):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    assert loader_threads() == []


def test_dropping_an_iterator_stops_the_threads_without_the_garbage_collector() -> None:
    batches = DataLoader(Noisy(100), 10, num_workers=2).batches(0)
    next(batches)
    assert loader_threads()
    del batches
    assert loader_threads() == []


def test_workers_share_the_first_batch() -> None:
    """All threads work on the batch that is wanted first, not on one batch each."""
    together = threading.Barrier(4, timeout=10)

    class Meets(Noisy):
        def sample(self, index: int, rng: np.random.Generator) -> Any:
            together.wait()
            return index

    batch = next(DataLoader(Meets(4), 4, num_workers=4, prefetch=1).batches(0))
    assert batch.numpy().tolist() == [0, 1, 2, 3]


def test_loading_runs_ahead_of_the_consumer_within_bounds() -> None:
    data = Noisy(1000)
    batches = DataLoader(data, 10, num_workers=2, prefetch=3).batches(0)
    next(batches)
    deadline = time.monotonic() + 10
    while len(data.asked) < 40 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    assert len(data.asked) == 40
    batches.close()  # type: ignore[attr-defined]


SCRIPT = """
import signal, sys, threading, time
import numpy as np
from minigrad.data import DataLoader, Dataset

# A process started in the background by a shell ignores SIGINT, and its children do.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Slow(Dataset):
    def __len__(self):
        return 100000
    def __getitem__(self, index):
        time.sleep(0.002)
        return np.zeros(3, np.float32)

batches = iter(DataLoader(Slow(), 4, num_workers=3))
next(batches)
print("started", flush=True)
"""
INTERRUPTED = """
try:
    for batch in batches:
        {body}
except KeyboardInterrupt:
    batches.close()
    print("left", sum(t.name.startswith("minigrad-loader") for t in threading.enumerate()))
    sys.exit(130)
"""


def finish(script: str, interrupt: bool) -> tuple[str, str, int]:
    """Standard output after "started", standard error and exit status of a Python process."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            if interrupt:
                time.sleep(0.1)
                process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    return out, errors, process.returncode


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to a child there")
@pytest.mark.parametrize("body", ["pass", "time.sleep(0.01)"])
def test_ctrl_c_ends_the_threads_and_the_process(body: str) -> None:
    script = SCRIPT + INTERRUPTED.format(body=body)
    assert finish(script, interrupt=True) == ("left 0\n", "", 130)


def test_interpreter_exits_while_an_iterator_is_alive() -> None:
    assert finish(SCRIPT, interrupt=False) == ("", "", 0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size is 0, expected an integer of at least 1"),
        ({"num_workers": -1}, ValueError, "num_workers is -1"),
        ({"prefetch": 0}, ValueError, "prefetch is 0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"batch_size": 2.5}, TypeError, "batch_size is 2.5"),
        ({"dataset": [1, 2]}, TypeError, "got a list as dataset"),
    ],
)
def test_wrong_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        DataLoader(**{"dataset": Noisy(), **arguments})


def test_pinned_memory_without_a_gpu_is_told_and_does_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("minigrad.data.loader.is_available", lambda: False)
    with pytest.warns(UserWarning, match="no effect without a GPU") as warned:
        loader = DataLoader(Noisy(), 4, pin_memory=True)
    assert warned[0].filename == __file__
    for (x, *_), (y, *_) in zip(loader.batches(0), DataLoader(Noisy(), 4).batches(0), strict=True):
        np.testing.assert_array_equal(x.data, y.data)


def test_start_beyond_the_epoch() -> None:
    with pytest.raises(ValueError, match="start=7, but an epoch has 6 batches"):
        DataLoader(Noisy(), 4).batches(0, 7)


def test_tensor_dataset_and_subset() -> None:
    data = TensorDataset(np.arange(10, dtype=np.float32).reshape(5, 2), Tensor(np.arange(5)))
    rows, labels = next(DataLoader(Subset(data, [4, 1]), 2).batches(0))
    assert rows.numpy().tolist() == [[8, 9], [2, 3]]
    assert labels.numpy().tolist() == [4, 1]
    assert Subset(Noisy(), [3, 8]).describe(1) == "cats/8.jpg"
    assert data.describe(2) == "sample 2"
    with pytest.raises(ValueError, match=r"lengths \[2, 3\]"):
        TensorDataset(np.zeros(2), np.zeros(3))
    with pytest.raises(IndexError, match="got index 5, expected 0 to 4"):
        Subset(data, [5])


@pytest.mark.parametrize("given", [0, 3])
def test_threads_that_the_system_does_not_give_are_done_without(given, monkeypatch):
    start, started = threading.Thread.start, []

    def limited(thread):
        if thread.name.startswith("minigrad-loader"):
            if len(started) == given:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    loader = DataLoader(TensorDataset(np.arange(20)), 4, num_workers=1000)
    assert len(list(loader)) == 5
    assert len(started) == given


@pytest.mark.parametrize("workers", [0, 3])
def test_a_lack_of_memory_is_told_as_one(workers: int) -> None:
    class Hungry(Dataset):
        def __len__(self) -> int:
            return 12

        def __getitem__(self, index: int) -> Any:
            raise MemoryError("8 EiB")

    with pytest.raises(MemoryError, match=r"\(index 0\) was loaded, 8 EiB; fewer") as caught:
        next(iter(DataLoader(Hungry(), 4, num_workers=workers)))
    assert "Mend the sample" not in str(caught.value)


WAITING = """
import os, sys
from minigrad.data import DataLoader, Dataset, workers
workers.PATIENCE = 0.2
class Pipe(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        os.write(1, b"opening\\n")  # in one piece, whichever thread comes first
        return open(sys.argv[1], "rb").read()
next(iter(DataLoader(Pipe(), 2, num_workers=2)))
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes there")
def test_ctrl_c_ends_a_program_whose_worker_waits_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    program = subprocess.Popen(
        [sys.executable, "-c", WAITING, tmp_path / "pipe"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == b"opening\n"
            program.send_signal(signal.SIGINT)
            assert program.wait(30) != 0
        finally:
            program.kill()
