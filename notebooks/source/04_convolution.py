# %% [markdown]
# # 4. Convolution
#
# **At the end you will know** why a network for images convolves, how a convolution becomes one matrix product,
# why its backward is two more of them, and what groups leave out. You will have written forward, the matrix of all
# windows (*im2col*) and backward and proven them right. Three optional sections at the end show test images that hide
# a wrong convolution, how much memory the matrix would take and how to do without it, and why the order of the axes in
# memory matters.
#
# About 85 minutes: 42 to read, 45 for the three exercises; the optional sections take 15 more. You need notebooks 1
# (what a backward is), 2 (gradient checks) and 3 (a linear layer and its backward).

# %%
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n04_convolution as check
from alexnet_course import yours
from alexnet_course.style import BLUE, GREEN, ORANGE, PURPLE, SKY, use_style
from minigrad.kernels.conv import conv2d_backward, conv2d_forward, conv2d_naive
from minigrad.kernels.fast.conv import WORKSPACE
from minigrad.kernels.im2col import Window, col2im, im2col
from minigrad.nn import functional as F
from minigrad.tools.graph import saved_bytes
from minigrad.tools.text import format_bytes

use_style()

# %% [markdown]
# ## The formula
#
# A filter is a small block of weights. It slides over the image; the pixels under it are a *window*. At
# each place the two are multiplied, number by number, and the products are added up:
#
# $$y_{o,i,j} = b_o + \sum_{c,u,v} \mathrm{weight}_{o,c,u,v} \; x_{c,\; i s + u - p,\; j s + v - p}$$
#
# $x$ has channels $c$ (red, green and blue; for a later layer, the maps of $y$ of the one before), and is 0
# outside of its $H$ rows and its columns. Filter $o$ has a matrix of weights for each channel, the *kernel*,
# and sums over all channels; it gives one map of $y$. $(i, j)$ is a row and a column of this map, $(u, v)$ of
# the kernel. $s$ is the step (`stride`), and $p$ is how many zeros are put around the image (`padding`). With
# a kernel of $k_h$ rows, $y$ has
#
# $$o_h = \left\lfloor \frac{H + 2p - k_h}{s} \right\rfloor + 1$$
#
# rows, and its columns are counted in the same way. (Mathematicians call this *correlation*. Their
# convolution turns the kernel by 180 degrees first. All networks mean the formula above.)
#
# What does a filter do? Its map is large where the image looks like the filter. Two filters with a 3×3
# kernel (minigrad takes (N, C, H, W), N images at once; each `None` adds an axis):

# %%
rows, cols = np.mgrid[:48, :48]
disc = ((rows - 24) ** 2 + (cols - 24) ** 2 < 17**2).astype(float)
edge = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
weight = np.stack([edge, edge.T])[:, None]  # (2 filters, 1 channel, 3, 3)
y = conv2d_forward(disc[None, None], weight)

fig, axes = plt.subplots(1, 5, figsize=(9, 2.4), width_ratios=[3, 1.2, 3, 1.2, 3])
pictures = (disc, weight[0, 0], y[0, 0], weight[1, 0], y[0, 1])
titles = ("x", "filter 0", "y, map 0", "filter 1", "y, map 1")
for ax, picture, title in zip(axes, pictures, titles, strict=True):
    limit = np.abs(picture).max()
    ax.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set(title=title, xticks=[], yticks=[])
    ax.grid(False)
plt.show()

# %% [markdown]
# Red is positive, blue negative. Filter 0 subtracts the left from the right: it answers at the left edge
# of the disc with plus, at the right edge with minus, and says nothing inside. Filter 1 is the same for
# top and bottom. Nobody will write such filters for AlexNet: the network finds the 96 filters of its first
# layer by itself, and for that it needs $\partial L / \partial\, \mathrm{weight}$.
#
# ## Why not a linear layer?
#
# The linear layer of notebook 3 could compute these maps, too: any number of $y$ is a sum of pixels with weights. What
# would that take for AlexNet's first layer, from 224×224 pixels in three colours to 96 maps of 55×55? The paper's
# answer (section 1) rests on two assumptions about images, "mostly correct" ones:
#
# - **Locality**: what belongs together stands together. A unit that looks for an edge needs 11×11 pixels and not all
#   of them. So each unit is connected to one window.
# - **Stationarity**: what is worth looking for at one place is worth looking for at every other. So all units of a map
#   share one filter.
#
# The first saves connections, the second weights:

