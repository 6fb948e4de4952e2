# %% [markdown]
# # 7. Local response normalisation, and whose alpha
#
# **At the end you will know** what LRN computes, why "the AlexNet numbers" give four different layers
# in the paper and four programs, how loud a layer must be before LRN acts on it, and what
# becomes of a pixel that gets louder and louder. You will have written both passes and proven them right.
#
# About 75 minutes: 51 to read, 25 for the three exercises. You need notebook 1 (the chain rule backwards), the
# derivative of a power and of a quotient of two functions, and notebook 4 for what a channel is. What a Jacobian is
# stands where it comes up.

# %%
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n07_lrn as check
from alexnet_course import yours
from alexnet_course.style import BLACK, BLUE, GREEN, ORANGE, RED, SKY, use_style
from alexnet_scratch.data.patterns import CLASSES, draw
from minigrad.kernels.contrast import contrast_norm_forward
from minigrad.kernels.lrn import lrn_backward, lrn_backward_naive, lrn_forward, lrn_naive
from minigrad.nn import functional as F

use_style()

# %% [markdown]
# ## The formula
#
# Take one pixel of a layer's output. It has one number per channel: $x_0, x_1, \dots, x_{C-1}$. LRN divides
# each of them by something that grows with its *neighbours in the list of channels* (paper, section 3.3):
#
# $$s_i = k + \alpha \sum_{j=\max(0,\, i-\lfloor n/2 \rfloor)}^{\min(C-1,\, i+\lfloor n/2 \rfloor)} x_j^2,
# \qquad y_i = \frac{x_i}{s_i^{\,\beta}}.$$
#
# The window has $n$ channels with channel $i$ in its middle. At both ends of the list it is cut off. $k$ keeps
# $s$ above zero; $\alpha$ says how much the neighbours count, and $\beta$ how strongly the divisor acts. The
# paper takes $k = 2$, $n = 5$, $\alpha = 10^{-4}$, $\beta = 0.75$, found with pictures kept out of training.
# Nothing is learned: LRN has no weights. The neighbours *in the image* play no part: each pixel is alone.
#
# Sixteen channels at one pixel. One of them is loud:

# %%
x = np.array([30, 60, 45, 80, 20, 55, 70, 400, 65, 50, 75, 25, 90, 40, 60, 35], float)
y, s = (v.reshape(-1) for v in lrn_forward(x[None, :, None, None]))
channels = np.arange(16)

fig, (top, bottom) = plt.subplots(2, 1, figsize=(7.5, 5.6), sharex=True, height_ratios=[3, 2])
top.bar(channels, x, color=SKY)
for i, colour, height in ((1, ORANGE, 250), (6, GREEN, 430), (12, RED, 250)):
    first, last = max(0, i - 2), min(15, i + 2)
    top.plot([first - 0.4, last + 0.4], [height, height], color=colour, linewidth=4)
    top.text((first + last) / 2, height + 14, f"window of channel {i}", color=colour, ha="center")
top.set(ylabel="x", ylim=(0, 500), title="Channels at one pixel, and three windows")
bottom.bar(channels, y / x, color=BLUE)
bottom.axhline(2**-0.75, color=BLACK, linestyle="--", linewidth=1)
bottom.text(15.6, 2**-0.75 + 0.02, "all quiet (all x near 0, so s = k): $2^{-0.75}$", ha="right")
bottom.set(ylim=(0, 0.75), ylabel="y / x", xlabel="channel", xticks=channels)
bottom.set_title("The loud channel turns itself and its four neighbours down")
plt.show()

# %% [markdown]
# Two things to see. The loud channel and its two neighbours on each side are turned down most, by almost the
# same factor: they share almost the same sum. And a channel three steps away is not touched *by it*. The
# paper speaks of "competition for big activities" between neighbours, after what real neurons do (*lateral
# inhibition*).
#
# Which channels are neighbours? The order of the filters is random at first and has no meaning. Training
# gives it one: who stands beside whom is then a part of what is learned.
#
# ## Exercise 1: forward
#
# One pixel. Return $y$ and also $s$: backward will need it. $n$ is odd.


# %% tags=["exercise"]
def normalise(x, n, k, alpha, beta):
    """x (C,) -> y (C,) and s (C,), with s_i = k + alpha * (sum of x_j ** 2 over the window)."""
    raise NotImplementedError


# %%
check.normalise(normalise)

