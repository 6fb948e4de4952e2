# %% [markdown]
# # 12. Why AlexNet's loss sticks at 6.9
#
# **At the end you will know** why a network can sit at the loss $\ln C$ and how to tell whether it sleeps or
# is dead, what momentum does in a narrow valley, how the paper's update differs from PyTorch's, what a weight
# decay of 0.0005 is worth, how a plateau schedule decides, and what a run must keep so that it goes on, to
# the bit, as if it had never stopped. You will have trained an AlexNet.
#
# About an hour: 40 minutes to read, 20 for the exercises. You need notebooks 6 (dead units) and 11 (the
# network); variance and covariance, and conditional probabilities (Bayes' rule) in one derivation. The whole notebook computes for about two minutes; most of it is the training run.

# %%
import math
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n12_stuck_loss as check
from alexnet_course import small_run
from alexnet_course.style import BLUE, GREEN, ORANGE, PURPLE, RED, use_style
from alexnet_scratch import signal_meter
from alexnet_scratch.data import patterns
from alexnet_scratch.initialise import initialise
from alexnet_scratch.pixels import ToInput, pixel_statistics
from alexnet_scratch.recipe import build_model
from minigrad import nn, optim
from minigrad.nn import functional as F

use_style()

# %% [markdown]
# ## What guessing costs
#
# The network gives each class a number, the *logit* $z_c$. The softmax makes probabilities of them, and the
# loss of an image is $-\ln$ of the probability of its true class:
#
# $$p_c = \frac{e^{z_c}}{\sum_{c'} e^{z_{c'}}}, \qquad L = -\ln p_{\text{true}}.$$
#
# Suppose that the network says the same $p$ to every image, and that the $C$ classes are equally common. Its
# mean loss is $-\frac{1}{C} \sum_c \ln p_c$. The logarithm is concave, so the mean of the $\ln p_c$ is at most the
# $\ln$ of their mean, and that mean is $1/C$. So the loss is lowest when all $p_c$ are $1/C$, and then it is $\ln C$.
# **Without looking at the image nobody gets below $\ln C$**: 6.91 for the 1000 classes of ImageNet, 2.30 for
# ten.
#
# Our ten classes are drawn patterns, each in any colours, sizes and positions:

# %%
print(f"ln 1000 = {math.log(1000):.2f}, ln 10 = {math.log(10):.2f}")
recipe = small_run.RECIPE  # the AlexNet that we shall train
print(f"input {recipe.input_size}, maps {recipe.widths}, fc6 and fc7 {recipe.fc_width} units")
rng = np.random.default_rng(10)
drawn = [patterns.draw(name, rng, recipe.input_size) for name in patterns.CLASSES for _ in range(4)]
pictures = np.stack(drawn)  # four of each class

fig, axes = plt.subplots(1, 10, figsize=(9, 1.25))
for axis, name, picture in zip(axes.flat, patterns.CLASSES, pictures[::4], strict=True):
    axis.imshow(picture)
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    axis.set_title(name, fontsize=9)
plt.show()

# %% [markdown]
# The network has all eight layers and both towers of the paper's, but it is narrow, so that a laptop can
# train it. Each weight has to begin
# somewhere. The paper (section 5) takes random weights with mean 0 and standard deviation 0.01 in all layers,
# and biases of 1 in conv2, conv4, conv5, fc6 and fc7, else 0. The ones, it says, speed up the early stages of
# learning, for they give the ReLUs positive inputs. Let us look.
#
# ## A signal meter
#
# Send a batch of images through the network and watch one unit of a layer (a *unit* is one value of the
# output). What can the layers behind it learn from it? Only how it **differs from image to image**; what is
# the same for all images says nothing about the image. So measure, for outputs $y_{i,u}$ of image $i$ and
# unit $u$, in a batch of $N$ images with $U$ units each:
#
# $$\mathrm{rms} = \sqrt{\frac{1}{NU} \sum_{i,u} y_{i,u}^2}, \qquad
# \mathrm{image\_rms} = \sqrt{\frac{1}{U} \sum_u \underbrace{\frac{1}{N} \sum_i \big( y_{i,u} - \bar y_u \big)^2}_{\text{variance of unit } u}},
# \qquad \bar y_u = \frac{1}{N} \sum_i y_{i,u}.$$
#
# `rms` is the size of everything, `image_rms` the size of the part that depends on the image. As
# $\mathrm{rms}^2 = \mathrm{image\_rms}^2 + \frac{1}{U} \sum_u \bar y_u^2$,
# their quotient `image_rms / rms`, the image's *share*, is between 0 and 1.
#
# ## Exercise 1: how far an image moves a unit


