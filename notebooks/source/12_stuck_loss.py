# %% [markdown]
# # 12. Why AlexNet's loss sticks at 6.9
#
# **At the end you will know** why the loss of a network with 1000 classes sits at 6.9 (2.30 with ten classes,
# 0.69 with two) as long as it has learnt nothing, why it may stay there, how to tell a network that is asleep
# from one that is dead, and how to begin so that it is neither. You will have written the two tools for that:
# a meter for the signal, and a start that measures.
#
# About 40 minutes to read, 20 for the two exercises. You need notebooks 6 (ReLU and its dead units) and 11 (the
# network), and from statistics the variance; two facts on concave functions and on covariance are explained
# where they are used. It computes for about ten seconds.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n12_stuck_loss as check
from alexnet_course import signals, small_run, yours
from alexnet_course.style import BLUE, ORANGE, PURPLE, RED, use_style
from alexnet_scratch import signal_meter
from alexnet_scratch.data import patterns
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
# mean loss is $-\frac{1}{C} \sum_c \ln p_c$. The logarithm is *concave*: its curve bends downwards, so that the
# middle of two of its points lies below the curve. Hence the mean of the $\ln p_c$ is at most the $\ln$ of their
# mean, and that mean is $1/C$. So the loss is lowest when all $p_c$ are $1/C$, and then it is $\ln C$.
# **Nobody gets below $\ln C$ without looking at the image**: 6.91 for the 1000 classes of ImageNet, 2.30 for
# ten, 0.69 for two. If you came here because your loss shows one of these numbers, this is what it says.
#
# **Question.** Tiny ImageNet has 200 classes. At which loss does a network sit that has learnt nothing? (Two
# digits behind the point.)

# %% tags=["answer"]
stuck_at = None

# %%
check.stuck_at(stuck_at)

# %% [markdown]
# Our ten classes are drawn patterns, each in any colours, sizes and positions:

# %%
print(f"ln 1000 = {math.log(1000):.2f}, ln 10 = {math.log(10):.2f}")
recipe = small_run.RECIPE  # the AlexNet that notebook 13 trains
print(f"input {recipe.input_size}, maps {recipe.widths}, fc6 and fc7 {recipe.fc_width} units")
pictures = signals.pictures()  # four of each class

fig, axes = plt.subplots(1, 10, figsize=(9, 1.25))
for axis, name, picture in zip(axes.flat, patterns.CLASSES, pictures[::4], strict=True):
    axis.imshow(picture)
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    axis.set_title(name, fontsize=9)
plt.show()

# %% [markdown]
# The network has all eight layers and both towers of the paper's, but it is narrow, so that a laptop can
# train it (notebook 13 does). Each weight has to begin somewhere. The paper (section 5) takes random weights
# with mean 0 and standard deviation 0.01 in all layers, and biases of 1 in conv2, conv4, conv5, fc6 and fc7,
# else 0. The ones, it says, speed up the early stages of learning, for they give the ReLUs positive inputs.
# Let us look.
#
# ## A signal meter
#
# Send a batch of images through the network and watch one unit of a layer (a *unit* is one value of the
# output, after the layer's ReLU if it has one). What can the layers behind it learn from it? Only how it **differs
# from image to image**; what is the same for all images says nothing about the image. So measure, for outputs $y_{i,u}$ of image $i$ and
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
starts = {
    "paper": signals.begun("paper"),
    "paper, biases 0": signals.begun("paper", no_biases=True),
    "LSUV": signals.begun("lsuv"),
}
measured = {name: signals.signal(model, x) for name, (model, x) in starts.items()}
signals.draw_signals(measured, "Before the first step")

labels = np.repeat(np.arange(10), 4)
with mg.no_grad():
    losses = {name: F.cross_entropy(model(x), labels).item() for name, (model, x) in starts.items()}
print("all three losses are within 0.1 of ln 10:", max(abs(loss - math.log(10)) for loss in losses.values()) < 0.1)
for name, rows in measured.items():
    print(f"{name:16} an image moves a logit by {rows[-1].image_rms:.0e}")