# %%
units, window_size = 96 * 55 * 55, 11 * 11 * 3
print(f"{'':24}{'weights':>14}{'connections':>14}")
print(f"{'convolution':24}{96 * window_size:14,}{units * window_size:14,}")
print(f"{'windows, nothing shared':24}{units * window_size:14,}{units * window_size:14,}")

# %% [markdown]
# **A question.** How many weights has the linear layer, where every unit is connected to every pixel and nothing is
# shared? Leave out the biases, and compute it in the next cell.

# %% tags=["answer"]
weights_of_linear = None

# %%
check.weights_of_linear(weights_of_linear)

# %% [markdown]
# The connections are also the multiplications of one image. With fewer of both, a convolution is, in the paper's
# words, "easier to train", while its best possible result is "likely to be only slightly worse". What is given up: a
# convolution cannot treat the sky at the top of the image in another way than the ground at the bottom. That is left
# to the linear layers at AlexNet's end.
#
# ## Exercise 1: forward, by loops
#
# For one image. Begin with `np.pad(x, ((0, 0), (padding, padding), (padding, padding)))`: the channels get
# no zeros. Then go through filters and windows. (`stride` and `padding` are whole numbers in your
# functions; minigrad's take pairs, (rows, columns).)


# %% tags=["exercise"]
def conv_forward(x, weight, bias, stride, padding):
    """x (C, H, W), weight (O, C, kh, kw), bias (O,) -> y (O, oh, ow)."""
    raise NotImplementedError


# %%
check.conv_forward(conv_forward)

# %% [markdown]
# How long does that take for the first layer of AlexNet, with its 105 million multiplications an image (section 3.5
# and figure 2 of the paper)?
#
# `conv2d_naive` is minigrad's version by loops over filters and windows; what is inside a window is left to
# NumPy. It does the backward, too, about two thirds of its work: compare a third of its time. The next cell
# prints this time for one image and one layer, beside that of minigrad's fast code, which this notebook arrives
# at. Its output is not kept, since it depends on your machine: run it, and allow the loops some seconds. (The
# paper names no padding; 2 gives maps of 55×55.)

# %% tags=["machine"]
image = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype("f4")
filters = np.random.default_rng(1).standard_normal((96, 3, 11, 11)).astype("f4")
for name, conv in (("loops", conv2d_naive), ("fast", conv2d_forward)):
    start = perf_counter()
    conv(image, filters, None, (4, 4), (2, 2))
    print(f"{name:5} {perf_counter() - start:8.3f} s")

# %% [markdown]
# ## im2col: each window becomes a row
#
# A processor is very fast at the product of two large matrices. So write the windows down as the
# rows of a matrix `col`. (The name says *image to columns*: other programs write windows as columns. "The
# columns of $x$" is short for this matrix.) Row $(i, j)$ holds all that output pixel $(i, j)$ sees:
#
# $$\mathrm{col}_{(i,j),\,(u,v,c)} = x_{i s + u,\; j s + v,\; c}$$
#
# where $x$ has its padding already, and the channel is now its *last* index ("Channels last", at the end, says why).
# Step by step, for a 4×4 image, one channel and a 3×3 kernel:

# %%
x = np.arange(16.0).reshape(4, 4)
window = Window((3, 3))
col = im2col(x[None, :, :, None], window, (2, 2), np.empty((4, 9)))  # the last: memory to fill
colours = (BLUE, ORANGE, GREEN, PURPLE)

