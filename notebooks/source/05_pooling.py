# %% [markdown]
# # 5. Pooling
#
# **At the end you will know** what overlapping pooling computes, why one byte per output is all that
# its backward needs, who wins a tie, and why the border is filled with −∞ and not with 0. You will have
# written both passes and proven them right.
#
# About 45 minutes: 21 to read, 20 for the two exercises. You need notebooks 1 (the chain rule backwards) and 4 (windows
# over a map).

# %%
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n05_pooling as check
from alexnet_course import yours
from alexnet_course.style import BLUE, GREEN, ORANGE, RED, use_style
from minigrad.kernels.pool import max_pool2d_backward, max_pool2d_forward, max_pool2d_naive
from minigrad.nn import functional as F

use_style()

# %% [markdown]
# ## The formula
#
# A pooling layer slides a window over each channel's map by itself and keeps the largest value:
#
# $$y_{i,j} = \max_{u,v} \; x_{i s + u,\; j s + v}, \qquad 0 \le u, v < k$$
#
# with window size $k$ (`size`) and step $s$ (`stride`). If $s = k$ the windows lie side by side. AlexNet
# takes $k = 3$ and $s = 2$: neighbouring windows share a row or a column. The paper (section 3.4) found
# that this *overlapping* pooling lowers the error by 0.4 points (top-1: the first guess is wrong) and 0.3 points
# (top-5: the class is not among the first five guesses) against $k = s = 2$, which gives maps of the same size.
#
# A 7×7 map and its nine windows:

# %%
board = np.random.default_rng(4).permutation(49).reshape(7, 7).astype(float)
pooled, won = max_pool2d_forward(board[None, None], (3, 3), (2, 2))

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 4.2), width_ratios=[7, 4])
for axes, values in ((left, board), (right, pooled[0, 0])):
    axes.imshow(values, cmap="Greys", vmin=0, vmax=90)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for (i, j), value in np.ndenumerate(values):
        axes.text(j, i, f"{value:.0f}", ha="center", va="center")
for row, column, colour in ((0, 0, BLUE), (0, 2, ORANGE), (2, 2, GREEN)):
    corner = (column - 0.45, row - 0.45)
    left.add_patch(plt.Rectangle(corner, 2.9, 2.9, fill=False, edgecolor=colour, linewidth=3))
    corner = (column / 2 - 0.45, row / 2 - 0.45)
    right.add_patch(plt.Rectangle(corner, 0.9, 0.9, fill=False, edgecolor=colour, linewidth=3))
left.set_title("x and three of its windows: they overlap")
right.set_title("y, one number a window")
plt.show()

# %% [markdown]
# How often does a pixel lie in a window? With $k = 3$, $s = 2$ a pixel lies in one, two or four of them:

# %%
covered = np.zeros((7, 7), int)
for i in range(3):
    for j in range(3):
        covered[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += 1
print(covered)

# %% [markdown]
# ## What backward needs
#
# $y_{i,j}$ *is* one of the pixels. A small change of that pixel changes $y$ by as much; a small change of
# any other pixel of the window changes nothing. So with $g = \partial L / \partial y$,
#
# $$\frac{\partial L}{\partial x_{p,q}} = \sum_{(i,j)\,:\,(p,q) \text{ won window } (i,j)} g_{i,j}.$$
#
# It is a *sum*: a pixel that wins several windows gets the gradients of them all. All that has to be kept from the
# forward pass is **which tap won**: the number $t = u k + v$, from 0 to 8 for $k = 3$. That is one byte for
# each output (up to $k = 16$). To keep $x$ would take four bytes for each pixel, and with $s = 2$ there are about
# four pixels for each output.

# %%
print("winning taps, 0 to 8, row by row:")
print(won[0, 0])
print("kept for backward:", won.dtype, won.nbytes, "bytes; x has", board.astype("f4").nbytes)

# %% [markdown]
# ## Exercise 1: forward
#
# Fill in the function for one map. Go through the taps row by row ($u$ in the outer loop, $v$ in the inner);
# begin with −∞. If two pixels tie, the **first** in row order wins (that is PyTorch's rule, and minigrad's).


# %% tags=["exercise"]
def pool_forward(x, size, stride):
    """x (H, W) -> y (oh, ow), and for each window the number u * size + v of the tap that won."""
    raise NotImplementedError


# %%
check.pool_forward(pool_forward)

# %% [markdown]
# ## Exercise 2: backward
#
# `grad` and `winners` have the shape of $y$; `shape` is that of $x$. From the number $t$ of a tap you get
# its row $u = \lfloor t / k \rfloor$ and column $v = t \bmod k$.


# %% tags=["exercise"]
def pool_backward(grad, winners, shape, size, stride):
    """dx of `shape`: each window's gradient goes to the pixel that won it."""
    raise NotImplementedError


# %%
check.pool_backward(pool_backward)

# %% [markdown]
# **A question.** A map of 7×7 pixels is pooled with $k = 3$ and $s = 2$, and the gradient that comes back is 1 at each of
# the nine outputs. What is the largest number that `dx` may hold, for the best possible map?

# %% tags=["answer"]
largest_gradient = None

# %%
check.largest_gradient(largest_gradient)

# %% [markdown]
# ## The kernels
#
# minigrad has the formula twice: `max_pool2d_naive`, written like it, and the fast one. The fast one does
# not loop over windows (a 55×55 map has 729, times 96 channels, times the batch) but over the nine *taps*:
# tap $(u, v)$ of **all** windows at once is the slice `x[u::2, v::2]`, cut to the size of y. Nine comparisons of
# whole arrays do all the work. The two agree:

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((2, 3, 9, 11))
y, winners = max_pool2d_forward(x, (3, 3), (2, 2))
grad = rng.standard_normal(y.shape)
dx = max_pool2d_backward(grad, winners, x.shape, (3, 3), (2, 2))
y_naive, dx_naive = max_pool2d_naive(x, (3, 3), (2, 2), grad=grad)
print("they agree:", np.allclose(y, y_naive), np.allclose(dx, dx_naive))

# %% [markdown]
# and the complex step agrees with the backward (notebook 2 says what such a check can see):

# %%
print(mg.gradcheck(lambda t: F.max_pool2d(t, 3, 2), [mg.tensor(x, requires_grad=True)]))

# %% [markdown]
# ## Ties
#
# Behind a ReLU, $\max(x, 0)$, a tie need not be an accident: where no unit fires (no number is above 0), whole
# windows are zero. Which pixel then gets the gradient? The derivative does not exist there, and any pixel, or a
# mixture, is a valid choice. What matters is that forward and backward mean the same pixel, and that a comparison
# between two libraries is not upset by it.

# %%
flat = mg.tensor(np.zeros((1, 1, 5, 5)), requires_grad=True)
F.max_pool2d(flat, 3, 2).sum().backward()
print(flat.grad.numpy()[0, 0].astype(int))

# %% [markdown]
# Every window gave its gradient to its first pixel. Had each pixel that *equals* the maximum been given
# it, as one may write it in a short program (`dx += grad * (x == y)`), nine pixels would have got a gradient of 1
# from one window: the sum over $x$ would be nine times too large. (Behind a ReLU, windows of zeros hide this
# mistake, since ReLU's backward lets nothing through at 0. On a flat map of positive numbers it shows.)

# %%
ones = np.ones((1, 1, 5, 5))
top, firsts = max_pool2d_forward(ones, (3, 3), (2, 2))
right_sum = max_pool2d_backward(np.ones_like(top), firsts, ones.shape, (3, 3), (2, 2)).sum()
equal = sum(
    (ones[0, 0, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] == top[0, 0, i, j]).sum()
    for i, j in np.ndindex(2, 2)
)
print("windows:", top.size, "  gradients by winner:", right_sum, "  by equality:", equal)

# %% [markdown]
# How common are ties? It depends on how many units fire. Take a map of random numbers, put a ReLU before the
# pooling, and count the windows whose maximum is not unique. **Predict before you run:** if the numbers have the mean 0,
# half of them are cut to 0 by the ReLU. Which percentage of the 3×3 windows has a tie?

# %% tags=["answer"]
windows_with_a_tie = None

# %%
shares = []
means = np.linspace(-3, 1, 17)
for mean in means:
    fired = np.maximum(rng.standard_normal((201, 201)) + mean, 0)
    windows = np.lib.stride_tricks.sliding_window_view(fired, (3, 3))[::2, ::2].reshape(-1, 9)
    shares.append((np.sum(windows == windows.max(1, keepdims=True), 1) > 1).mean())
plt.plot(means, np.multiply(shares, 100), marker="o", color=RED)
plt.xlabel("mean of the numbers before ReLU (standard deviation 1)")
plt.ylabel("windows with a tie (%)")
plt.title("The fewer units fire, the more windows are all zero")
plt.show()
check.windows_with_a_tie(windows_with_a_tie, round(100 * shares[12], 1))

# %% [markdown]
# A tie needs nine zeros: two positive numbers are never equal here. With mean 0 that is $(1/2)^9$, one window in 500. In
# a real network neighbours are alike, and maps are often silent over large areas: there ties are common.

# %% [markdown]
# ## The border is −∞, not 0
#
# With padding, a window can hang over the edge. A padded 0 would *win* against negative pixels, and a
# gradient would go to a pixel that is not there. −∞ never wins:

# %%
negative = -np.ones((1, 1, 4, 4)) * np.arange(1, 5)
padded_by_zero = np.pad(negative, ((0, 0), (0, 0), (1, 1), (1, 1)))
print("padded with 0: ", max_pool2d_forward(padded_by_zero, (3, 3), (2, 2))[0].ravel())
print("minigrad:      ", max_pool2d_forward(negative, (3, 3), (2, 2), (1, 1))[0].ravel())

# %% [markdown]
# ## Where the paper's network pools
#
# After layers 1, 2 and 5 (section 3.5). The maps shrink from 55 to 27, from 27 to 13 and from 13 to 6:

# %%
for name, height in (("pool1", 55), ("pool2", 27), ("pool5", 13)):
    print(f"{name}: ({height} - 3) // 2 + 1 = {(height - 3) // 2 + 1}")

# %% [markdown]
# Caffe rounds *up* (`ceil` in its `pooling_layer.cpp`). The paper's sizes leave nothing to round, so there both
# agree, but on another input they do not: `ceil_mode=True` lets a last window hang over.

# %%
even = mg.tensor(np.zeros((1, 1, 8, 8), "f4"))
up = F.max_pool2d(even, 3, 2, ceil_mode=True)
print("floor:", F.max_pool2d(even, 3, 2).shape, " ceil:", up.shape)

# %% [markdown]
# ## Your code is the network
#
# AlexNet pools three times. Here are your two functions in the place of minigrad's, for all maps of a batch:

# %%
yours.plug("05_pooling", globals())

# %% [markdown]
# ## What to remember
#
# - The gradient goes to the winner, whole; a pixel that wins several windows gets the sum.
# - One byte an output is kept. Ties go to the first. The border is −∞.
# - The loop runs over the taps, not over the windows.
#
# ## Further
#
# No check, only for you. Replace the largest number of a window by its mean (*average pooling*, as in LeNet, before
# AlexNet). What does its backward need from forward? Write both, and look at a row of stripes, `np.tile([0, 1], (9, 5))`,
# after each kind, with $k = 3$ and $s = 2$. You should see that no stripe is left in either map: the maximum is 1
# everywhere, and the mean 1/3 everywhere. The maximum says how strong the stripes were, the mean how much of a window
# they fill. And you should find that the backward of the mean needs nothing but the sizes.
#
# [Solutions](solutions/05_pooling.ipynb). Next: [notebook 6](06_relu.ipynb), ReLU.
