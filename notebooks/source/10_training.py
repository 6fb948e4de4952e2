# %% [markdown]
# # 10. Training
#
# **At the end you will know** why a network can sit at the loss $\ln C$ and how to tell whether it sleeps or
# is dead, what momentum does in a narrow valley, how the paper's update differs from PyTorch's, what a weight
# decay of 0.0005 is worth, how a plateau schedule decides, and what a run must keep so that it goes on, to
# the bit, as if it had never stopped. You will have trained an AlexNet.
#
# About an hour: 40 minutes to read, 20 for the exercises. You need notebooks 5 (dead units) and 9 (the
# network); variance and covariance, and conditional probabilities (Bayes' rule) in one derivation. The whole notebook computes for about two minutes; most of it is the training run.

# %%
import contextlib
import io
import math
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, display
from safetensors.numpy import load_file

import minigrad as mg
from alexnet_course import n10_training as check
from alexnet_course import small_run
from alexnet_course.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, use_style
from alexnet_scratch import signal_meter
from alexnet_scratch.data import patterns
from alexnet_scratch.initialise import initialise
from alexnet_scratch.pixels import ToInput, pixel_statistics
from alexnet_scratch.recipe import RECIPES, build_model
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.input import data_note, open_splits
from alexnet_scratch.training.schedule import RecipeLR
from alexnet_scratch.training.trainer import Trainer
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
# the paper's. Notebook 13 measures the full width, where the paper's start moves the logits farther, but
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
# start moved the logits farther (notebook 13). And an epoch of ImageNet has almost 10,000 steps (1.2 million images in batches
# of 128), which may be time enough to wake from sleep, though not from death; a small set has spent all its
# epochs by then. So the project's default recipe, `small`, takes LSUV and biases 0, and its trainer warns when
# the loss has not left $\ln C$.
#
# ## Momentum
#
# Plain gradient descent, $w \leftarrow w - \mathrm{lr}\; \partial L / \partial w$, in a valley
# $L = \frac{1}{2} c\, w^2$ of curvature $c$:
#
# $$w \leftarrow (1 - \mathrm{lr}\, c)\, w, \qquad \text{which shrinks } w \text{ only if } \mathrm{lr} < 2 / c.$$
#
# A loss has many directions, and the *steepest* sets the limit. Along a direction that is 200 times flatter,
# one step with the largest possible rate removes only 1% of the way.
#
# Momentum keeps a *velocity* $v$ that forgets slowly. Let `momentum` be 0.9. Where gradients keep their sign,
# they add up: $1 + 0.9 + 0.9^2 + \dots = 10$ times as far per step. Where the path goes back and forth, they
# partly cancel, and $v$ stays small.
#
# ## Exercise 3: one step, by either rule
#
# Two ways to write it. `lr` is the rate; `weight_decay` $\lambda$ pulls each weight towards 0 (the next
# section says why).
#
# | the paper (section 5) | PyTorch |
# |---|---|
# | $v \leftarrow \mathrm{momentum} \cdot v - \lambda\, \mathrm{lr}\, w - \mathrm{lr}\, \mathrm{grad}$ | $v \leftarrow \mathrm{momentum} \cdot v + \mathrm{grad} + \lambda\, w$ |
# | $w \leftarrow w + v$ | $w \leftarrow w - \mathrm{lr}\, v$ |
#
# The paper's numbers are 0.9, $\lambda = 0.0005$, and $\mathrm{lr} = 0.01$ at the start; `grad` is the mean
# over the batch.


# %% tags=["exercise"]
def sgd_step(w, v, grad, lr, momentum, weight_decay, rule):
    """w, v, grad: arrays of one shape; rule: "paper" or "torch". Returns the new w and the new v."""
    raise NotImplementedError


# %%
check.sgd_step(sgd_step)

# %% [markdown]
# minigrad's `optim.SGD` has both rules. First the valley, two parameters, 200 times steeper along one of
# them:


# %%
curvature = np.array([1.0, 200.0])