fig = plt.figure(figsize=(8.4, 5.4))
above, below = fig.subfigures(2, 1, height_ratios=[1, 1.1])
upper, lower = above.subplots(1, 4), below.subplots()
for step, ax in enumerate(upper):
    i, j = divmod(step, 2)
    ax.imshow(np.zeros((4, 4)), cmap="Greys")
    ax.add_patch(plt.Rectangle((j - 0.5, i - 0.5), 3, 3, color=colours[step], alpha=0.35))
    for (row, column), value in np.ndenumerate(x):
        ax.text(column, row, f"{value:.0f}", ha="center", va="center")
    ax.set(title=f"step {step + 1}: window ({i}, {j})", xticks=[], yticks=[])
lower.imshow(np.zeros((4, 9)), cmap="Greys", aspect="auto")
for (row, column), value in np.ndenumerate(col):
    lower.add_patch(
        plt.Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colours[row], alpha=0.35)
    )
    lower.text(column, row, f"{value:.0f}", ha="center", va="center")
lower.set_xticks(range(9), [f"{u},{v}" for u, v in np.ndindex(3, 3)])
lower.set_yticks(range(4), [f"({i}, {j})" for i, j in np.ndindex(2, 2)])
lower.set(title="col: a row for each window", xlabel="u, v", ylabel="i, j")
for ax in (*upper, lower):
    ax.grid(False)
plt.show()

# %% [markdown]
# Pixels 5, 6, 9 and 10 stand in all four rows. That is the price: the matrix has more numbers than the
# image. We come back to it.
#
# Now put the weights of filter $o$ into column $o$ of a matrix $W$ (here not a width), in the same order
# $(u, v, c)$. The convolution of the whole image with all filters is
#
# $$y = \mathrm{col} \; W + b$$
#
# with a row for each pixel and a column for each filter.

# %%
weight = np.random.default_rng(2).standard_normal((2, 1, 3, 3))  # two filters
W = weight.transpose(2, 3, 1, 0).reshape(9, 2)  # (o, c, u, v) -> (u, v, c), o
product = (col @ W).T.reshape(2, 2, 2)
y = conv2d_naive(x[None, None], weight)[0]  # [0] is y, the others are gradients
print("one product agrees with the loops:", np.allclose(product, y[0]))

# %% [markdown]
# In the second layer of AlexNet each number of y is a sum of 1,200 products (5×5 pixels of 48 maps), and each number of
# `col` is used 128 times, once for each filter of a group. That is why copying pays.
#
# ## Exercise 2: im2col
#
# For one image and a square kernel of `size` rows and columns. Note the order: here the image is (H, W,
# **C**), the channels of a pixel side by side.


# %% tags=["exercise"]
def columns(x, size, stride):
    """x (H, W, C), already padded -> col (oh * ow, size * size * C), in the order u, v, c."""
    raise NotImplementedError


# %%
check.columns(columns)

# %% [markdown]
# ## Backward
#
# Let $g = \partial L / \partial y$, in the shape of $y$ (`grad` in the code). We want three derivatives.
#
# **dbias.** $b_o$ is added to every pixel of map $o$, so
#
# $$\frac{\partial L}{\partial b_o} = \sum_{i,j} g_{o,i,j}.$$
#
# **dweight.** $\mathrm{weight}_{o,c,u,v}$ is used once in each window, where it meets one pixel. The chain
# rule adds up over all uses:
#
# $$\frac{\partial L}{\partial\, \mathrm{weight}_{o,c,u,v}} = \sum_{i,j} g_{o,i,j} \;
# x_{c,\; i s + u - p,\; j s + v - p} \qquad\Longleftrightarrow\qquad dW = \mathrm{col}^\top g$$
#
# where $g$ on the right is written as a matrix like $y$: a row for each pixel, a column for each filter.
#
# **dx.** A pixel is used by every window that it lies in, and by every filter. It is easiest in two steps.
# First `dcol`: number $k$ of row $m$ of `col` meets $W_{k,o}$ once for each filter $o$, and goes into $y_{m,o}$:
#
# $$d\mathrm{col}_{m,k} = \sum_o g_{m,o} \, W_{k,o} \qquad\Longleftrightarrow\qquad d\mathrm{col} = g \, W^\top$$
#
# Then each number of `dcol` goes back to the pixel that it was copied from, and *adds up* there:
#
# $$dx = \mathrm{col2im}(d\mathrm{col}), \qquad
# dx_{r,q,c} = \sum_{\substack{(i,j,u,v)\,:\\ i s + u = r,\; j s + v = q}} d\mathrm{col}_{(i,j),(u,v,c)}$$
#
# Here $r, q$ are a row and a column of the *padded* image, and $c$ is the last index, as in im2col. At the end
# the border is cut off.
#
# The three matrix products (forward, dweight, dx) run over the same three lengths (pixels, a window, filters),
# so each takes as many multiplications. Backward takes twice as many as forward; for the first layer, whose dx
# nobody needs, as many as forward.
#
# ### A test without differences
#
# im2col only copies. So it is linear, and col2im must be its *adjoint* (its transpose, if both were written
# as matrices): for any $x$ and any matrix $M$ of the columns' shape
#
# $$\langle \mathrm{im2col}(x),\, M \rangle = \langle x,\, \mathrm{col2im}(M) \rangle,$$
#
# where $\langle A, B \rangle$ means: multiply number by number, add all. Two such sums over random numbers
# test that col2im fits im2col in every index, with no step size and hardly any rounding error. They do not
# test im2col itself (if both mix up the same indices, they still fit); the loops do that, above and below.