# %% [markdown]
# ## What do they mean by alpha?
#
# The formula above is the paper's. Its authors' own code divides `scale` by `size` before use
# (cuda-convnet, `layer.py`), and so do Caffe and PyTorch: they multiply the sum by $\alpha / n$ ($n$ also at
# the ends, where the window is cut). TensorFlow multiplies it by $\alpha$, but its `depth_radius` is *half* a
# window. Here each of them is given some of "the AlexNet numbers" (second column) and takes its own defaults for
# what is left out:
#
# | who | what is given | what it computes: $k$, $n$, $\alpha$ on the plain sum, $\beta$ |
# |---|---|---|
# | paper, section 3.3 | k 2, n 5, alpha 1e-4, beta 0.75 | 2, 5, **1e-4**, 0.75 |
# | the code of 2012 (`layer.py`, `layer-params-*.cfg`) | minDiv 2, size 5, scale 1e-4, pow 0.75 | 2, 5, **2e-5**, 0.75 |
# | Caffe (bvlc_alexnet) | local_size 5, alpha 1e-4, beta 0.75 | **1**, 5, **2e-5**, 0.75 |
# | PyTorch (`LocalResponseNorm(5)`) | size 5 | **1**, 5, **2e-5**, 0.75 |
# | TensorFlow (`tf.nn.lrn`) | bias 2, alpha 1e-4 | 2, **11**, 1e-4, **0.5** |
#
# (TensorFlow's default `depth_radius` is 5, which is $2 \cdot 5 + 1 = 11$ channels. 2 would be $n = 5$.)
#
# So "Reference AlexNet is incorrect: alpha is 5 times too small in the LRN layer"
# ([BVLC/caffe#1453](https://github.com/BVLC/caffe/issues/1453)) is half true: Caffe departs from the paper's
# text and agrees with the paper's code. Only its $k = 1$ is in neither of the two.
#
# In minigrad, a name that PyTorch has means what it means there; the paper's formula has its own name,
# `lrn`. To get the paper's formula from PyTorch's call, multiply alpha by $n$:

# %%
x = mg.tensor(100 * np.random.default_rng(0).standard_normal((2, 8, 3, 3)))
paper = F.lrn(x, n=5, k=2.0, alpha=1e-4, beta=0.75).numpy()
same_numbers = F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=2.0).numpy()
times_n = F.local_response_norm(x, 5, alpha=5 * 1e-4, beta=0.75, k=2.0).numpy()
print("PyTorch's call with the paper's numbers is the paper:", np.allclose(same_numbers, paper))
print("                 with alpha multiplied by 5 it is:   ", np.allclose(times_n, paper))

# %% [markdown]
# **A question.** You have weights that were trained with PyTorch's `LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2)`
# and want to use them with TensorFlow's `tf.nn.lrn(x, depth_radius=2, bias=2, alpha=?, beta=0.75)`. Which number
# belongs in the place of the question mark?

# %% tags=["answer"]
alpha_for_tensorflow = None

# %%
check.alpha_for_tensorflow(alpha_for_tensorflow)

# %% [markdown]
# ## Where it bites
#
# Let all channels at a pixel be about equally loud: their root mean square (rms) is $r$. Then the sum is $n r^2$, and
#
# $$s = k + \alpha n r^2 .$$
#
# While $\alpha n r^2$ is much smaller than $k$, $s$ is the constant $k$ and LRN multiplies everything by
# $k^{-\beta}$. A constant in front of a layer does nothing that the weights could not do. LRN *bites* where the
# two terms are equal:
#
# $$\alpha n r^2 = k \quad\Longleftrightarrow\quad r = \sqrt{\frac{k}{\alpha n}} .$$
#
# There it multiplies by $2^{-\beta}$ once more. It begins earlier, of course: the table also has the rms at which
# it takes off a tenth, where $(1 + \alpha n r^2 / k)^{-\beta} = 0.9$.

# %%
conventions = {
    "paper": (5, 2.0, 1e-4, 0.75),
    "code of 2012": (5, 2.0, 2e-5, 0.75),
    "Caffe, PyTorch": (5, 1.0, 2e-5, 0.75),
    "TensorFlow": (11, 2.0, 1e-4, 0.5),
}
for name, (n, k, alpha, beta) in conventions.items():
    bites = np.sqrt(k / (alpha * n))
    tenth = bites * np.sqrt(0.9 ** (-1 / beta) - 1)
    print(f"{name:15} takes off a tenth at an rms of {tenth:5.1f}, bites at {bites:6.1f}")