def descend(lr, momentum, steps=120, rule="torch"):
    w = mg.tensor(np.array([-10.0, 0.6]), requires_grad=True)
    optimizer = optim.SGD([w], lr=lr, momentum=momentum, rule=rule)
    path = [w.detach().numpy().copy()]
    for _ in range(steps):
        loss = (mg.tensor(curvature / 2) * w * w).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.array(path)


fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.7), width_ratios=[3, 2])
first, second = np.meshgrid(np.linspace(-11, 5, 120), np.linspace(-0.8, 0.8, 120))
height = (curvature[0] * first**2 + curvature[1] * second**2) / 2
left.contour(first, second, height, levels=np.geomspace(0.3, 90, 9), colors="0.75", linewidths=0.8)
for momentum, colour, name in ((0.0, RED, "no momentum"), (0.9, BLUE, "momentum 0.9")):
    path = descend(0.0095, momentum)
    left.plot(*path.T, color=colour, marker=".", markersize=4, linewidth=1, label=name)
    right.plot((path**2 @ curvature) / 2, color=colour, label=name)
left.plot(0, 0, marker="*", markersize=13, color=BLACK)
left.set(xlabel="flat direction", ylabel="steep direction", title="120 steps towards the star")
left.legend(frameon=False, loc="upper right")
right.set(yscale="log", xlabel="step", ylabel="loss", title="The same rate")
plt.show()
print("limit of the rate without momentum:", 2 / curvature.max())

# %% [markdown]
# Both runs have the rate 0.0095, close to the limit of 0.01. *Along* the valley the steps of the blue path add up: it
# runs, even past the star, for a velocity has to be turned round; the red path creeps. *Across* the valley momentum
# brings nothing at this rate: both swing, and the blue one longer. But it moves the limit there, to
# $2\,(1 + \mathrm{momentum}) / c$:

# %%
for lr in (0.0095, 0.0105, 0.0185, 0.0195):
    ends = {momentum: abs(descend(lr, momentum, steps=1000)[-1, 1]) for momentum in (0.0, 0.9)}
    words = ["settles" if end < 0.6 else "runs away" for end in ends.values()]
    print(f"rate {lr}: without momentum it {words[0]}, with momentum it {words[1]}")

# %% [markdown]
# Now the two rules. While the rate is constant, $v_\text{paper} = -\mathrm{lr}\, v_\text{PyTorch}$ and the
# weights are the same. But the paper's velocity is made of *steps taken*, at the rates of their time, and
# PyTorch's of *gradients seen*. Let a weight feel a gradient of 1 all the time, divide the rate by 10, and
# raise it again:


# %%
def moves(rule, convert=False):
    """How far the weight moves in each step; convert: mend the velocity when the rate changes."""
    w = mg.tensor(np.zeros(1), requires_grad=True)
    optimizer = optim.SGD([w], lr=0.01, momentum=0.9, rule=rule)
    moved = []
    for step in range(150):
        old = optimizer.param_groups[0]["lr"]
        new = 0.001 if 50 <= step < 100 else 0.01
        optimizer.param_groups[0]["lr"] = new
        if convert and step:
            optimizer.state[0]["momentum_buffer"] *= old / new
        before = w.item()
        w.grad = mg.tensor(np.ones(1))
        optimizer.step()
        moved.append(before - w.item())
    return np.array(moved)


paper, torch, converted = moves("paper"), moves("torch"), moves("torch", convert=True)
plt.plot(paper, color=RED, label="paper: the rate inside the velocity")
plt.plot(torch, color=BLUE, linestyle="--", label="PyTorch: the rate outside")
plt.axvspan(50, 100, color="0.93")
plt.xlabel("step")
plt.ylabel("distance moved in the step")
plt.title("Rate 0.01, a tenth of it (grey), 0.01 again")
plt.legend(frameon=False, loc="upper right", fontsize=10)
plt.ylim(0, 0.135)
plt.show()
print("equal while the rate is constant:", np.allclose(paper[:50], torch[:50]))
print("equal over the change:           ", np.allclose(paper, torch))
print("equal if v is multiplied by the old rate / the new one:", np.allclose(paper, converted))