# %%
rng = np.random.default_rng(3)
window = Window((3, 2), stride=(2, 1))
x = rng.standard_normal((2, 8, 7, 3))
out = window.output(8, 7)
M = rng.standard_normal((2 * out[0] * out[1], 3 * 2 * 3))
forth = (im2col(x, window, out, np.empty_like(M)) * M).sum()
back = (x * col2im(M, window, out, np.empty_like(x))).sum()
print("adjoint:", np.isclose(forth, back, rtol=1e-12))

# %% [markdown]
# ### How many windows does a pixel lie in?
#
# col2im of ones counts it. **Predict before you run**, for the first layer of AlexNet, kernel 11 and step 4: in how many
# windows does a pixel lie that is far from the border? (a) In 11² / 4² ≈ 7.6, rounded to 7 or 8. (b) In 9, all of them.
# (c) In 4, 6 or 9, and neighbours differ. (d) In 16, all of them.

# %% tags=["answer"]
windows_of_a_pixel = None


# %%
def coverage(side, size, stride):
    """How many windows each pixel of a side x side map lies in."""
    window = Window((size, size), (stride, stride))
    out = window.output(side, side)
    ones = np.ones((out[0] * out[1], size * size))
    return col2im(ones, window, out, np.empty((1, side, side, 1)))[0, :, :, 0]


conv1, other = coverage(51, 11, 4), coverage(27, 5, 1)
check.windows_of_a_pixel(windows_of_a_pixel)
fig, axes = plt.subplots(1, 3, figsize=(9, 3.4))
for ax, counts, title in zip(
    axes,
    (conv1, conv1[20:32, 20:32], other),
    ("kernel 11, step 4", "a part of it", f"kernel 5, step 1: up to {other.max():.0f}"),
    strict=True,
):
    ax.imshow(counts, vmin=0, vmax=counts.max())
    ax.set(title=title, xlabel="column", ylabel="row")
    ax.grid(False)
for (row, column), value in np.ndenumerate(conv1[20:32, 20:32]):
    axes[1].text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8)
axes[1].set(xticks=range(0, 12, 4), xticklabels=range(20, 32, 4))
axes[1].set(yticks=range(0, 12, 4), yticklabels=range(20, 32, 4))
plt.show()

# %% [markdown]
# Far from the border, a pixel of the image lies in 2 or 3 windows along each axis, so in 2·2, 2·3 or 3·3 of
# them. Its gradient is a sum over them, and so the gradient with respect to the image has a grid of period 4
# in it; how strong it is depends on the filters. With random ones, and a random $g$ (*rms*, root mean square,
# is the typical size; that of a sum of $n$ independent numbers around 0 grows as $\sqrt n$):

