"""How near two devices must be to each other: as near to the truth as the CPU is, times a margin.

Two devices add up in different orders and round their own ways, so they never agree to the last
bit, and what a rounding grows to depends on the network and the number of steps. So the bound is
measured: the truth is the CPU's result in float64, and the GPU's float32 result may be `MARGIN`
times as far from it as the CPU's float32 result is. In float64 the bound is smaller by the ratio of
the two roundings, 2**29. Numbers of 10 bits (tf32) are 2**13 times as far, and do not pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MARGIN = 16  # other orders of addition, fused multiply-adds, and GPUs' exp and pow of 2 to 4 ulp
SINGLE, DOUBLE = np.finfo(np.float32).eps, np.finfo(np.float64).eps


def assert_as_near(found: Any, cpu: Any, exact: Any, what: str = "") -> None:
    """found: on the GPU, in float32 or float64; cpu: in float32; exact: on the CPU in float64.

    The CPU may be near by chance: what one rounding of the largest number makes counts at least.
    """
    found, cpu, exact = (np.asarray(a) for a in (found, cpu, exact))
    assert exact.dtype == np.float64
    assert found.shape == cpu.shape == exact.shape
    error = max(np.abs(cpu - exact).max(), SINGLE * np.abs(exact).max())
    bound = MARGIN * error * (1 if found.dtype == np.float32 else DOUBLE / SINGLE)
    worst = np.abs(found - exact).max()
    assert worst <= bound, f"{what}: {worst:.2e} from float64, at most {bound:.2e} was expected"