# %% [markdown]
# At the drop the paper's weight coasts on for $0.9 + 0.9^2 + \dots = 9$ old steps; PyTorch's scales its whole
# past at once. For three drops in 90 epochs this hardly matters. It matters for a schedule that changes the rate
# in every step, and when a run is resumed with another rate or in another program: a saved velocity means
# something else under the other rule, even its sign ($v_\text{PyTorch} = -v_\text{paper} / \mathrm{lr}$, with the
# rate of the last step). Within PyTorch's rule the last line above does it: when the rate changes, multiply $v$
# by the old rate / the new one.
#
# ## What 0.0005 is worth
#
# Here all parameters decay, biases too. With `grad` = 0 the decay multiplies $w$ by $1 - \mathrm{lr}\, \lambda$
# in each step; momentum makes the effect ten times as strong. In the paper's numbers:

# %%
lr, decay, momentum = 0.01, 0.0005, 0.9
per_step = lr * decay / (1 - momentum)
half_life = math.log(2) / per_step
epoch = 1.2e6 / 128  # steps: section 2 has "roughly 1.2 million" images, section 5 batches of 128
print(f"a weight that gets no gradient loses {per_step:.0e} of itself in a step")
print(f"and half of itself in {half_life:,.0f} steps, {half_life / epoch:.1f} epochs of ImageNet")
small = 1 - (1 - per_step) ** (75 * 10)
print(f"in the 750 steps of our own run below, at that rate: {small:.1%}")

# %% [markdown]
# (The run below has ten epochs of 75 steps, of 32 images each.) So on ImageNet a weight that no image needs is
# gone after some epochs, and on a run of 750 steps the decay does next to nothing. Copying "0.0005" from the
# paper to a small set copies the number and not the effect.
#
# What of the weights that images do need? Let the data want $w = w_0$, with curvature $c$, and add the decay.
# In the minimum the two gradients cancel:
#
# $$c\,(w - w_0) + \lambda w = 0 \quad\Rightarrow\quad w = \frac{c}{c + \lambda}\, w_0 .$$
#
# Where the data speak clearly ($c \gg \lambda$) the weight stays; where they hardly speak ($c \ll \lambda$)
# it vanishes. The line is the formula, the dots are `optim.SGD`:

# %%
curvatures = np.geomspace(1e-6, 0.1, 16)
w = mg.tensor(np.ones(16), requires_grad=True)
optimizer = optim.SGD([w], lr=1.0, momentum=0.9, weight_decay=decay)
for _ in range(3000):
    w.grad = mg.tensor(curvatures * (w.detach().numpy() - 1))  # the data want w = 1
    optimizer.step()
line = np.geomspace(1e-6, 0.1, 200)
plt.semilogx(line, line / (line + decay), color=BLUE, label="c / (c + λ)")
plt.semilogx(curvatures, w.detach().numpy(), "o", color=RED, label="where SGD ended")
plt.axvline(decay, color="0.5", linestyle=":", label="c = λ = 0.0005")
plt.xlabel("curvature c: how much the data care about this weight")
plt.ylabel("what is left of the weight")
plt.title("Decay takes what the data do not hold")
plt.legend(frameon=False)
plt.show()

# %% [markdown]
# There is a second reading. Say that, before any image was seen, we believe each weight to be normal with
# mean 0 and standard deviation $s$. By Bayes' rule the most probable weights minimise
#
# $$\underbrace{N L}_{-\ln P(\text{data} \mid w)} + \underbrace{\frac{w^\top w}{2 s^2}}_{-\ln P(w) + \dots}
# \quad\text{or, divided by } N, \quad L + \frac{\lambda}{2}\, w^\top w \quad\text{with}\quad \lambda = \frac{1}{N s^2},$$
#
# with $N$ images and their mean loss $L$. The gradient of $\frac{\lambda}{2} w^\top w$ is $\lambda w$: the
# decay. So a decay states a belief, and it depends on the number of images:

# %%
for name, images in (("ImageNet", 1.2e6), ("our run", 2400)):
    print(f"{name:9} 0.0005 says: weights of about {1 / math.sqrt(images * decay):.2f}")

# %% [markdown]
# For ImageNet that is a sensible size (compare He's numbers above). For 2,400 images the same 0.0005 says
# almost nothing. The paper reports that the decay "is not merely a regularizer: it reduces the model's
# training error" (section 5).
#
# ## Adam, and whose decay it is
#
# Adam (2015) came after AlexNet, and you will meet it everywhere. For each weight it keeps two running means:
# $m$ of the gradient, as momentum does, and $v$ of its *square*. The step is
#
# $$w \leftarrow w - \mathrm{lr}\, \frac{m}{\sqrt{v} + \varepsilon},$$
#
# (with both means corrected for their start at 0). Where gradients agree, $m / \sqrt{v}$ is about 1: **the rate is
# the length of a step, in the unit of the weights**, however steep the loss is. Back to the valley. We make
# its flat direction flatter still, or multiply the whole loss by 1000:


# %%
def descend_adam(curvature, steps=200):
    w = mg.tensor(np.array([-10.0, 0.6]), requires_grad=True)
    optimizer = optim.Adam([w], lr=0.1)
    for _ in range(steps):
        loss = (mg.tensor(curvature / 2) * w * w).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return w.detach().numpy()


valley = descend_adam(curvature)
for name, other in (("200 times flatter", [0.005, 200.0]), ("1000 times the loss", [1e3, 2e5])):
    print(f"{name:20} ends where the first one did:", np.allclose(descend_adam(np.array(other)), valley))
print("after 200 steps, flat and steep:", np.abs(valley).round(3))

# %% [markdown]
# The price is a third number for each weight (two where momentum has one), and this: whatever is *added* to the
# gradient is divided by $\sqrt{v}$, too. Weight decay is added to the gradient. So a weight with large, noisy
# gradients hardly decays, though its gradients say nothing. AdamW (2019) takes the decay out of the gradient,
# straight off the weight: $w \leftarrow (1 - \mathrm{lr}\,\lambda)\, w$. Here are weights of 1 that get
# nothing but noise, of three sizes. By the decay alone, $(1 - \mathrm{lr}\, \lambda)^{1000} = 0.37$ of them should
# be left:


# %%
def left_of_weights(kind, noise):
    rng = np.random.default_rng(3)
    w = mg.tensor(np.ones(1000), requires_grad=True)
    optimizer = kind([w], lr=0.01, weight_decay=0.1)
    for _ in range(1000):
        w.grad = mg.tensor(noise * rng.standard_normal(1000))
        optimizer.step()
    return w.detach().numpy().mean()


print("noise      Adam   AdamW")
for noise in (1.0, 10.0, 100.0):
    adam, adamw = (left_of_weights(kind, noise) for kind in (optim.Adam, optim.AdamW))
    print(f"{noise:5.0f}  {adam:8.2f} {adamw:7.2f}")

# %% [markdown]
# Both train our network as well: `alexnet train --optimizer adamw --lr 0.0003`, say. The rate of SGD, 0.01, would be
# a step of 0.01 for each weight, which is the size of the weights themselves.
#
# ## The plateau schedule
#
# Near a minimum, the gradients of small batches are mostly noise, and the weights wander about the minimum
# the more, the higher the rate. A lower rate gives less wandering, but slower progress. So: stay high as long
# as there is progress, then go down. Section 5: the rate was divided by 10 when the validation error stopped
# improving, three times before the end. In 2012 a person watched the curve and did it. As a rule for a
# program it is a small machine with three numbers, looked at after each epoch:
#
# | | |
# |---|---|
# | `lowest` | the lowest validation error so far, 1 at first |
# | `waited` | epochs since then, 0 at first |
# | `drops` | how often the rate was divided by 10, 0 at first |
#
# 1. If the epoch's error is lower than `lowest`: `lowest` is this error, `waited` is 0.
# 2. Otherwise `waited` grows by 1. But not if the epoch was *at chance*, with a training loss of $\ln C$: the
#    network is still asleep.
# 3. If `waited` is now more than `patience` and `drops` less than `most_drops`: `drops` grows by 1, `waited`
#    is 0.
#
# The next epoch has the rate $\mathrm{lr} \cdot 0.1^\mathrm{drops}$. The exception in step 2 is in no paper.
# It comes from the first half of this notebook.
#
# ## Exercise 4: the machine