# %%
g = rng.standard_normal((8, 96, 11, 11))
weight = rng.standard_normal((96, 3, 11, 11))
dx, _, _ = conv2d_backward(g, np.zeros((8, 3, 51, 51)), weight, (4, 4), needs=(True, False, False))
count = coverage(51, 11, 4)
strength = {n: np.sqrt((dx[:, :, count == n] ** 2).mean()) for n in (4, 6, 9)}
for n, rms in strength.items():
    print(f"{n} windows: rms of dx {rms / strength[4]:.2f}, expected {np.sqrt(n / 4):.2f}")

# %% [markdown]
# Keep it in mind when you look at a picture of $\partial L / \partial x$ of AlexNet, as we do in notebook 14:
# the grid comes from conv1's geometry and says nothing about the image.
#
# ## Exercise 3: backward
#
# For one image. Go through the windows as in forward. Each window adds to `dweight` and to the pixels that
# it saw, in the padded image; `dx` has the shape of `x`, without the border.


# %% tags=["exercise"]
def conv_backward(grad, x, weight, stride, padding):
    """grad (O, oh, ow), x (C, H, W), weight (O, C, kh, kw) -> dx, dweight, dbias."""
    raise NotImplementedError


# %%
check.conv_backward(conv_backward)

# %% [markdown]
# Your loops and your `columns` must agree. Forward and dweight are one product each, dx is one and then
# col2im (where the cell says False, one of the three checks above does not say "right" yet):

# %%
x, weight, bias = (rng.standard_normal(shape) for shape in ((2, 5, 7), (4, 2, 3, 3), 4))
W = weight.transpose(2, 3, 1, 0).reshape(-1, 4)
try:
    y = np.asarray(conv_forward(x, weight, bias, 2, 0))
    grad = rng.standard_normal(y.shape)
    dx, dweight, _ = map(np.asarray, conv_backward(grad, x, weight, 2, 0))
    col = np.asarray(columns(x.transpose(1, 2, 0), 3, 2))
    g = grad.reshape(4, -1).T  # a row for each pixel, a column for each filter
    back = col2im(g @ W.T, Window((3, 3), (2, 2)), y.shape[1:], np.empty((1, 5, 7, 2)))
    print("col @ W + b is y:", np.allclose((col @ W + bias).T.reshape(y.shape), y))
    as_matrix = dweight.transpose(2, 3, 1, 0).reshape(-1, 4)
    print("col.T @ g is dweight:", np.allclose(col.T @ g, as_matrix))
    print("col2im(g @ W.T) is dx:", np.allclose(back[0].transpose(2, 0, 1), dx))
except NotImplementedError:
    print("Fill in the three exercises, then run this cell again.")

# %% [markdown]
# ## minigrad's fast code
#
# `conv2d_forward` and `conv2d_backward` are what you have just derived, for a whole batch. The naive twin and
# the complex step (notebook 2) agree with them, also with groups, which come below:

# %%
x = rng.standard_normal((2, 4, 8, 9))
weight, bias = rng.standard_normal((6, 2, 3, 2)), rng.standard_normal(6)
options = {"stride": (2, 1), "padding": (1, 0), "groups": 2}
y = conv2d_forward(x, weight, bias, **options)
g = rng.standard_normal(y.shape)
naive = conv2d_naive(x, weight, bias, **options, grad=g)
fast = (y, *conv2d_backward(g, x, weight, **options))
agree = [bool(np.allclose(a, b)) for a, b in zip(fast, naive, strict=True)]
print("y, dx, dweight, dbias agree:", agree)
inputs = [mg.tensor(a, requires_grad=True) for a in (x, weight, bias)]
print("gradcheck:", mg.gradcheck(lambda *t: F.conv2d(*t, **options), inputs))

# %% [markdown]
# At step 1 there is another way to dx, which needs no col2im. Pixel $r$ meets weight $u$ in window
# $i = r + p - u$: as $u$ goes up, $i$ goes down. Count from the kernel's other end, $u' = k - 1 - u$:
# then $i = r + u' - (k - 1 - p)$, which is the place in the forward formula. So dx is itself a convolution, of
# $g$, with the kernel turned by 180 degrees and a border of $k - 1 - p$ zeros; filters and channels change
# places. The rows of its matrix have $k^2 O$ numbers, for $O$ filters, and not $k^2 C$, for $C$ channels.
# minigrad takes this way where $O \le C$.