# %% [markdown]
# All three begin at $\ln 10$: no loss curve could tell them apart now. The meter can. Two things go wrong in
# the paper's start, and they are not the same thing:
#
# - **The weights shrink the signal** (left). With biases 0, each layer makes it about ten times smaller, but what
#   is there is still about the image: its share is that of LSUV (right). Without biases, a layer whose weights
#   are all multiplied by one number has both `image_rms` and `rms` multiplied by it, and the share stays.
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
# nearly He's number. A program that follows the paper's text loses a factor of 27 there.
#
# To be fair: our layers are narrow, their fan-in is smaller, and that makes 0.01 still smaller than it was for
# the paper's. Notebook 18 measures the full width, where the paper's start moves the logits farther, but
# still less than LSUV.
#
# ## Exercise 2: LSUV
#
# Instead of calculating the scale, one can measure it: *layer-sequential unit variance* (Mishkin and Matas,
# 2016). Their method also makes the rows of each random weight orthonormal first, and aims at 1 in every layer;
# we leave out the first and aim lower in the last layer. Take random weights, biases of 0, and one batch of real
# images. Go through the layers from the first to the last. In each, look at the layer's output $y$ (before ReLU),
# and scale the whole weight by one number, so that all the numbers of $y$ together have the standard deviation
# `target`. Then go on with the scaled output. The target is 1, and 0.1 for the logits: small enough that the first
# loss is near $\ln C$, and large enough that the logits depend on the image. (Above, the image moved LSUV's logits
# by 0.03, not by 0.1: the deviation of all the numbers also counts how the logits differ from one another,
# whatever the image.)
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
# weights of about a third of He's (the table above), and so has this network. Four starts:
#
# - (a) biases of 1,
# - (b) biases of 0.1, as in Caffe's `bvlc_alexnet`,
# - (c) biases of 0,
# - (d) biases of 0, and He's weights.
#
# **Predict.** One of the four never leaves $\ln 10$ in the time that it gets. Which? Choose before you run on.

# %% tags=["answer"]
stays = None

# %% [markdown]
# The loop in `train` is all of training; this notebook is about what happened before its first step, and
# notebook 13 about its line `optimizer.step()`.


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
at_the_end = {}
table = ["                       before:                      after:"]
table += ["                       moves a logit by   share     leaves ln 10   last ReLU layer dead"]
for letter, title, share_of_he, bias, colour, line in (
    ("a", "biases 1", 1 / 3, 1.0, RED, "-"),
    ("b", "biases 0.1", 1 / 3, 0.1, ORANGE, "-."),
    ("c", "biases 0", 1 / 3, 0.0, PURPLE, ":"),
    ("d", "He's weights, biases 0", 1, 0.0, BLUE, "--"),
):
    net = deep(share_of_he, bias)
    logits = signal_meter.measure(net, x_new)[-1]
    losses = train(net)
    dead = signal_meter.measure(net, x_new)[-2].dead  # share of units that are 0 for every point
    smooth = np.convolve(losses, np.ones(20) / 20, "valid")
    plt.plot(np.arange(len(smooth)) + 20, smooth, color=colour, linestyle=line, label=title)
    at_the_end[letter] = np.mean(losses[-30:])
    left = at_the_end[letter] < 0.95 * math.log(10)
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

# %%
check.stays(stays, max(at_the_end, key=at_the_end.get))