# %% tags=["exercise"]
def plateau_rates(errors, at_chance, lr, patience, most_drops):
    """errors: validation error of each epoch; at_chance: for each, True or False.

    Returns a list with the rate that each of these epochs was trained with.
    """
    raise NotImplementedError


# %%
check.plateau_rates(plateau_rates)

# %% [markdown]
# Here is the project's schedule, `RecipeLR`, with the paper's rates and a patience of two epochs, on an error
# that we made up: it sleeps
# for eight epochs; then what is left to learn shrinks in proportion to the rate, and on top of it comes the
# noise, which grows with the rate. With and without the exception:


# %%
def replay(count_chance):
    optimizer = optim.SGD([mg.tensor(np.zeros(1), requires_grad=True)], lr=0.01)
    schedule = RecipeLR(optimizer, RECIPES["paper"], steps_per_epoch=1)
    jitter = np.random.default_rng(5).normal(0, 0.004, 50)
    to_learn, errors, rates = 0.4, [], []
    for epoch in range(50):
        rate = optimizer.param_groups[0]["lr"] / 0.01
        asleep = epoch < 8
        to_learn *= 1 if asleep else math.exp(-0.3 * rate)
        errors.append(0.36 + to_learn + 0.14 * (1 if asleep else rate**0.5) + jitter[epoch])
        rates.append(0.01 * rate)
        schedule.end_epoch(errors[-1], asleep and not count_chance)
        schedule.step()
    return errors, rates


fig, (top, bottom) = plt.subplots(2, 1, figsize=(7.5, 4.8), sharex=True, height_ratios=[2, 1])
for count_chance, colour, line, name in (
    (False, BLUE, "-", "epochs at chance are not counted"),
    (True, RED, "--", "all epochs are counted"),
):
    errors, rates = replay(count_chance)
    top.plot(range(1, 51), np.multiply(errors, 100), color=colour, linestyle=line, label=name)
    bottom.step(range(1, 51), rates, color=colour, linestyle=line, where="mid")
top.axvspan(0.5, 8.5, color="0.93")
top.set(
    ylabel="validation error (%)", title="A made-up run that sleeps at first (grey)", ylim=(0, 100)
)
top.legend(frameon=False, loc="lower right")
bottom.set(yscale="log", xlabel="epoch", ylabel="rate")
plt.show()

# %% [markdown]
# In the blue run the first two drops are each followed by a fall of the error: the noise goes. (The third would
# win less than the jitter that we added.) In the red one
# most of the rate was gone before there was anything to learn with it.
#
# ## Warm-up and cosine
#
# A run of ten epochs has no time to wait for a plateau. The recipe `small`, and with it ours, has a fixed
# course. With $T$ steps in all, of which $T_w$ are the warm-up, step $t$ (from 0) has the rate
#
# $$\mathrm{lr}_t = \mathrm{lr} \cdot \begin{cases} \dfrac{t + 1}{T_w + 1} & t < T_w \\[2ex]
# \dfrac{1}{2} \Big( 1 + \cos \pi \dfrac{t - T_w}{T - T_w} \Big) & \text{else.} \end{cases}$$
#
# A fresh network's gradients change quickly, and momentum collects them: so the first steps are kept small,
# until the velocity has an idea of where to go. The end comes down to 0, with the noise. The rate changes in
# each step, so the rule is PyTorch's, in which a step follows the new rate at once.

# %%
optimizer = optim.SGD([mg.tensor(np.zeros(1), requires_grad=True)], lr=recipe.lr)
schedule = RecipeLR(optimizer, recipe, steps_per_epoch=75)
rates = []
for _ in range(750):
    rates.append(optimizer.param_groups[0]["lr"])
    schedule.step()