# %% tags=["exercise"]
def image_part(outputs):
    """outputs (N, U), a row for each image -> two numbers, rms and image_rms."""
    raise NotImplementedError


# %%
check.image_part(image_part)

# %% [markdown]
# `signal_meter.measure` does this for every layer (`alexnet doctor` prints it for a recipe of yours). We
# compare three starts of the same network: the paper's, the paper's with all biases 0, and *LSUV*, which
# comes in a moment. The paper's weights presume raw pixels, 0 to 255 less the mean, and get them.


# %%
def begun(scheme, no_biases=False):
    """The network before training, and the pictures as it gets them."""
    raw = {} if scheme == "lsuv" else {"input_std": (1.0, 1.0, 1.0), "dropout": "paper"}
    chosen = replace(recipe, init=scheme, **raw)
    mg.manual_seed(0)
    model = build_model(chosen, 10).eval()
    x = ToInput(chosen, pixel_statistics(chosen, None))(mg.tensor(pictures))
    initialise(model, scheme, x)
    if no_biases:
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
    return model, x


def signal(model, x):
    return [row for row in signal_meter.measure(model, x) if not row.name.startswith("lrn")]


starts = {
    "paper": begun("paper"),
    "paper, biases 0": begun("paper", no_biases=True),
    "LSUV": begun("lsuv"),
}
signals = {name: signal(*start) for name, start in starts.items()}


LOOKS = {
    "paper": {"color": RED, "marker": "o"},
    "paper, biases 0": {"color": ORANGE, "marker": "s", "markersize": 10, "fillstyle": "none"},
    "LSUV": {"color": BLUE, "marker": "D", "markersize": 5},
    "trained": {"color": GREEN, "marker": "^"},
}


def draw_signals(signals, title):
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.7))
    for name, rows in signals.items():
        layers, look = [row.name for row in rows], LOOKS[name]
        left.plot(layers, [row.image_rms for row in rows], label=name, **look)
        right.plot(layers, [row.image_share for row in rows], **look)
    left.set(yscale="log", ylabel="image_rms", title="How far an image moves a unit")
    right.set(yscale="log", ylabel="image_rms / rms", title="The image's share")
    for axis in (left, right):
        axis.tick_params(axis="x", rotation=45)
    left.legend(frameon=False)
    fig.suptitle(title)
    plt.show()


draw_signals(signals, "Before the first step")
labels = np.repeat(np.arange(10), 4)
with mg.no_grad():
    losses = {name: F.cross_entropy(model(x), labels).item() for name, (model, x) in starts.items()}
print("all three losses are within 0.1 of ln 10:", max(abs(loss - math.log(10)) for loss in losses.values()) < 0.1)
last = {name: rows[-1] for name, rows in signals.items()}
for name, row in last.items():
    print(f"{name:16} an image moves a logit by {row.image_rms:.0e}")

# %% [markdown]
# All three begin at $\ln 10$: no loss curve could tell them apart now. The meter can. Two things go wrong in
# the paper's start, and they are not the same thing:
#
# - **The weights shrink the signal** (left). With biases 0, each layer makes it about ten times smaller, but what
#   is there is still about the image: its share is that of LSUV (right). Without biases, who multiplies all
#   weights of a layer by one number multiplies `image_rms` and `rms` by it, and the share stays.
# - **The biases hide it** (right). A bias of 1 adds a constant. By fc7 nearly all that a unit says is that
#   constant, and the image's share falls with every such layer.
#
# ## How large should a weight be?
#
# A unit of a layer is $y = \sum_{j=1}^{n} w_j x_j$; $n$ is its *fan-in*, the number of its inputs. With
# independent weights of mean 0 and standard deviation $\sigma$, and with the bias 0,
#
# $$\mathrm{E}[y^2] = n\, \sigma^2\, \mathrm{E}[x^2].$$
#
# ReLU sets one half of the (symmetric) $y$ to 0 and so halves the mean square. So a layer multiplies the rms
# by
#
# $$\sigma \sqrt{n / 2}, \qquad \text{which is 1 for } \sigma = \sqrt{2 / n}$$
#
# (He and others, 2015, three years after the paper). For the layers of the paper's network in its full width:

# %%
fan_in = {
    "conv1": 3 * 11 * 11, "conv2": 48 * 5 * 5, "conv3": 256 * 3 * 3, "conv4": 192 * 3 * 3,
    "conv5": 192 * 3 * 3, "fc6": 256 * 6 * 6, "fc7": 4096,
}  # fmt: skip
print("layer  fan-in   He's std   with 0.01 a layer multiplies the rms by")
for name, n in fan_in.items():
    print(f"{name:5}  {n:6}   {math.sqrt(2 / n):8.3f}   {0.01 * math.sqrt(n / 2):8.2f}")
threefold = math.prod(0.03 * math.sqrt(fan_in[name] / 2) for name in ("conv3", "conv4", "conv5"))
print(f"conv3 to conv5 with 0.03: {threefold:.2f} together, with 0.01: {threefold / 27:.3f}")

# %% [markdown]
# 0.01 is too small everywhere, and least so in fc6 and fc7. And the last line is a small discovery: the
# authors' published code does not have 0.01 in conv3 to conv5, it has 0.03 (the layer file in
# [computerhistory/AlexNet-Source-Code](https://github.com/computerhistory/AlexNet-Source-Code)). That is
# nearly He's number. Who follows the paper's text loses a factor of 27 there.
#
# A fair word: our layers are narrow, their fan-in is smaller, and that makes 0.01 still smaller than it was for
# the paper's. Notebook 18 measures the full width, where the paper's start moves the logits farther, but
# still less than LSUV.
#
# ## Exercise 2: LSUV
#
# Rather than to calculate the scale, one can measure it: *layer-sequential unit variance* (Mishkin and Matas,
# 2016). Their method also makes the rows of each random weight orthonormal first, and aims at 1 in every layer; we
# leave the first out, and aim lower in the last. Take random weights, biases of 0, and one batch of real images. Go through the layers from the first
# to the last. In each, look at the layer's output $y$ (before ReLU), and scale the whole weight by one
# number, so that all the numbers of $y$ together have the standard deviation `target`. Then go on with the
# scaled output. The target is 1, and 0.1 for the logits: small enough that the first loss is near $\ln C$, and
# large enough that the logits depend on the image.
#
# Do it for one linear layer, $y = x\, W^\top$:


# %% tags=["exercise"]
def lsuv(weight, x, target):
    """weight (outputs, inputs), x (N, inputs) -> the scaled weight, of the shape of weight."""
    raise NotImplementedError


# %%
check.lsuv(lsuv)

# %% [markdown]
# ## Asleep or dead
#
# What happens in training? We take a network that is ill in the same way, and small enough to run in seconds:
# six hidden layers of 100 units, on points in 100 dimensions, in ten classes. The paper's conv3 to conv5 have
# weights of about a third of He's (the table above), and so has this network. Four starts: biases of 1, of
# 0.1 (Caffe's `bvlc_alexnet`) and of 0, and He's weights.
#
# The loop in `train` is all of training. Everything else in this notebook is about its one line
# `optimizer.step()`, and about what happened before the first.


# %%
def points(seed, count):
    """Points around two centres for each of ten classes."""
    centres = np.random.default_rng(7).standard_normal((10, 2, 100))
    rng = np.random.default_rng(seed)
    classes, which = rng.integers(0, 10, count), rng.integers(0, 2, count)
    x = (centres[classes, which] + 1.5 * rng.standard_normal((count, 100))) / math.sqrt(3.25)
    return mg.tensor(x.astype("f4")), mg.tensor(classes)


