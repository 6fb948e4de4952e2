"""For tests of code for a GPU, where there is none.

`run_cuda` runs a CUDA kernel through a C++ compiler on the CPU, `check_orders` does so in every
order of threads and looks for data races, `stand_in_for_cupy` lets device "cuda" work. `problem`
says why CUDA C cannot be run here.
"""

from .launch import problem, run_cuda
from .orders import Orders, check_orders
from .stand_in import stand_in_for_cupy

__all__ = ["Orders", "check_orders", "problem", "run_cuda", "stand_in_for_cupy"]