plt.figure(figsize=(7, 2.8))
plt.plot(rates, color=GREEN)
plt.axvline(recipe.warmup_steps, color="0.5", linestyle=":")
plt.text(recipe.warmup_steps + 8, 0.001, "end of the warm-up", color="0.35")
plt.xlabel("step")
plt.ylabel("rate")
plt.title("Our run: 10 epochs of 75 steps")
plt.show()

# %% [markdown]
# ## The run
#
# `small_run` holds the recipe, which is `small` with narrow layers, smaller images, less dropout and more
# epochs. It draws the images into a folder and trains. It takes a minute or two; the curves below are drawn
# anew after each epoch. To keep the run, give `begin` a new folder of your own in place of the temporary one;
# from a terminal, `alexnet train --resume FOLDER/run` goes on with it.
#
# You can **interrupt** it with the square button (interrupt the kernel): the trainer ends the step it is in,
# saves everything, and returns. The cell after it goes on.


# %%
def watch(trainer):
    """Train; show the run's curves, and draw them anew after each epoch."""
    shown = display(display_id=True)
    for _ in small_run.epochs(trainer):
        shown.update(Image(trainer.folder / "curves.png", width=850))


workshop = tempfile.TemporaryDirectory()
trainer = small_run.begin(Path(workshop.name))
watch(trainer)


# %%
def resumed(trainer):
    """A new trainer that goes on where the last checkpoint of this one stands."""
    checkpoint = load_checkpoint(trainer.folder / "last.safetensors")
    return Trainer(trainer.folder, trainer.recipe, trainer.splits, trainer.data, resume=checkpoint)


if trainer.at.epoch < trainer.recipe.epochs:  # you have interrupted it
    trainer = resumed(trainer)
    watch(trainer)

# %% [markdown]
# Read the curves. The loss begins at the dotted line, at $\ln 10$, and leaves it within the first epochs. For
# most of the run it is *higher* in training than in validation. That is no mistake: the training loss is the
# mean over an epoch in which the network still gets better, with dropout on and with shifted and mirrored
# crops; validation comes after the epoch, with the whole network. (*Top-5* counts an image as known if its class
# is among the five most probable.)

# %%
history = trainer.at.metrics
print("training loss of epoch 1 at or near ln 10: ", history[0]["train_loss"] > 0.85 * math.log(10))
print("validation: above eight of ten new images:", history[-1]["val_top1"] > 0.8)
print(
    "the last validation loss is the smaller:  ", history[-1]["val_loss"] < history[0]["val_loss"]
)

# %% [markdown]
# And the signal meter, before the run and after it. Training has done what it had to: the image moves the
# logits far, and nearly all that they say is about the image.

# %%
trained = signal(trainer.model, starts["LSUV"][1])
draw_signals(
    {"paper": signals["paper"], "LSUV": signals["LSUV"], "trained": trained},
    "Before the run (paper, LSUV) and after it",
)
farther = trained[-1].image_rms / last["LSUV"].image_rms
print("moves the logits over ten times as far as before:", farther > 10)

# %% [markdown]
# And the paper's start, does it sleep here or die? Find out, if you have another minute:
#
# ```python
# ill = replace(recipe, init="paper", dropout="paper", input_std=(1.0, 1.0, 1.0), epochs=4)
# paper_run = small_run.begin(Path(tempfile.mkdtemp()), ill)
# watch(paper_run)
# for row in signal(paper_run.model, starts["paper"][1]):
#     print(row.name, row.dead, row.image_rms)
# ```
#
# When we did it, the loss stayed at $\ln 10$, and in fc7 most units were 0 for all pictures, while the layers below
# were open: it was dying, from the top.
#
# ## Going on, to the bit
#
# A run of the 2012 network took five to six days (section 1). Something will stop it. What does it have to keep?
# More than its weights. A checkpoint of this project is one file of named arrays (the safetensors format),
# written after each epoch, at an interrupt, and every ten minutes (`TEN_MINUTES` in
# `alexnet_scratch/training/saver.py`):