# %% [markdown]
# These are large numbers, and there is a reason: the network of 2012 read *raw pixels*, 0 to 255 less the
# mean (paper, section 2). Many later networks read pixels of variance 1 and keep their layers near it. There the
# numbers of 2012 do nothing:

# %%
r = np.geomspace(0.3, 3000, 200)
markers = zip(conventions.items(), (BLUE, ORANGE, GREEN, RED), ("-", "--", "-.", ":"), strict=True)
for (name, (n, k, alpha, beta)), colour, line in markers:
    factor = (k + alpha * n * r**2) ** -beta
    plt.semilogx(r, factor * k**beta, color=colour, linestyle=line, linewidth=2, label=name)
plt.axvspan(0.3, 3, color=SKY, alpha=0.3, linewidth=0)
plt.text(0.95, 0.1, "layers of\nvariance 1", ha="center")
plt.xlabel("rms of the channels at a pixel")
plt.ylabel("y / x, relative to all quiet")
plt.title("With layers of variance 1, LRN multiplies by a constant")
plt.legend(loc="upper right")
plt.show()

# %% [markdown]
# Does AlexNet ever get there? Ten drawn pictures, the first convolution of AlexNet with random filters,
# ReLU, and the paper's LRN. The filters of the paper's start, N(0, 0.01²), have 3·11·11 = 363 weights and so
# a norm of about 0.01·√363 = 0.19. If filters grow in training, their outputs grow with them, so look at
# filters of norm 1, too. In the third row pixels *and* outputs are divided by their standard deviation
# (the outputs before ReLU, which then leaves an rms of about √½ = 0.7):

# %%
images = np.stack([draw(name, np.random.default_rng(0), 224) for name in CLASSES])
pixels = images.transpose(0, 3, 1, 2).astype("f4")
pixels -= pixels.mean()
standard = pixels / pixels.std()
weight = 0.01 * np.random.default_rng(0).standard_normal((96, 3, 11, 11)).astype("f4")
unit = weight / np.sqrt((weight**2).sum((1, 2, 3), keepdims=True))


def conv1(pixels, weight):
    return F.conv2d(mg.tensor(pixels), mg.tensor(weight), stride=4, padding=2).numpy()


rows = ["                                      rms     y / x: loudest 1% .. quietest 1%"]
for name, x in (
    ("raw pixels, the paper's start", conv1(pixels, weight)),
    ("raw pixels, filters of norm 1", conv1(pixels, unit)),
    ("variance 1 in pixels and outputs", conv1(standard, weight / conv1(standard, weight).std())),
):
    x = np.maximum(x, 0)
    _, s = lrn_forward(x)
    low, high = np.percentile(s**-0.75, (1, 99))
    rows.append(f"{name:35} {np.sqrt((x**2).mean()):6.1f}     {low:.2f} .. {high:.2f}")
print("\n".join(rows))

# %% [markdown]
# With raw pixels LRN is mild at the start and grows strong as the filters do. In the third row it is a
# multiplication by 0.59, for every pixel. A network that divides its pixels by their standard deviation, keeps
# its layers at a variance near 1 and copies the paper's alpha is in the third row: its LRN costs time and does
# nothing. (All of this is about *scale*. If $x$ is divided by 64, an $\alpha$ of $64^2$ = 4096 times the paper's
# gives the same divisor.)
#
# ## A pixel that gets louder
#
# Look at $y$ itself when all channels of the window have the value $r$, so that their rms is $r$:
#
# $$y(r) = \frac{r}{(k + \alpha n r^2)^{\beta}} .$$
#
# **Predict before you run.** Take the paper's numbers. All channels of a window have the value 100, and then all of
# them get twice as large, 200. What does $y$ do? (a) It doubles. (b) It grows, but less. (c) It stays the same. (d) It
# gets smaller.

# %% tags=["answer"]
twice_as_loud = None

# %%
soft, loud = (lrn_forward(np.full((1, 9, 1, 1), level))[0][0, 4, 0, 0] for level in (100.0, 200.0))
check.twice_as_loud(twice_as_loud, "d" if loud < soft else "b")

