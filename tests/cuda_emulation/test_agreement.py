"""The bound that holds the GPU to the CPU: what passes, and what does not."""

import numpy as np
import pytest
from agreement import assert_as_near


def test_roundings_pass_and_tf32_does_not():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 64, 300)).astype(np.float32)
    exact = a.astype(np.float64) @ b.T.astype(np.float64)
    cpu = a @ b.T
    backwards = a[:, ::-1].copy() @ b.T[::-1].copy()
    assert_as_near(backwards, cpu, exact)
    assert_as_near(backwards.astype(np.float64) * 0 + exact * (1 + 2e-16), cpu, exact)
    with pytest.raises(AssertionError, match="from float64, at most"):
        assert_as_near(backwards.astype(np.float64), cpu, exact)  # float32 in float64's clothes
    bits = np.uint32(0xFFFFE000)  # 10 bits of mantissa
    short = (a.view(np.uint32) & bits).view(np.float32)
    with pytest.raises(AssertionError, match="from float64, at most"):
        assert_as_near(short @ b.T, cpu, exact)