# %%
checkpoint = load_checkpoint(trainer.folder / "last.safetensors")
for name in ("conv1.weight", "conv1.bias"):
    print([key for key in checkpoint.tensors if name in key])
print("position:", ", ".join(vars(checkpoint.position)))

# %% [markdown]
# The position holds the place in the data, the state of the generator and of the schedule; `totals`, `best` and
# `metrics` are what the log has so far, `precision` and `scaler` belong to training in 16 bits on a GPU. A tiny run
# shows what happens without some of them: 60 images, narrower layers, two epochs of three steps. It is
# trained once without a stop, and once stopped after step 4, in the middle of its second epoch, and resumed
# by a new trainer from the file. Then we compare all tensors of the two last files, byte by byte: weights
# *and* velocities.
#
# `forget` leaves one thing out when the run is resumed.

# %%
tiny = replace(recipe, widths=(8,) * 5, fc_width=16, batch_size=20, epochs=2)
data = Path(workshop.name) / "tiny patterns"
patterns.generate(data, 6, 1, size=tiny.image_size, progress=False)
splits = open_splits(data, tiny)


def run(name, **options):
    """A trainer works in folder `name`; the tensors of its last checkpoint, as bytes."""
    folder = Path(workshop.name) / name
    folder.mkdir(exist_ok=True)
    trainer = Trainer(folder, tiny, splits, data_note(data, splits), **options)
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.run()
    tensors = load_file(folder / "last.safetensors")
    return {key: array.tobytes() for key, array in tensors.items()}


def forget(checkpoint, what):
    position = checkpoint.position
    if what == "the velocities":
        for key, tensor in checkpoint.tensors.items():  # a file without them would be refused
            if key.startswith("optimizer."):
                tensor.data[...] = 0
    if what == "how far the schedule is":
        position.schedule["last_epoch"] = 0
    if what == "the random generator":
        position.generator[1] = 0  # the number of draws so far: dropout's masks begin again
    if what == "the place in the epoch":
        position.batch = 0


whole = run("whole")
run("stopped", max_steps=4)
results = []
for what in (
    "nothing",
    "the velocities",
    "how far the schedule is",
    "the random generator",
    "the place in the epoch",
):
    folder = shutil.copytree(Path(workshop.name) / "stopped", Path(workshop.name) / what)
    checkpoint = load_checkpoint(folder / "last.safetensors")
    forget(checkpoint, what)
    same = run(what, resume=checkpoint) == whole
    results += [f"stopped, resumed, and forgot {what + ':':26} the same bytes: {same}"]
print("\n".join(results))

# %% [markdown]
# Only the first is the same run. The others train, too, and nothing warns. That is why a
# resume is compared by bytes.
#
# What makes it possible: the order of the images and each crop follow from the seed, the epoch and the image,
# so that none of it has to be saved; dropout masks come from a counter (notebook 7); and sums over threads
# have a fixed order. With another number of threads, or another library for matrix products, sums are rounded
# in another way, and the bytes differ. On the command line it is `alexnet train --resume RUN`.

# %%
workshop.cleanup()  # the run is deleted

# %% [markdown]
# ## What to remember
#
# - Nobody gets below $\ln C$ without looking at the image. A network that stays there is asleep or dead;
#   measure the image's share, layer by layer, and the dead units.
# - Weights of $\sqrt{2/n}$, or scaled by measurement (LSUV), carry the signal; biases of 1 hide it. A small bias
#   does not.
# - Momentum adds up what keeps its sign. The paper's velocity holds steps, PyTorch's holds gradients: they
#   differ when the rate changes.
# - A weight decay works through rate × steps, and states a belief that depends on the number of images.
# - Lower the rate when progress stops, but do not count the sleep.
# - A run is its weights, velocities, generator, schedule and place in the data.
#
# [Solutions](solutions/10_training.ipynb). Next: [notebook 11](11_inside.ipynb), inside the network.
