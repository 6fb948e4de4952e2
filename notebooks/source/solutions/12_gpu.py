# %% [markdown]
# # Solutions to notebook 12, the GPU
#
# [The notebook](../12_gpu.ipynb)

# %%
import numpy as np

import minigrad as mg
from alexnet_course import n12_gpu as check
from alexnet_scratch.model import AlexNet
from minigrad.nn import functional as F

# %% [markdown]
# ## Exercise 1: who does what
#
# `range` does all of it: it begins at the thread's number in the grid, goes in steps of the grid, and is empty for a
# thread that begins at n or later.


# %% tags=["solution"]
def elements(n, block_dim, most_blocks):
    blocks = min(-(-n // block_dim), most_blocks)
    return {
        (block, thread): list(range(block * block_dim + thread, n, block_dim * blocks))
        for block in range(blocks)
        for thread in range(block_dim)
    }


# %%
check.elements(elements)

# %% [markdown]
# ## Exercise 2: one thread of max-pooling's backward
#
# It is `windows_of` and the kernel of pool.cu in one. The sum is a variable of the thread, and is written once.


# %% tags=["solution"]
def pool_backward_thread(i, dx, grad, winners, width, size, stride):
    row, column = divmod(i, width)
    total = 0.0
    for u in range(size):
        y = (row - u) // stride
        if (row - u) % stride or not 0 <= y < grad.shape[0]:
            continue
        for v in range(size):
            x = (column - v) // stride
            if (column - v) % stride or not 0 <= x < grad.shape[1]:
                continue
            if winners[y, x] == u * size + v:
                total += grad[y, x]
    dx[i] = total


# %%
check.pool_backward_thread(pool_backward_thread)

# %% [markdown]
# ## Exercise 3: the gradient in parts
#
# A mean over $n$ images is the sum of the parts' means, each times its share of the images.


# %% tags=["solution"]
def gradient_in_parts(gradient, x, labels, most):
    total = 0
    for first in range(0, len(x), most):
        part = slice(first, first + most)
        total += len(x[part]) / len(x) * gradient(x[part], labels[part])
    return total


# %%
check.gradient_in_parts(gradient_in_parts)

# %% [markdown]
# In minigrad it takes one factor: `backward` adds to `.grad` anyway (notebook 1), and each part's graph is freed when
# its backward is over. A narrow AlexNet on ten images, four at a time (`eval`, so that dropout draws nothing):

# %%
mg.manual_seed(0)
model = AlexNet(10, widths=(8,) * 5, fc_width=16, input_size=64).eval()
for weight in model.parameters():
    if weight.ndim > 1:
        weight.data *= np.float32(6**0.5)  # a scale at which something arrives in every layer
rng = np.random.default_rng(0)
images, labels = rng.standard_normal((10, 3, 64, 64)).astype("f4"), rng.integers(0, 10, 10)


def gradients(most):
    for weight in model.parameters():
        weight.grad = None
    for first in range(0, 10, most):
        x, y = images[first : first + most], labels[first : first + most]
        loss = F.cross_entropy(model(mg.tensor(x)), mg.tensor(y))
        (loss * (len(x) / 10)).backward()
    return [weight.grad.numpy() for weight in model.parameters()]


whole, parts = gradients(10), gradients(4)
print("the same, to rounding:",
      all(np.allclose(a, b, rtol=0, atol=1e-5 * np.abs(a).max())
          for a, b in zip(whole, parts, strict=True)))  # fmt: skip