# %%
x, weight = rng.standard_normal((2, 3, 8, 9)), rng.standard_normal((5, 3, 3, 3))
g = rng.standard_normal((2, 5, 8, 9))
dx = conv2d_backward(g, x, weight, padding=(1, 1))[0]
turned = weight[:, :, ::-1, ::-1].swapaxes(0, 1)  # filters and channels change places
print("agree:", np.allclose(dx, conv2d_forward(g, turned, padding=(3 - 1 - 1, 3 - 1 - 1))))

# %% [markdown]
# ## Groups
#
# The paper's network ran on two graphics cards (GPUs). In its layers 2, 4 and 5 a filter sees only half of
# the maps: those on its own GPU (section 3.5). With `groups=2` the channels and the filters are split in two
# halves, and each half is a convolution of its own. It is the same as *one* convolution in which half of the
# weights are zero and stay zero:

# %%
weight = rng.standard_normal((8, 3, 3, 3))  # 8 filters; each sees 3 of 6 channels
full = np.zeros((8, 6, 3, 3))
full[:4, :3], full[4:, 3:] = weight[:4], weight[4:]
x = rng.standard_normal((2, 6, 7, 7))
grouped = conv2d_forward(x, weight, groups=2)
print("groups=2 is a full convolution with zeros:", np.allclose(grouped, conv2d_forward(x, full)))

fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.2))
for ax, values, title in (
    (axes[0], np.abs(rng.standard_normal((8, 6, 9))).mean(2), "groups=1: a filter sees all"),
    (axes[1], np.abs(full).mean((2, 3)), "groups=2: a filter sees half"),
):
    image = ax.imshow(values, vmin=0, vmax=1.4, cmap="Blues")
    ax.set(title=title, xlabel="channel of x", ylabel="filter", xticks=range(6), yticks=range(8))
    ax.grid(False)
fig.colorbar(image, ax=axes, label="mean size of a weight")
plt.show()

# %% [markdown]
# Half of the weights, half of the multiplications, and two halves that do not hear of each other. What
# this was good for, and where the two halves meet, is the subject of notebook 11.
#
# ## Your code is the network
#
# The next cell puts your functions in the place of minigrad's, for whole batches, and compares them on a layer with two
# groups. `columns` gives the faster forward: one product for each image.

# %%
yours.plug("04_convolution", globals())

# %% [markdown]
# ## What to remember
#
# - im2col writes each window down as a row; then forward and dweight are one matrix product each, and dx is
#   one that col2im follows.
# - What was copied in forward is added up in backward: col2im is im2col's adjoint, and two sums of
#   products test that it is.
# - `groups=2` is a full convolution in which half of the weights are zero.
# - A convolution is a linear layer that looks at one window at a time (few connections) with the same weights
#   everywhere (few weights).
# - Ones, symmetric kernels and single channels hide mistakes. Test with random inputs that have no symmetry.
#
# ## Further
#
# No check, only for you. Write `F.conv2d(mg.tensor(x), mg.tensor(filters), stride=4)` for a picture of your own (PIL
# opens it, `np.moveaxis` brings the channels to the front; divide by 255, and add the axis of the images) with filters
# that you make up: the two edges above, a blur, a stripe pattern at 45 degrees. Show the maps. Then make one filter that
# answers most to red on the left and green on the right, and not at all to white on the left and black on the right. You
# should see that a filter with the sum 0 in each colour is silent on even areas.
#
# That is the end of the lesson: [solutions](solutions/04_convolution.ipynb), and next
# [notebook 5](05_pooling.ipynb), pooling. What follows is optional.
#
# ## Optional: images that hide mistakes
#
# A test is as good as its input. Here are three wrong convolutions and four test inputs. Which input shows
# which mistake?