def deep(share_of_he, bias):
    mg.manual_seed(0)
    layers = []
    for number in range(7):
        layer = nn.Linear(100, 100 if number < 6 else 10)
        nn.init.normal_(layer.weight, 0.0, share_of_he * math.sqrt(2 / 100))
        nn.init.constant_(layer.bias, bias if number < 6 else 0)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train(net, rate=0.03, steps=700):
    optimizer = optim.SGD(net.parameters(), lr=rate, momentum=0.9)
    x, classes = points(1, 50 * steps)
    losses = []
    for step in range(steps):
        batch = slice(50 * step, 50 * step + 50)
        loss = F.cross_entropy(net(x[batch]), classes[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step > 150 and np.mean(losses[-30:]) < 0.5:
            break  # it has understood
    return losses


x_new, _ = points(2, 500)
table = ["                       before:                      after:"]
table += ["                       moves a logit by   share     leaves ln 10   last ReLU layer dead"]
for title, share_of_he, bias, colour, line in (
    ("biases 1", 1 / 3, 1.0, RED, "-"),
    ("biases 0.1", 1 / 3, 0.1, ORANGE, "-."),
    ("biases 0", 1 / 3, 0.0, PURPLE, ":"),
    ("He's weights, biases 0", 1, 0.0, BLUE, "--"),
):
    net = deep(share_of_he, bias)
    logits = signal_meter.measure(net, x_new)[-1]
    losses = train(net)
    dead = signal_meter.measure(net, x_new)[-2].dead  # share of units that are 0 for every point
    smooth = np.convolve(losses, np.ones(20) / 20, "valid")
    plt.plot(np.arange(len(smooth)) + 20, smooth, color=colour, linestyle=line, label=title)
    left = np.mean(losses[-30:]) < 0.95 * math.log(10)
    before = f"{logits.image_rms:14.4f} {100 * logits.image_share:10.1f}%"
    table += [f"{title:22} {before}     {left!s:14} {dead == 1}"]
plt.axhline(math.log(10), color="0.75", linewidth=4, zorder=0)
plt.ylim(0, 3.3)
plt.xlabel("step")
plt.ylabel("loss (mean of 20 steps)")
plt.title("Some leave ln 10 (the grey line), one does not")
plt.legend(frameon=False, ncol=2, loc="upper right")
plt.show()
print("\n".join(table))

# %% [markdown]
# Compare the rows "biases 1" and "biases 0". With biases of 1 the image moves the logits *farther*: positive
# inputs keep the ReLUs open, as the paper says. And yet this network does not leave, and the other does. The
# one with biases 0 was **asleep**: its signal was small, but gradients grew it step by step. The one with
# biases 1 is **dead**: the units of its last ReLU layer are 0 for every point, no gradient passes, and
# nothing will wake it. (The row between them leaves earlier than biases of 0 do: a *small* bias helps, it opens
# the ReLUs and hides little. The curves that leave end early, because `train` stops at a loss of 0.5.)
#
# How does it die? To its last layer every point looks the same, $h \approx h_0$. That layer's gradient is the
# mean of $(p - t)\, h_0^\top$, where $t$ is 1 for the true class and 0 for the others. It is large, and what
# decides it is which classes happen to be more common in the batch. So the weights get random pushes, the logits
# $z = W h_0$ (plus the biases, which do not matter here) become random and too sure, and by the chain rule the
# layer below hears
#
# $$h_0 \cdot \frac{\partial L}{\partial h_0} = \sum_c z_c \Big( p_c - \frac{1}{C} \Big) \ge 0$$
#
# (averaged over many batches, $t_c$ is $1/C$). The sum is not negative because it is $C$ times the covariance
# of $z$ and $p$, and $p$ grows with $z$. That is, the loss falls when $h_0$ gets smaller: *be quieter*. It says
# so for all points alike, until the ReLUs are shut.
#
# The loss is $\ln C$ in both cases, so a loss curve cannot tell sleep from death. The remedies differ: sleep
# needs time, or larger weights; the dead need a new start, with a share of the image that is not hidden, or
# with a lower rate: `plt.plot(train(deep(1 / 3, 1.0), rate=0.003, steps=1500))` leaves $\ln 10$ in the end.
#
# This is not the whole story of 2012: that network learnt, with biases of 1. It was wider, so that its
# start moved the logits farther (notebook 18). And an epoch of ImageNet has almost 10,000 steps (1.2 million images in batches
# of 128), which may be time enough to wake from sleep, though not from death; a small set has spent all its
# epochs by then. So the project's default recipe, `small`, takes LSUV and biases 0, and its trainer warns when
# the loss has not left $\ln C$.

# %% [markdown]
# ## What to remember
#
# - TODO
#
# [Solutions](solutions/12_stuck_loss.ipynb). Next: [notebook 13](13_optimisers.ipynb).
