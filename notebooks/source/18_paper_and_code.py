# %% [markdown]
# # 18. The paper and the code
#
# **At the end you will know** in what the published code of 2012 differs from the paper, what a few of these
# differences do, what you can read about the paper and is wrong, and how to find such things out: by
# computing them.
#
# About 45 minutes: 30 to read, 15 for the exercises. You need notebooks 7 (LRN), 9 (dropout), 10 (data) and
# 10 (training).

# %%
import math
import textwrap
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n18_paper_and_code as check
from alexnet_course.style import BLUE, ORANGE, RED, use_style
from alexnet_scratch import inside, signal_meter
from alexnet_scratch.data import patterns
from alexnet_scratch.data.statistics import Accumulator
from alexnet_scratch.initialise import initialise
from alexnet_scratch.pixels import ToInput, pixel_statistics
from alexnet_scratch.recipe import RECIPES, build_model
from alexnet_scratch.recipe.flags import shown
from alexnet_scratch.recipe.notes import differences
from minigrad.kernels.lrn import lrn_forward
from minigrad.tools.summary import summary

use_style()

# %% [markdown]
# ## Four descriptions of one network
#
# There are at least four networks that people call AlexNet, and each is a *recipe*: a network with its
# input, its initialisation and its schedule.
#
# | recipe | source |
# |---|---|
# | `paper` | Krizhevsky, Sutskever, Hinton: *ImageNet Classification with Deep Convolutional Neural Networks* (2012), to the letter |
# | `source2012` | what their program ran: [computerhistory/AlexNet-Source-Code](https://github.com/computerhistory/AlexNet-Source-Code), published in 2025 |
# | `caffe` | Caffe's `bvlc_alexnet`, a copy that many people used |
# | `owt` | the one-tower network of Krizhevsky's *One weird trick* (2014), which torchvision calls AlexNet |
#
# `alexnet diff paper source2012` prints in what two of them differ, with a line on each difference. Here is
# the table without the lines:

# %%
for name, one, other, _ in differences(RECIPES["paper"], RECIPES["source2012"]):
    print(f"{name:20} {shown(one):30} {shown(other)}")

# %% [markdown]
# and the lines on those that this notebook comes back to:

# %%
for name, _, _, note in differences(RECIPES["paper"], RECIPES["source2012"]):
    if name in ("init", "lrn_alpha", "orders", "crop", "colour_noise"):
        print(textwrap.fill(f"{name}: {note}", 90) + "\n")

# %% [markdown]
# ## The initialisation: what of the image reaches the classes?
#
# Before the first step, does the network say anything about the image at all? Give it 16 images and look at
# the logits. Notebook 12 has two numbers for this. `image_rms` is how far a logit *moves* from image to image:
# where it hardly does, the first gradients say little about images, and training may sit on a plateau at $\ln C$,
# the loss of guessing among $C$ classes, until the signal has grown. The image's *share*, `image_rms / rms`, says
# whether a constant hides the image: such a start may never leave. `alexnet doctor` measures both; here they are
# for the recipes.

# %%
rng = np.random.default_rng(0)
images = np.stack([patterns.draw(name, rng) for name in patterns.CLASSES for _ in range(2)])[:16]
statistics = Accumulator(256)
statistics.add(images)


def begin(recipe):
    """A network with the recipe's first weights, and the images as it gets them."""
    mg.manual_seed(0)
    model = build_model(recipe, 1000)
    to_input = ToInput(recipe, pixel_statistics(recipe, statistics.result()))
    edge = (256 - recipe.input_size) // 2
    centre = images[:, edge : edge + recipe.input_size, edge : edge + recipe.input_size]
    x = to_input(mg.Tensor(np.ascontiguousarray(centre)))
    initialise(model, recipe.init, x)
    return model, x