# %% [markdown]
# For large $r$, $y$ behaves like $r^{1 - 2\beta}$. With $\beta = 0.75$ that is $1/\sqrt r$: it *falls*.

# %%
for (name, (n, k, alpha, beta)), colour, line in zip(
    conventions.items(), (BLUE, ORANGE, GREEN, RED), ("-", "--", "-.", ":"), strict=True
):
    y = r / (k + alpha * n * r**2) ** beta
    plt.semilogx(r, y, color=colour, linestyle=line, linewidth=2, label=name)
plt.xlabel("r: the value (and so the rms) of all channels in the window")
plt.ylabel("y")
plt.title("With beta 0.75, y has a largest value and falls after it")
plt.legend(loc="upper left")
plt.show()

# %% [markdown]
# ## Exercise 2: the turning point
#
# Find the $r$ at which $y(r)$ is largest: set its derivative to 0 and solve for $r$. ($\beta$ is more than
# 1/2. Why must it be?)


# %% tags=["exercise"]
def turning_point(n, k, alpha, beta):
    """The rms r at which r / (k + alpha * n * r ** 2) ** beta is largest."""
    raise NotImplementedError


# %%
check.turning_point(turning_point)

# %% [markdown]
# The same found by trying, from the curves above. (TensorFlow's $\beta$ is 1/2: for $\beta \le 1/2$ the derivative
# is never 0.)

# %%
fine = np.geomspace(10, 1000, 100_000)
for name, (n, k, alpha, beta) in conventions.items():
    y = fine / (k + alpha * n * fine**2) ** beta
    top = y.argmax()
    found = f"at an rms of {fine[top]:6.1f}" if top < fine.size - 1 else "nowhere, it levels off"
    print(f"{name:15} largest y: {found}")

# %% [markdown]
# The paper calls it "brightness normalization", because no mean activity is subtracted (section 3.3). What it does
# to a picture is to even out *contrast*: these filters add up to 0 and do not see brightness at all. Below, a
# grating gets stronger from left to right. Sixteen filters look at it, a stripe detector each; neighbours in the list
# are neighbours in angle. Before LRN, the highest peak of the filter that fits is eight times higher in the
# last 12 columns than in the first 12. After it, the peaks no longer grow; they even fall, by about a quarter:

# %%
place = np.arange(11) - 5
down, across = np.meshgrid(place, place, indexing="ij")
bank = []
for angle in (np.arange(16) - 8) * np.pi / 16:
    wave = np.cos(2 * np.pi / 6 * (across * np.cos(angle) + down * np.sin(angle)))
    wave *= np.exp(-(across**2 + down**2) / 18)
    wave -= wave.mean()
    bank.append(wave / np.sqrt((wave**2).sum()))
bank = np.array(bank)[:, None]

columns = np.arange(160)
contrast = np.linspace(6, 127, 160)
grating = np.broadcast_to(contrast * np.cos(2 * np.pi / 6 * columns), (40, 160))[None, None]
x = F.conv2d_relu(mg.tensor(grating.copy()), mg.tensor(bank)).numpy()
y, _ = lrn_forward(x)

fig, axes = plt.subplots(3, 1, figsize=(7.5, 6.0), height_ratios=[2, 3, 3])
axes[0].imshow(
    grating[0, 0], cmap="gray", vmin=-127, vmax=127, aspect="auto", extent=(0, 160, 0, 40)
)
axes[0].set(yticks=[], title="The input: contrast grows from left to right")
axes[0].grid(False)
titles = (
    "Filter 8 before LRN: the peaks grow with the contrast",
    "The same after LRN: they fall a little",
)
for axis, values, colour, title in zip(axes[1:], (x, y), (ORANGE, BLUE), titles, strict=True):
    axis.plot(np.arange(5, 155), values[0, 8, 20], color=colour)
    axis.set(title=title, ylabel="response", ylim=(0, None))
axes[2].set(xlabel="column")
for axis in axes:
    axis.set_xlim(0, 160)
plt.show()
left, right = slice(0, 12), slice(-12, None)
for name, values in (("before", x), ("after", y)):
    peaks = [values[0, 8, 20, part].max() for part in (left, right)]
    print(f"{name:7} highest peak in the first 12 {peaks[0]:6.1f}, in the last 12 {peaks[1]:6.1f}")