# %%
wrong = {
    "kernel turned by 180 degrees": lambda x, w: conv2d_forward(x, w[:, :, ::-1, ::-1]),
    "kernel with u and v swapped": lambda x, w: conv2d_forward(x, w.swapaxes(2, 3)),
    "channels in another order": lambda x, w: conv2d_forward(x, w[:, ::-1]),
}
blur = np.outer([1.0, 2, 1], [1, 2, 1])[None, None] / 16
inputs = {
    "a map of ones": (np.ones((1, 2, 6, 6)), rng.standard_normal((3, 2, 3, 3))),
    "weights of ones": (rng.standard_normal((1, 2, 6, 6)), np.ones((3, 2, 3, 3))),
    "random, a blur": (rng.standard_normal((1, 1, 6, 6)), blur),
    "all random": (rng.standard_normal((1, 2, 6, 6)), rng.standard_normal((3, 2, 3, 3))),
}
print(f"{'':28}" + "".join(f"{name:>18}" for name in inputs))
for mistake, conv in wrong.items():
    seen = [not np.allclose(conv(x, w), conv2d_forward(x, w)) for x, w in inputs.values()]
    print(f"{mistake:28}" + "".join(f"{'seen' if s else '-':>18}" for s in seen))

# %% [markdown]
# The first three inputs look like sensible tests and see nothing at all. On a map of ones, without padding,
# only the sum of the weights counts. Weights of ones are the same in every order. A blur is symmetric, and with
# one channel there is no order of channels. The checks of this notebook use maps and kernels that are not
# square, of numbers that are all different, with two or three channels, and some steps leave rows over.
#
# What is a row that is left over? If $s$ does not divide $H + 2p - k_h$, no window reaches the last rows.
# Then they are no part of the function, and their gradient is exactly zero:

# %%
x = rng.standard_normal((1, 1, 8, 8))  # (8 - 3) / 2 is not whole: row 7 and column 7 are not read
weight = np.ones((1, 1, 3, 3))
y = conv2d_forward(x, weight, stride=(2, 2))
dx = conv2d_backward(np.ones_like(y), x, weight, stride=(2, 2))[0]
print("y:", y.shape[2:], " dx, where all weights and all g are 1:")
print(dx[0, 0].astype(int))

# %% [markdown]
# ## Optional: what the columns would take
#
# A pixel is copied once for every window it lies in: about $k^2 / s^2$ times. Here are the columns of
# AlexNet's five convolutions, for the paper's batch of 128 images in float32:

# %%
# Channels, side of the input, kernel, step, padding, filters, groups: section 3.5 and figure 2. The paper
# names no padding: these give the sides of figure 2.
layers = {
    "conv1": (3, 224, 11, 4, 2, 96, 1),
    "conv2": (96, 27, 5, 1, 2, 256, 2),
    "conv3": (256, 13, 3, 1, 1, 384, 1),
    "conv4": (384, 13, 3, 1, 1, 384, 2),
    "conv5": (384, 13, 3, 1, 1, 256, 2),
}
names, x_bytes, col_bytes = list(layers), [], []
for name, (channels, side, size, stride, padding, _, _) in layers.items():
    window = Window((size, size), (stride, stride), (padding, padding))
    rows, cols = window.output(side, side)
    x_bytes.append(128 * channels * side * side * 4)
    col_bytes.append(128 * rows * cols * size * size * channels * 4)
    print(f"{name}: x {format_bytes(x_bytes[-1]):>8}, columns {format_bytes(col_bytes[-1]):>8}, "
          f"{col_bytes[-1] / x_bytes[-1]:4.1f} times as much")  # fmt: skip
print(f"together: x {format_bytes(sum(x_bytes))}, columns {format_bytes(sum(col_bytes))}")

places = np.arange(5)
plt.bar(places - 0.2, np.divide(x_bytes, 1e6), 0.4, color=SKY, label="x")
plt.bar(places + 0.2, np.divide(col_bytes, 1e6), 0.4, color=BLUE, label="columns of x")
plt.xticks(places, names)
plt.ylabel("MB for 128 images")
plt.title("The columns are many times larger than what they are made of")
plt.legend()
plt.show()