recipes = {name: RECIPES[name] for name in ("paper", "source2012", "caffe", "owt", "small")}
signals = {name: signal_meter.measure(*begin(recipe)) for name, recipe in recipes.items()}
moved = {name: rows[-1].image_rms for name, rows in signals.items()}  # the last row: the logits
share = {name: rows[-1].image_share for name, rows in signals.items()}

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4))
left.bar(list(moved), list(moved.values()), color=BLUE)
left.set(yscale="log", ylabel="how far an image moves a logit")
right.bar(list(share), [100 * s for s in share.values()], color=ORANGE)
right.set(ylabel="share of the logits that\ndepends on the image (%)")
for axes in (left, right):
    axes.tick_params(axis="x", rotation=30)
    axes.grid(axis="x", visible=False)
plt.show()

# %% [markdown]
# On the right the paper's text stands out: hardly one part in a hundred of its logits depends on the image.
# It fills the biases of conv2, conv4, conv5, fc6 and fc7 with 1 and the weights with a
# standard deviation of 0.01: each of these layers adds a constant and shrinks what depends on the image. The
# code that ran has 0.03 in conv3 to conv5. `owt` moves its logits least of all, but its share is more than five
# times the paper's. In notebook 12 the start with biases of 0, which moved its logits little and hid nothing,
# woke up; `owt`'s may, too. `small`, this project's default, scales every layer by what one batch of images gives
# (LSUV; Mishkin and Matas, 2016): the largest share of its logits is about the image.

# %%
print("less than 2% of the paper's logits depends on the image:", share["paper"] < 0.02)
print("owt moves its logits least:", min(moved, key=moved.get) == "owt")
print("its share is over five times the paper's:", share["owt"] > 5 * share["paper"])
print("the largest share is that of small:", max(share, key=share.get) == "small")

# %% [markdown]
# Is it the 0.03 that makes the code's start kinder, or one of its other differences? Change that one thing in the
# paper's recipe, and compare layer by layer; and count the units that are off, that is, 0 after their ReLU:

# %%
starts = {name: begin(replace(RECIPES["paper"], init=name)) for name in ("paper", "source2012")}
rows = signal_meter.measure(*starts["source2012"])
ratio = {n.name: n.image_rms / o.image_rms for n, o in zip(rows, signals["paper"], strict=True)}
farther = moved["source2012"] / moved["paper"]
print(f"source2012 moves the logits {farther:.1f} times as far as the paper")
print(f"the paper with the code's init: {ratio['fc8']:.1f} times")
for name in ("conv3", "conv4", "conv5"):
    print(f"    after {name}: {ratio[name]:4.1f} times")
for title, (model, x) in zip(("0.01", "0.03"), starts.values(), strict=True):
    kept = inside.activations(model, x, ["relu4", "relu5"])
    print(f"{title}: off in conv4 {(kept['relu4'] == 0).mean():.0%}, in conv5", end=" ")
    print(f"{(kept['relu5'] == 0).mean():.0%}")
del model, starts

# %% [markdown]
# It is the 0.03. Three layers with weights three times as large could give $3^3 = 27$, and conv3, whose biases are
# 0, does give 3. conv4 and conv5 give less: with 0.01 hardly a unit falls from its bias of 1 below 0, so their
# ReLUs let nearly everything through; with 0.03 they cut off about a third.
#
# ## LRN's alpha, and where LRN stands
#
# The paper writes $\alpha = 10^{-4}$ on the plain sum of squares. Its code divides by the window: $\alpha = 10^{-4}
# / 5$. And its first layer normalises the *linear* output of conv1, with ReLU after the pooling. Negative
# outputs then count in the sum, too. How much does either change? That depends on how large the outputs are. Take
# random ones: as large as conv1's are at the start of `source2012`, and, as training may enlarge them, 60 and 120:

# %%
normal = rng.standard_normal((1, 96, 20, 20)).astype("f4")
print("outputs   LRN before ReLU   alpha / 5   (mean change of an output)")
for deviation in (signals["source2012"][0].rms, 60, 120):
    a = normal * np.float32(deviation)
    after = np.maximum(lrn_forward(a, 5, 2.0, 1e-4, 0.75)[0], 0)  # LRN, then ReLU
    before = lrn_forward(np.maximum(a, 0), 5, 2.0, 1e-4, 0.75)[0]  # ReLU, then LRN
    small = lrn_forward(np.maximum(a, 0), 5, 2.0, 1e-4 / 5, 0.75)[0]
    alive = before > 0
    one, other = (100 * (y[alive] / before[alive] - 1).mean() for y in (after, small))
    print(f"{deviation:7.0f} {one:+16.0f}% {other:+10.0f}%")

# %% [markdown]
# At the start both hardly matter. How much they do later depends on what training makes of conv1.
#
# ## What the summaries say
#
# Many summaries of the paper circulate. These are statements of the kind that you can read there, put into our
# words, each with what the paper says and, where it can be computed, the computation.
#
# **"The network is trained with rotations."** Section 4.1 has translations, reflections and colour noise: no
# rotations. And "2048": a 224 crop of a 256 image can begin at 33 places in each direction, not 32.

# %%
print("32 x 32 x 2 =", 32 * 32 * 2, "   33 x 33 x 2 =", 33 * 33 * 2)

# %% [markdown]
# **"Layer 1 has 253,440 neurons"** (the caption of the paper's figure 2 says so itself). Its map is 55 × 55, with 96 of them:

# %%
model = build_model(RECIPES["paper"], 1000)
first = next(row for row in summary(model, (3, 224, 224)).rows if row.name == "conv1")
print("output of conv1:", first.output_shape, " numbers:", math.prod(first.output_shape[-3:]))

# %% [markdown]
# **"ReLU is six times faster than the sigmoid."** Figure 1 compares with tanh, on a four-layer network for
# CIFAR-10, up to 25% *training* error (notebook 6 replays it). **"tanh always loses gradient, its derivative is
# less than 1."** At 0 it is 1:

# %%
t = mg.tensor(np.array([0.0, 1.0, 3.0]), requires_grad=True)
t.tanh().sum().backward()
print("derivative of tanh at 0, 1, 3:", np.round(t.grad.numpy(), 3))

# %% [markdown]
# **"They won by more than 10 points with a top-5 error of 16.4%."** Table 2: 16.4% is the test error of five
# networks trained on the competition's images alone. The winning entry averaged seven networks, two of
# them first trained on a larger data set.

# %%
second = 26.2  # best of the other entries (table 2)
for name, error in (("five networks", 16.4), ("seven networks", 15.3)):
    print(f"{name}: {error}%, {second - error:.1f} points better")

# %% [markdown]
# **"Dropout is in the last two fully connected layers."** It is in the *first* two (section 4.2): fc6 and fc7, never
# on the classes. torchvision has it *before* fc6 and fc7, which drops values of pool5 and fc6, and never fc7's
# outputs.
#
# **"Multiply by r, drawn from Bernoulli(p), p the probability to drop."** Then r is 1 with probability $p$: the
# mask keeps what it should drop. At $p = 0.5$ nobody notices.

# %%
for p in (0.5, 0.1):
    r = rng.random(100_000) < p
    print(f"p = {p}: meant to keep {1 - p:.0%}, keeps {r.mean():.0%}")

# %% [markdown]
# ### Exercise 1: the paper's dropout
#
# In training the paper sets each output to 0 with probability $p$ and leaves the others as they are; at test
# it multiplies all outputs by the chance that an output was kept (section 4.2, where $p = 0.5$). `uniform` holds
# a number from 0 to 1 for each element of `x`, drawn evenly.


# %% tags=["exercise"]
def paper_dropout(x, p, uniform, training):
    """x and uniform of one shape; p: probability to drop. Returns y of the same shape."""
    raise NotImplementedError


# %%
check.paper_dropout(paper_dropout)