# %% [markdown]
# Look at the shape of the peaks at the right: each has a dent in its middle. There, where the filter fits
# best, the window is beyond the turning point: if all of its channels were smaller, $y$ would be larger.
#
# ## Backward
#
# $L$ is the loss and $g_i = \partial L / \partial y_i$ is `grad`. Where does $x_i$ occur?
#
# 1. In the numerator of $y_i$. That gives $g_i\, s_i^{-\beta}$.
# 2. In the sum $s_j$ of **every** channel $j$ whose window holds $i$. If $i$ is in the window of $j$,
#    then $j$ is in the window of $i$ (for odd $n$), so these are the same channels.
#
# For one such $j$: $\;\dfrac{\partial s_j}{\partial x_i} = 2 \alpha x_i\;$ and
# $\;\dfrac{\partial y_j}{\partial s_j} = -\beta\, x_j\, s_j^{-\beta-1}$. Multiply, and add over $j$:
#
# $$\frac{\partial L}{\partial x_i} = g_i\, s_i^{-\beta} \;-\; 2 \alpha \beta\, x_i
# \sum_{j \in \text{window}(i)} g_j\, x_j\, s_j^{-\beta-1}.$$
#
# Note the letters: in the sum, $g$, $x$ and $s$ all belong to $j$; only the $x_i$ in front belongs to $i$.
# So backward is again a sum over a window, of $g_j x_j s_j^{-\beta-1}$ in place of $x_j^2$.
#
# All derivatives of all outputs by all inputs, $\partial y_j / \partial x_i$ in row $j$ and column $i$, are a matrix,
# the *Jacobian* $J$. Row $j$ says how output $j$ depends on the inputs; column $i$, where input $i$ goes. Backward sums
# over the outputs, $\partial L / \partial x_i = \sum_j g_j J_{ji}$: it is the product of `grad` and $J$, and no program
# writes $J$ down for that. LRN's has $n$ diagonals. When all is quiet it is $k^{-\beta}$
# times the identity; when it is loud the neighbours pull against each other. The picture multiplies row $j$ by
# $s_j^\beta$, so that quiet shows 1:

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3.6), sharey=True)
cases = ((1.0, "quiet"), (63.2, "where it bites"), (1000.0, "loud"))
for axis, (level, title) in zip(axes, cases, strict=True):
    x = np.full((1, 12, 1, 1), level)
    _, s = lrn_forward(x)
    rows = [
        lrn_backward(row.reshape(1, 12, 1, 1), x, s).reshape(-1) for row in np.eye(12)
    ]  # row j: how y_j depends on each x_i
    jacobian = np.array(rows) * s.reshape(12, 1) ** 0.75
    shown = axis.imshow(jacobian, cmap="RdBu", vmin=-1, vmax=1)
    axis.grid(False)
    axis.set(title=f"{title}: r = {level:g}", xlabel="i")
    print(f"r = {level:6g}: a row in the middle adds up to {jacobian[6].sum():5.2f}")
axes[0].set_ylabel("j")
fig.colorbar(shown, ax=axes, label="$dy_j / dx_i$, times $s_j^\\beta$", shrink=0.8)
plt.show()

# %% [markdown]
# At the right, the rows add up to less than 0. More of everything makes $y_j$ smaller: that is the
# turning point again, seen from backward.
#
# ## Exercise 3: backward
#
# The check works at a large alpha, on purpose; after it you will see why.


# %% tags=["exercise"]
def normalise_backward(grad, x, s, n, alpha, beta):
    """dx (C,) of one pixel, from grad, x and the saved s, each (C,)."""
    raise NotImplementedError


# %%
check.normalise_backward(normalise_backward)

# %% [markdown]
# ## What a small alpha hides
#
# Suppose somebody forgets the second term altogether: $dx_i = g_i s_i^{-\beta}$. How wrong is the gradient, as
# a part of its size? It depends on where one looks:

# %%
rng = np.random.default_rng(1)
print("alpha       x ~ N(0, 1)    x ~ N(0, 100^2)")
for alpha in (1e-4, 1e-2, 1.0):
    errors = []
    for scale in (1, 100):
        x = scale * rng.standard_normal((4, 32, 5, 5))
        grad = rng.standard_normal(x.shape)
        _, s = lrn_forward(x, alpha=alpha)
        dx = lrn_backward(grad, x, s, alpha=alpha)
        errors.append(np.linalg.norm(grad * s**-0.75 - dx) / np.linalg.norm(dx))
    print(f"{alpha:<8g} {errors[0]:12.2%} {errors[1]:16.0%}")

