# %% [markdown]
# # Solutions to notebook 16, the GPU
#
# [The notebook](../16_gpu.ipynb)

# %%
from alexnet_course import n16_gpu as check

# %% [markdown]
# ## The questions


# %% tags=["solution"]
lost_in = 4
suspect = "b"

# %%
check.lost_in(lost_in)
check.suspect(suspect)

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