# %% [markdown]
# ## Weight decay, and the velocity
#
# Section 5 gives the update
#
# $$v \leftarrow 0.9\,v - 0.0005\,\varepsilon\,w - \varepsilon\,g, \qquad w \leftarrow w + v$$
#
# with the gradient $g$ and the learning rate $\varepsilon$. Two things are read over easily. The decay term is the
# gradient of $\frac{\lambda}{2} w^\top w$ with $\lambda = 0.0005$; who writes the loss as $L + \lambda w^\top w$ decays twice as fast.
# And the learning rate stands *inside* the velocity: PyTorch has $v \leftarrow 0.9\,v + g$, $w \leftarrow w - \varepsilon v$. With a
# constant rate both do the same. At the moment the rate falls they do not.
#
# ### Exercise 2: the paper's update


# %% tags=["exercise"]
def paper_update(w, v, grad, lr, momentum, decay):
    """Returns the new (w, v); all arrays of one shape. Leaves its arguments as they are."""
    raise NotImplementedError


# %%
check.paper_update(paper_update)

# %% [markdown]
# What happens when the rate falls tenfold? A weight that is pulled by a constant gradient of 1, the rate divided
# by 10 after step 20, both rules:

# %%
paths = {}
for rule in ("paper", "torch"):
    w = mg.tensor(np.zeros(1), requires_grad=True)
    optimizer = mg.optim.SGD([w], lr=0.1, momentum=0.9, rule=rule)
    paths[rule] = [0.0]
    for step in range(60):
        if step == 20:
            optimizer.param_groups[0]["lr"] = 0.01
        w.grad = mg.tensor(np.ones(1))
        before_step = w.item()
        optimizer.step()
        paths[rule].append(before_step - w.item())
plt.plot(paths["paper"], color=RED, label="paper: the rate inside the velocity")
plt.plot(paths["torch"], color=BLUE, linestyle="--", label="PyTorch: the rate outside")
plt.xlabel("step")
plt.ylabel("how far the weight moves")
plt.title("When the rate falls, the paper's weight coasts on")
plt.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Colour noise: eigenvalue or standard deviation?
#
# Section 4.1 adds $[\mathbf p_1, \mathbf p_2, \mathbf p_3]\,[\alpha_1 \lambda_1, \alpha_2 \lambda_2, \alpha_3 \lambda_3]^\top$ to each pixel, with
# $\lambda_i$ the $i$th eigenvalue of the covariance of the colours and $\alpha_i$ of standard deviation 0.1. An
# eigenvalue is a *variance*: its unit is grey levels squared. The code takes the standard deviation $\sqrt{\lambda_i}$.
#
# ### Exercise 3: the size of the noise


# %% tags=["exercise"]
def noise_sizes(pixels, scale):
    """pixels (N, 3). For each axis of their covariance, largest first, what alpha = 1 would add to a
    pixel along it: (3,). scale: "eigenvalue" or "deviation"."""
    raise NotImplementedError


# %%
check.noise_sizes(noise_sizes)

# %% [markdown]
# With pixels from 0 to 255 the eigenvalue would throw the picture far off the scale; who implements the text
# to the letter has to divide the pixels by 255 first (the paper does not say so):

# %%
pixels = images.reshape(-1, 3)[::50].astype(float)
for name, unit in (("0 to 255", 1.0), ("0 to 1", 255.0)):
    largest = np.linalg.eigvalsh(np.cov((pixels / unit).T))[-1]
    print(
        f"pixels {name:8}  a usual shift: eigenvalue {0.1 * largest * unit:7.1f} grey levels, "
        f"standard deviation {0.1 * math.sqrt(largest) * unit:4.1f}"
    )

# %% [markdown]
# ## What to remember
#
# - A recipe is a whole. The paper's biases and standard deviations, taken word by word, leave almost no signal at
#   the start; the code that ran was kinder.
# - A sentence in a paper can be checked: count, measure, or read the code.
# - When two sources differ, ask which of the two ran.
#
# [Solutions](solutions/18_paper_and_code.ipynb). This was the last notebook: go on with
# `alexnet train`, or with a data set of your own (`alexnet prepare --help`).