# %% [markdown]
# A test with standard normal numbers, the paper's alpha and a tolerance of 1e-3 passes with half of the
# formula missing. So check LRN where it bites: $\alpha n r^2 = k$ at $r = 1$ gives $\alpha = 0.4$.
#
# ## The kernels
#
# minigrad has the formula twice: `lrn_naive`, written like it, and the fast one. In the fast one the memory
# has the channels of a pixel side by side. The window's sum is then $n - 1$ *shifted additions* of
# the whole array. A running total, from which each window is the difference of two places, would
# take two additions whatever $n$ is. But look at what it does behind a loud channel, in float32:

# %%
square = np.array([1e8, 1, 2, 3, 4, 5, 6, 7, 8, 9], "f4")
total = np.cumsum(np.concatenate([np.zeros(1, "f4"), square]), dtype="f4")
print("shifted additions: ", sum(square[j : 6 + j] for j in range(5)))
print("running difference:", total[5:] - total[:-5])

# %% [markdown]
# The loud number has left the window, and its rounding error stays. minigrad adds.
#
# Both versions agree, forward and backward, also where the window stops at the border between the two
# halves of the channels (`groups=2`, explained below):

# %%
x = rng.standard_normal((2, 12, 3, 4))
grad = rng.standard_normal(x.shape)
for groups in (1, 2):
    y, s = lrn_forward(x, 5, 2.0, 0.5, 0.75, groups)
    dx = lrn_backward(grad, x, s, 5, 0.5, 0.75, groups)
    same_y = np.allclose(y, lrn_naive(x, 5, 2.0, 0.5, 0.75, groups))
    same_dx = np.allclose(dx, lrn_backward_naive(grad, x, 5, 2.0, 0.5, 0.75, groups))
    print(f"groups {groups}: they agree: {same_y} {same_dx}")

t = mg.tensor(x, requires_grad=True)
print("\nalpha    gradient check    first term alone, to 1e-3")
for alpha in (1e-4, 0.4):
    _, s = lrn_forward(x, alpha=alpha)
    dx = lrn_backward(grad, x, s, alpha=alpha)
    alone = np.allclose(grad * s**-0.75, dx, rtol=1e-3, atol=1e-3)
    print(f"{alpha:<8g} {mg.gradcheck(partial(F.lrn, alpha=alpha), [t])!s:17} {alone}")

# %% [markdown]
# `groups` is a real difference between the network of 2012 and its copies on one GPU. The code of 2012
# ran on two GPUs, and each normalised its own 48 channels (its layer file has two LRN layers there, `rnorm1a` and
# `rnorm1b`); Caffe normalises all 96 in one list. Four channels
# of the first layer get another value:

# %%
x = 100 * rng.standard_normal((1, 96, 1, 1))
two_towers, one_list = lrn_forward(x, groups=2)[0], lrn_forward(x)[0]
print("channels that differ:", np.flatnonzero(two_towers != one_list))

# %% [markdown]
# ## The sibling: neighbours in the map
#
# LRN compares a channel with other channels at the *same* pixel. Its sibling compares a pixel with the
# pixels around it in the *same* channel, a window of `size` × `size`:
#
# $$u = x - \text{mean of } x \text{ over the window}, \qquad
# y = \frac{u}{\left(k + \dfrac{\alpha}{\text{size}^2} \sum u^2\right)^{\beta}} .$$
#
# This is *local contrast normalisation*. With $u = x$ (nothing subtracted) it is *response* normalisation
# within a map. The paper mentions local *contrast* normalisation and says that its own scheme differs
# (section 3.3). It does not say that *response* normalisation within a map ran, too: the layer files of the
# code of 2012 (`layers/layers-145.cfg`) have it after the second LRN layer, 5×5, with
# $\alpha = 0.001$, $\beta = 0.75$, $k = 1$
# ([computerhistory/AlexNet-Source-Code](https://github.com/computerhistory/AlexNet-Source-Code)).
# Of this project's recipes (`alexnet_scratch/recipe/`), `source2012` has it and `paper` has not.
#
# A picture under uneven light shows what the two do (with numbers for its small scale, not those of 2012):