# %% [markdown]
# Backward needs the columns again, for dweight. A program that keeps them from forward to backward keeps
# 2.3 GB. The paper's GPUs had 3 GB each, for everything (section 3.2). minigrad keeps none:
#
# - It makes the columns of as many images as fit a small workspace (but at least of one), multiplies them, and
#   makes the next ones in the same memory. The workspace is meant to stay in the cache, the processor's small
#   and fast memory, and each thread (they compute side by side) has one.
# - In backward it makes them a second time. That is copying, and the product that follows uses every
#   copied number once for each filter.
#
# What the graph of a convolution keeps is $x$, which was there anyway. (In the next cell $x$ comes out of a
# ReLU, as in a network: `saved_bytes` does not count a tensor that no operation made.)

# %%
pixels = rng.standard_normal((8, 27, 27, 48)).astype("f4")  # the order is explained below
x = F.relu(mg.tensor(pixels.transpose(0, 3, 1, 2), requires_grad=True))
weight = mg.tensor(rng.standard_normal((128, 48, 5, 5)).astype("f4"), requires_grad=True)
y = F.conv2d(x, weight, padding=2)
print("kept for backward:", format_bytes(saved_bytes(y)), "  x:", format_bytes(x.data.nbytes))
print("columns would be: ", format_bytes(8 * 27 * 27 * 25 * 48 * 4))
print("workspace:        ", format_bytes(WORKSPACE), "a thread")

# %% [markdown]
# ## Optional: channels last
#
# Memory is one long row of numbers. In the order (C, H, W) the pixels of a map lie side by side; in the
# order (H, W, C) the *channels of a pixel* do. Which numbers of memory does the 3×3 window at row 1,
# column 2 touch, in an image of 4×6 pixels and three channels?

# %%
place = np.arange(72)
orders = {  # and how many numbers lie between two lines
    "(C, H, W)": (place.reshape(3, 4, 6), 24, "a channel"),
    "(H, W, C)": (place.reshape(4, 6, 3).transpose(2, 0, 1), 18, "a row of pixels"),
}
fig, axes = plt.subplots(2, 1, figsize=(8.6, 3.2))
for ax, (name, (where, apart, unit)) in zip(axes, orders.items(), strict=True):
    touched = np.sort(where[:, 1:4, 2:5].ravel())
    runs = 1 + np.count_nonzero(np.diff(touched) > 1)
    strip = np.zeros((1, 72))
    strip[0, touched] = 1
    ax.imshow(strip, cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
    ax.set_title(f"{name}: {runs} runs of {27 // runs} numbers")
    ax.set(yticks=[], xticks=np.arange(-0.5, 72, apart), xticklabels=[])
    ax.set_xlabel(f"place in memory; between two lines: {unit}, {apart} numbers")
    ax.tick_params(length=0)
    ax.grid(True, axis="x", color="black", alpha=0.8)
plt.show()

# %% [markdown]
# A row of a window is a run of $k_w$ numbers in one case, and of $k_w \cdot C$ numbers in the other. Here they
# are for the layers of AlexNet. (Where there are two groups, minigrad first copies the channels of one, with
# their padding, into memory of their own: only so do they lie side by side.)

# %%
for name, (channels, _, size, _, _, _, groups) in layers.items():
    print(f"{name}: runs of {size:2} numbers, or of {size * channels // groups:3}")

# %% [markdown]
# Copying long runs is what memory is good at. minigrad shows shapes as (N, C, H, W), as PyTorch does, and
# keeps the numbers as (N, H, W, C). There is a second gain: the product `col @ W` has a row for each pixel,
# so its result *is* an image in the order (H, W, C), and nothing has to be transposed.

# %%
y = conv2d_forward(rng.standard_normal((1, 3, 8, 8)), rng.standard_normal((5, 3, 3, 3)))
print("shape (N, C, H, W):", y.shape, "  steps in memory, in numbers:", [s // 8 for s in y.strides])

# %% [markdown]
# The step along C is 1: the channels of a pixel are neighbours.