# %% [markdown]
# Compare the rows "biases 1" and "biases 0". With biases of 1 the image moves the logits *farther*: positive
# inputs keep the ReLUs open, as the paper says. And yet this network does not leave, and the other does. The
# one with biases 0 was **asleep**: its signal was small, but gradients grew it step by step. The one with
# biases 1 is **dead**: the units of its last ReLU layer are 0 for every point, no gradient passes, and
# nothing will wake it. (The row between them leaves earlier than biases of 0 do: a *small* bias helps, it opens
# the ReLUs and hides little. The curves that leave end early, because `train` stops at a loss of 0.5.)
#
# How does it die? The input of its last layer, $h_0$, is nearly the same for every point. The gradient of that
# layer's weight $W$ is the mean of $(p - t)\, h_0^\top$, where $t_c$ is 1 for the true class and 0 for the others.
# It is large, and what decides it is which classes happen to be more common in the batch. So the weights get random
# pushes, and the logits $z = W h_0$ (plus the biases, which do not matter here) become random and too sure. By the
# chain rule $\partial L / \partial h_0 = W^\top (p - t)$. How does the loss change when $h_0$ grows, all its
# numbers by the same factor?
#
# $$h_0 \cdot \frac{\partial L}{\partial h_0} = \sum_c z_c \Big( p_c - \frac{1}{C} \Big) \ge 0$$
#
# (averaged over many batches, $t_c$ is $1/C$). The sum is $C$ times the *covariance* of $z$ and $p$, the mean of
# the products of what each is above its own mean ($1/C$ for $p$). Since $p$ grows with $z$, both are above or both
# below more often than not, and it is not negative. That is, the loss falls when $h_0$ gets smaller. So the layers
# below are told to *be quieter*, for all points alike, until the ReLUs are shut.
#
# The loss is $\ln C$ in both cases, so a loss curve cannot tell sleep from death. The remedies differ: a network
# that is asleep needs time, or larger weights; one that is dead needs a new start, with a share of the image that
# is not hidden, or with a lower rate: `plt.plot(train(deep(1 / 3, 1.0), rate=0.003, steps=1500))` leaves $\ln 10$
# in the end.
#
# Others met it, too. When the Caffe team rebuilt AlexNet in 2014, they noted on its
# [pull request](https://github.com/BVLC/caffe/pull/327): "The non-zero biases are initialized to 0.1 instead of 1,
# since initialization to 1 resulted in flat training loss."
#
# This is not the whole story of 2012: that network learnt, with biases of 1. It was wider, so that its
# start moved the logits farther (notebook 18). And an epoch of ImageNet has almost 10,000 steps (1.2 million
# images in batches of 128), which may be time enough to wake from sleep, though not from death; a small set has
# spent all its epochs by then. So the project's default recipe, `small`, takes LSUV and biases 0, and its trainer
# warns when the loss has not left $\ln C$.
#
# ## If your own loss sticks
#
# Measure before you change anything. `alexnet doctor DATA --recipe NAME` prints the table for a recipe;
# `signal_meter.measure(model, images)` gives it for any model of minigrad's.
#
# | what you see | what it is | what helps |
# |---|---|---|
# | the share is large, `image_rms` of the logits tiny, no layer dead | asleep | LSUV or He's weights; or time |
# | the share falls to a few percent or less | the image hides behind constants | biases of 0, or 0.1 |
# | all units of a ReLU layer are 0 for all images | dead | a new start, a lower rate |
# | the signal is fine at first, and the loss goes *back* to $\ln C$ | killed by a step too large | a lower rate, a warm-up |
# | the logits move and the loss hardly falls | not the start | do labels and images belong together? Is there a softmax before a loss that has its own? |
#
# (With a softmax too many the logits are between 0 and 1, so the loss cannot fall below $\ln(1 + (C - 1) / e)$, which
# is 5.9 for 1000 classes.)
#
# **Question.** Cats and dogs, two classes: after three epochs the loss is 0.693. The meter says: the image moves a
# logit by 0.0004, its share is 60%, no layer has dead units. What is it, and what do you do?
#
# - (a) The network is dead: a new start.
# - (b) It is asleep: weights that carry the signal, by LSUV or He's rule.
# - (c) The learning rate is too high: divide it by 10.
# - (d) The biases hide the image: set them to 0.

# %% tags=["answer"]
diagnosis = None

# %%
check.diagnosis(diagnosis)

# %% [markdown]
# ## Your code is the network
#
# Your two functions beside minigrad's:

# %%
yours.plug("12_stuck_loss", globals())

# %% [markdown]
# The network of "Asleep or dead" once more, with weights of a third of He's and biases of 0. This time each of its
# layers is scaled by *your* `lsuv` before training (by ours until yours is right). How many steps does it need to
# leave $\ln 10$, and how many without?


# %%
def scaled(net, scale):
    """Scale the layers of `deep`, one after the other, on 500 points."""
    x, _ = points(1, 500)
    for number, layer in enumerate(net.children()):
        if isinstance(layer, nn.Linear):
            target = 0.1 if number == 12 else 1.0  # the logits
            layer.weight.data[...] = scale(layer.weight.data, x.numpy(), target)
        with mg.no_grad():
            x = layer(x)
    return net


scale, whose = check.whose_lsuv(lsuv)
print(f"the scale is by {whose}")
for name, net in (("as it was", deep(1 / 3, 0.0)), ("scaled", scaled(deep(1 / 3, 0.0), scale))):
    losses = np.convolve(train(net), np.ones(20) / 20, "valid")
    away = np.flatnonzero(losses < 0.9 * math.log(10))[0] + 20
    print(f"{name:10} has left ln 10 within", "50 steps" if away <= 50 else f"{-(-away // 50) * 50} steps")

# %% [markdown]
# ## What to remember
#
# - Nobody gets below $\ln C$ without looking at the image. A loss that stays there says that nothing has been
#   learnt; it does not say why.
# - Measure the image's share and its size, layer by layer, and the dead units. Then you know whether the network is
#   asleep (small signal) or dead (no signal, no gradient).
# - Weights of $\sqrt{2/n}$, or scaled by measurement (LSUV), carry the signal; biases of 1 hide it. A small bias
#   does not.
#
# ## Further
#
# Where between 0.1 and 1 does the deadly bias begin? Train `deep(1 / 3, bias)` for a few biases, each from several
# starts (`mg.manual_seed` is inside `deep`: give it the seed as an argument). Draw, for each, how many of the starts
# leave $\ln 10$. You will see no sharp border: near it the luck of the first batches decides.
#
# [Solutions](solutions/12_stuck_loss.ipynb). Next: [notebook 13](13_optimisers.ipynb), the training itself.