# %%
picture = draw("spiral", np.random.default_rng(4), 128).mean(2)
lit = (picture * np.linspace(0.15, 1.0, 128))[None, None]
options = {"size": 15, "alpha": 1.0, "beta": 0.5, "k": 30.0}
response, _ = contrast_norm_forward(lit, **options, subtract_mean=False)
contrast, _ = contrast_norm_forward(lit, **options, subtract_mean=True)
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2))
titles = "x: light from the right", "response: the shadow is gone", "contrast: the mean, too"
for axis, values, title in zip(axes, (lit, response, contrast), titles, strict=True):
    low, high = np.percentile(values, (1, 97))
    shown = axis.imshow(values[0, 0], cmap="gray", vmin=low, vmax=high)
    fig.colorbar(shown, ax=axis, shrink=0.7)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=11)
    axis.grid(False)
plt.show()

# %% [markdown]
# Response normalisation keeps the sign: all values are positive, around 1. Contrast normalisation gives values
# around 0. Its picture is still weaker at the left: $\sum u^2 / \text{size}^2$ is small there against $k = 30$,
# so it is nearly "quiet". The bright frame in the middle picture is the border: the window hangs over it and sums
# fewer pixels, while the division stays by `size` squared (the highest values are cut off at white). The contrast
# picture has no frame: there the mean, over the pixels that are there, is taken away first. LRN's first and last
# channels have the same advantage.
#
# The backward of both is the same derivation once more, with a window in two directions:

# %%
x = mg.tensor(rng.standard_normal((2, 3, 7, 6)), requires_grad=True)
for subtract_mean in (False, True):
    sibling = partial(F.local_contrast_norm, size=5, alpha=1.0, subtract_mean=subtract_mean)
    print(f"gradient check, subtract_mean={subtract_mean}:", mg.gradcheck(sibling, [x]))

# %% [markdown]
# ## Was it worth it?
#
# The paper reports (section 3.3) that LRN lowers the errors by 1.4 points (top-1: the first guess is wrong) and
# 1.2 points
# (top-5: the first five are). The notes at the end of the parameter files show the nets behind this
# ([computerhistory/AlexNet-Source-Code](https://github.com/computerhistory/AlexNet-Source-Code), folder
# `layers`, `layer-params-145.cfg`, `-148.cfg` and `-167.cfg`). Net 148, without LRN in both layers *and*
# without the sibling, has a top-1 error of 42.03% on the validation set, the paper's net 145 has 40.66%: the
# 1.4 points. A later net, 167, without any normalisation in layer 2 and with another schedule of the learning
# rate, has 40.49%. Two years later VGG was trained with and without LRN and it did not help
# (Simonyan and Zisserman 2014, section 4, network A-LRN).
#
# Today's networks normalise with *learned* scales over a batch or a layer. What stays is the question you can
# now ask of any normalisation: over which neighbours, at which scale does it act, and does its backward know
# all the places where $x_i$ occurs?
#
# ## Your code is the network
#
# AlexNet has two such layers, behind conv1 and conv2. Here are your two functions in their place (a loop over the
# pixels of four images: slow, and right):

# %%
yours.plug("07_lrn", globals())

# %% [markdown]
# ## What to remember
#
# - $y_i = x_i / (k + \alpha \sum x_j^2)^\beta$, over neighbouring channels of one pixel. Ask whether alpha
#   is on the sum or divided by $n$.
# - It bites where the rms reaches $\sqrt{k / (\alpha n)}$: 63 with the paper's numbers, made for raw
#   pixels. With variance 1 it is a constant.
# - Beyond $\sqrt 2$ times that, with $\beta = 0.75$, louder pixels come out quieter.
# - $x_i$ occurs in $n$ denominators, so backward is a sum over a window. Test it where alpha bites.
#
# ## Further
#
# No check, only for you. In the cell with the grating, let brightness grow instead of contrast: put
# `20 * np.cos(2 * np.pi / 6 * columns) + np.linspace(0, 100, 160)` into `np.broadcast_to`. What do filter 8 and LRN
# make of it? You should see nothing of the ramp. Then keep only the positive part of each filter,
# `wave = np.maximum(wave, 0)` in place of `wave -= wave.mean()`, so that the filters see brightness, and look again.
# Now the peaks of filter 8 grow about five times from left to right, and LRN makes of that a fall by half:
# "brightness normalization", if the filters let brightness through.
#
# [Solutions](solutions/07_lrn.ipynb). Next: [notebook 8](08_blind_checks.ipynb), how a check goes blind.
