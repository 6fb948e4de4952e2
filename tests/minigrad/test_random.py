"""Random numbers from a counter: known answers, uniformity, seeding and resuming."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import threefry
from minigrad.kernels.fast import threefry as fast_threefry
from minigrad.kernels.threefry import Key, normal, random_bits, threefry2x32, uniform
from minigrad.random import Generator, default_generator


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers_of_threefry(counter, key, expected):
    # Random123's kat_vectors, threefry2x32 with 20 rounds.
    words = threefry2x32(key, *(np.array([c], np.uint32) for c in counter))
    assert tuple(int(w[0]) for w in words) == expected


def test_bits_are_threefry_of_seed_index_and_draw():
    key = Key(0x0370734413198A2E, 5)
    a, b = threefry2x32(
        (0x13198A2E, 0x03707344), np.arange(3, dtype=np.uint32), np.full(3, 5, np.uint32)
    )
    np.testing.assert_array_equal(random_bits(key, 6), [*a, *b])


@pytest.mark.parametrize("count", [0, 1, 2, 7, 2 * fast_threefry.BLOCK + 3])
def test_any_count(count):
    assert random_bits(Key(1, 2), count).shape == (count,)
    assert uniform(Key(1, 2), (count,)).shape == (count,)
    assert normal(Key(1, 2), (count,), np.float64).shape == (count,)


def test_bits_do_not_depend_on_the_number_of_threads():
    before = mg.get_num_threads()
    try:
        draws = []
        for threads in (1, 3):
            mg.set_num_threads(threads)
            draws.append(random_bits(Key(9, 9), 300_001))
    finally:
        mg.set_num_threads(before)
    np.testing.assert_array_equal(*draws)


def test_each_bit_is_set_half_the_time():
    bits = random_bits(Key(3, 0), 200_000)
    shares = [(bits >> np.uint32(i) & np.uint32(1)).mean() for i in range(32)]
    assert np.abs(np.array(shares) - 0.5).max() < 4.5 * 0.5 / np.sqrt(bits.size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform(dtype):
    u = uniform(Key(4, 1), (100, 2000), dtype)
    assert u.dtype == dtype
    assert 0 <= u.min() < 1e-4
    assert 1 - 1e-4 < u.max() < 1
    counts = np.histogram(u, 100, (0, 1))[0]
    chi_squared = ((counts - u.size / 100) ** 2 / (u.size / 100)).sum()
    assert chi_squared < 99 + 5 * np.sqrt(2 * 99)
    neighbours = np.corrcoef(u[:, :-1].ravel(), u[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 5 / np.sqrt(u.size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal(dtype):
    z = normal(Key(4, 2), (200_000,), dtype)
    assert z.dtype == dtype
    assert np.isfinite(z).all()
    root = np.sqrt(z.size)
    assert abs(z.mean()) < 5 / root
    assert abs((z**2).mean() - 1) < 5 * np.sqrt(2) / root
    assert abs((z**3).mean()) < 5 * np.sqrt(15) / root
    assert abs((z**4).mean() - 3) < 5 * np.sqrt(96) / root
    halves = np.corrcoef(z[: z.size // 2], z[z.size // 2 :])[0, 1]  # sine and cosine of one pair
    assert abs(halves) < 5 / np.sqrt(z.size / 2)


def test_normal_numbers_of_the_first_and_the_last_word(monkeypatch):
    """Box and Muller's logarithm never sees 0: words stand for the middle of their interval."""
    words = np.uint32([0, 2**32 - 1])

    def pairs(key, count, xp, finish, dtype):
        return np.stack(finish(words, np.uint32([0, 0]))).astype(dtype)

    monkeypatch.setattr(threefry, "random_pairs", pairs)
    found = normal(Key(0, 0), (4,), np.float64)
    expected = [np.sqrt(-2 * np.log(2.0**-33)), np.sqrt(-2 * np.log1p(-(2.0**-33))), 0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_draws_and_seeds_are_unrelated():
    draws = [uniform(Key(seed, stream), (50_000,)) for seed in (0, 1, 2**40) for stream in (0, 1)]
    correlation = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlation).max() < 5 / np.sqrt(50_000)


def test_state_resumes_the_stream():
    generator = Generator(5)
    generator.next_key()
    state = generator.state
    keys = [generator.next_key() for _ in range(3)]
    resumed = Generator()
    resumed.state = state
    assert [resumed.next_key() for _ in range(3)] == keys
    assert len(set(keys)) == 3


def test_state_of_the_default_generator_resumes_everything():
    mg.manual_seed(11)
    mg.randn(3)
    state = default_generator.state

    def draw():
        layer = mg.nn.Linear(3, 2)
        return [mg.randn(4).data, mg.rand(4).data, layer.weight.data, mg.dropout(mg.ones(9)).data]

    first = draw()
    default_generator.state = state
    for one, other in zip(first, draw(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", [0, -1, 2**64 - 1, 2**70, np.int64(3)])
def test_any_integer_is_a_seed(seed):
    generator = Generator(seed)
    assert generator.state == (int(seed) % 2**64, 0)
    assert random_bits(generator.next_key(), 2).dtype == np.uint32


@pytest.mark.parametrize("length", [7, 8])
@pytest.mark.parametrize("of", [1, 5, 6])
def test_rows_of_a_draw_are_those_of_the_whole(of, length):
    whole = random_bits(Key(5, 3), of * length).reshape(of, length)
    for first in range(of):
        for rows in range(1, of - first + 1):
            found = threefry.row_bits(Key(5, 3, first, of), rows, length)
            np.testing.assert_array_equal(found.reshape(rows, length), whole[first : first + rows])


@pytest.mark.parametrize("drop", [mg.dropout, mg.paper_dropout])
def test_parts_of_a_batch_are_dropped_out_as_the_whole(drop):
    x = mg.randn(6, 3, 5, requires_grad=True)
    mg.manual_seed(4)
    whole = drop(x, 0.4)
    whole.sum().backward()
    after = default_generator.state
    for part in (slice(0, 2), slice(2, 3), slice(3, 6)):
        mg.manual_seed(4)
        own = mg.tensor(x.data[part], requires_grad=True)
        with default_generator.rows(part.start, 6):
            found = drop(own, 0.4)
        found.sum().backward()
        np.testing.assert_array_equal(found.data, whole.data[part])
        np.testing.assert_array_equal(own.grad.data, x.grad.data[part])
    assert default_generator.state == after
    mg.manual_seed(4)
    np.testing.assert_array_equal(drop(x, 0.4).data, whole.data)
