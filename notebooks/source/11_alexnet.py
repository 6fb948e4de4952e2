# %% [markdown]
# # 11. AlexNet, and why 224 gives 55
#
# **At the end you will know** the network of 2012 layer by layer: the shape of every map, where the
# parameters are and where the work is (not in the same place), what its two towers tell each other, what
# two graphics cards were good for, and why an image of 224 pixels gives maps of 55, which the paper does
# not explain. You will have built it yourself.
#
# About 60 minutes to read, 30 for the three exercises. You need notebooks 4 (convolution, groups and im2col) and 5
# (pooling); 7 (LRN) and 9 (dropout) help.

# %%
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n11_alexnet as check
from alexnet_course.style import BLACK, BLUE, ORANGE, RED, SKY, use_style
from alexnet_course.towers import draw_towers
from alexnet_scratch.model import AlexNet, CeilEdge
from minigrad import nn
from minigrad.kernels.conv import conv2d_backward, conv2d_forward
from minigrad.nn import functional as F
from minigrad.tools.summary import summary
from minigrad.tools.text import format_bytes

use_style()

# %% [markdown]
# ## The layers
#
# The paper is Krizhevsky, Sutskever and Hinton, *ImageNet Classification with Deep Convolutional Neural
# Networks* (2012). Its section 3.5 describes eight layers with weights. Five are convolutions:
#
# | layer | maps | window | groups | behind it |
# |---|---|---|---|---|
# | conv1 | 96 | 11×11, step 4, 2 zeros around | 1 | ReLU, LRN, max-pooling |
# | conv2 | 256 | 5×5, 2 zeros around | 2 | ReLU, LRN, max-pooling |
# | conv3 | 384 | 3×3, 1 zero around | 1 | ReLU |
# | conv4 | 384 | 3×3, 1 zero around | 2 | ReLU |
# | conv5 | 256 | 3×3, 1 zero around | 2 | ReLU, max-pooling |
#
# and three are fully connected: fc6 and fc7 with 4,096 units, each with ReLU and, in training, dropout;
# fc8 with a number (a *logit*) for each of the 1,000 classes. Pooling has windows of 3×3 at step 2 (section
# 3.4). LRN has $n = 5$, $k = 2$, $\alpha = 10^{-4}$, $\beta = 0.75$ (section 3.3). The groups are the two
# towers; LRN's window stops at the border between them, since each card had its own LRN (so it is in the
# authors' published code, github.com/computerhistory/AlexNet-Source-Code, to which we come back). (The 2
# zeros around conv1 are minigrad's choice. The last part of this notebook is about them.)
#
# ## Exercise 1: build it
#
# Fill in the function, for any widths: `widths` are the maps of the five convolutions. The layers are in
# `minigrad.nn`:
#
# - `nn.Conv2d(maps in, maps out, size, stride=1, padding=0, groups=1)` and `nn.ReLU()`
# - `nn.PaperLRN(groups=2)`, which has the paper's constants, and `nn.MaxPool2d(size, stride)`
# - `nn.Flatten()`, `nn.Linear(units in, units out)`, `nn.Dropout(0.5)`
#
# `nn.Sequential({"conv1": ..., "relu1": ..., "lrn1": ..., ...})` runs them in order. After pool5 the maps have 6×6
# pixels. The check builds a narrow network, gives it the weights of minigrad's, and compares.


# %% tags=["exercise"]
def build(widths, fc_width, num_classes):
    """The paper's network for images (N, 3, 224, 224), as an nn.Sequential that gives logits."""
    raise NotImplementedError


# %%
check.build(build)

# %% [markdown]
# ## The table
#
# A *MAC* is a multiply-add, one product that is added to a sum: two operations (FLOP; a GFLOP is $10^9$).
#
# **Predict.** Which of these layers does the most multiply-adds for an image? (a) conv1, which has the largest maps;
# (b) conv2, with windows of 5×5; (c) conv3, which reads all maps of both towers; (d) fc6, with the most weights.

# %% tags=["answer"]
most_work = None

# %%
mg.manual_seed(0)
network = summary(AlexNet(), (3, 224, 224))
rows = {row.name: row for row in network.rows}
layers = [row for row in network.rows if row.macs]
busiest = max(layers, key=lambda row: row.macs).name
check.most_work(most_work, {"conv1": "a", "conv2": "b", "conv3": "c", "fc6": "d"}[busiest])

# %% [markdown]
# `summary` has run one image of zeros through the network and has written down what each layer makes:

# %%
print(network)

# %% [markdown]
# (A ReLU right behind a convolution has no memory of its own: minigrad applies it while the output is in the
# cache.)
#
# Check the abstract of the paper with it: "60 million parameters and 650,000 neurons". The neurons are the
# numbers that come out of the eight layers:

# %%
neurons = {row.name: int(np.prod(row.output_shape)) for row in layers}
print(f"parameters {network.parameters:,}, neurons {sum(neurons.values()):,}")

# %% [markdown]
# The caption of the paper's figure 2 lists the neurons too. Seven of the eight agree with ours:

# %%
caption = [253_440, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
for (name, count), printed in zip(neurons.items(), caption, strict=True):
    print(f"{name}: {count:>7,}   caption: {printed:>7,}{'   <-' * (count != printed)}")
print(f"sum:   {sum(neurons.values()):,}   caption: {sum(caption):,}")
print(f"55 * 55 * 96 = {55 * 55 * 96:,} and 55 * 48 * 96 = {55 * 48 * 96:,}")

# %% [markdown]
# 55 × 48 × 96 is most likely a typing error: a 48 (the maps of one tower) where a 55 belongs. With
# 290,400 the sum is near the abstract's 650,000, with the caption's number it is not.
#
# ## Exercise 2: parameters and multiply-adds of a convolution
#
# `inputs` and `maps` are the numbers of maps that go in and come out, `size` is the side of the window,
# `side` that of the output. The check runs the five convolutions.


# %% tags=["exercise"]
def conv_cost(inputs, maps, size, groups, side):
    """-> (parameters, with the biases; multiply-adds for one image, without them)."""
    raise NotImplementedError


# %%
check.conv_cost(conv_cost)

# %% [markdown]
# ## The parameters are in one part, the work is in the other

# %%
names = [row.name for row in layers]
weights = 100 * np.array([row.parameters for row in layers]) / network.parameters
macs = 100 * np.array([row.macs for row in layers]) / network.macs

places = np.arange(8)
fig, ax = plt.subplots(figsize=(8.4, 3.6))
for shift, values, colour, label in (
    (-0.2, weights, ORANGE, "parameters"),
    (0.2, macs, BLUE, "multiply-adds"),
):
    bars = ax.bar(places + shift, values, 0.4, color=colour, label=label)
    ax.bar_label(bars, [f"{v:.1f}" for v in values], fontsize=9, padding=2)
ax.set_xticks(places, names)
ax.set(ylabel="share of the network (%)", ylim=(0, 70))
ax.set_title("Convolutions do the work, fully connected layers hold the parameters")
ax.legend()
plt.show()
print(
    f"convolutions: {weights[:5].sum():.1f}% of the parameters, {macs[:5].sum():.1f}% of the work"
)
print(f"fc6 alone:    {weights[5]:.1f}% of the parameters, {macs[5]:.1f}% of the work")

# %% [markdown]
# A weight of a convolution is used at every pixel of the map, a weight of fc6 once. So conv1's weights do
# 55 · 55 = 3,025 multiply-adds each for an image and fc6's do one. Section 1 of the paper gives this as the reason for
# convolutions: what matters in an image is local and may appear anywhere, so a few weights can serve all places. How
# few? Had each number of conv1's maps a weight of its own for each number of the image, there would be

# %%
print(f"{55 * 55 * 96 * 3 * 224 * 224:,} weights in conv1, in place of {rows['conv1'].parameters - 96:,}")

# %% [markdown]
# The difference between the two kinds of layers decides how the network is best spread over many machines, what
# dropout is for (it acts where the parameters are), and why a program for AlexNet must be fast at convolutions.
#
# Some descriptions say "62 million parameters". Then the groups were left out. Without them the three
# layers have twice the weights:

# %%
twice = sum(
    rows[name].parameters - rows[name].output_shape[0] for name in ("conv2", "conv4", "conv5")
)
more = sum(rows[name].macs for name in ("conv2", "conv4", "conv5"))
print(f"without groups: {network.parameters + twice:,} parameters, {network.macs + more:,} MACs,")
print(f"which is {100 * twice / network.parameters:.1f}% more parameters and "
      f"{100 * more / network.macs:.0f}% more work")  # fmt: skip

# %% [markdown]
# ## Two towers
#
# The network ran on two graphics cards, half of the maps on each (section 3.2). The trick is that the
# cards talk *only in certain layers*. Black arrows stay on a card, red ones cross from one to the other (fc8
# is on card A):

# %%
draw_towers()

# %% [markdown]
# (ReLU, LRN and pooling are not drawn. ReLU and pooling treat each map by itself, and LRN's window stops at the border,
# so none of them needs anything from the other card.)
#
# Is this more than a drawing? Let us ask the network. Change the biases of tower B in conv1 and nothing
# else. Which maps answer, layer by layer? All layers have 16 maps here, so that the picture stays small; the
# first eight are tower A's. (You can skip the code.)


# %%
def activations(model, x):
    """What each layer up to conv4 gives, by name."""
    outputs = {}
    with mg.no_grad():
        for name, layer in list(model.named_children())[:11]:
            x = layer(x)
            outputs[name] = x.numpy()
    return outputs


def answers(variant):
    """Which maps of each layer change when tower B's biases in conv1 do."""
    mg.manual_seed(0)
    model = AlexNet(10, variant, widths=(16,) * 5, fc_width=8).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("weight"):
            nn.init.kaiming_normal_(parameter)
        else:
            nn.init.constant_(parameter, 200)  # so high that ReLU blocks no map
    x = mg.tensor(np.random.default_rng(0).normal(0, 60, (1, 3, 224, 224)).astype("f4"))
    before = activations(model, x)
    model.conv1.bias.data[8:] += 10
    after = activations(model, x)
    return {name: (before[name] != after[name]).any((0, 2, 3)) for name in before}


fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for ax, variant, title in (
    (axes[0], "two-tower", "two towers (minigrad's default)"),
    (axes[1], "grouped", 'only "groups=2" (as in Caffe)'),
):
    changed = answers(variant)
    ax.imshow(np.stack(list(changed.values())), cmap="Oranges", vmin=0, vmax=1.4, aspect="auto")
    ax.set_yticks(range(len(changed)), list(changed))
    ax.set_xticks(np.arange(-0.5, 16), [])
    ax.set_yticks(np.arange(-0.5, len(changed)), minor=True)
    ax.grid(False)
    ax.grid(True, axis="x", color="white", alpha=1)
    ax.grid(True, axis="y", which="minor", color="white", alpha=1)
    ax.tick_params(length=0, which="both")
    ax.axvline(7.5, color=BLACK)
    ax.set(title=title, xlabel="maps: tower A | tower B")
plt.show()

# %% [markdown]
# Orange maps have changed. On the left tower A hears of B in conv3, as drawn. On the right it hears of it
# in **lrn1**: LRN's window is five channels wide and, if nobody stops it, it reaches two maps over the
# border. Then conv2 of tower A mixes these two into all of its maps. So "two towers" and "`groups=2`" are
# not the same network, although one is often taken for the other: both have the same shapes and load the
# same weights.
#
# ## What crosses
#
# Count the numbers that go from one card to the other, for one image, forward. In conv3 each card needs
# the other's half of pool2; in fc6 its half of pool5; in fc7 its half of fc6. fc8 is on one card, which
# needs the other's half of fc7 (so it is in the authors' code).

# %%
half = {
    name: int(np.prod(rows[name].output_shape)) // 2
    for name in ("pool1", "pool2", "conv3", "conv4", "pool5")
}
crossing = {
    "conv2": 0, "conv3": 2 * half["pool2"], "conv4": 0, "conv5": 0,
    "fc6": 2 * half["pool5"], "fc7": 2 * 2048, "fc8": 2048,
}  # fmt: skip
everywhere = crossing | {
    "conv2": 2 * half["pool1"], "conv4": 2 * half["conv3"], "conv5": 2 * half["conv4"],
}  # fmt: skip
print(f"{'':8}{'towers':>9}{'if every layer read both':>27}")
for name in crossing:
    print(f"{name:8}{crossing[name]:>9,}{everywhere[name]:>27,}")
print(f"{'numbers':8}{sum(crossing.values()):>9,}{sum(everywhere.values()):>27,}")

# %% [markdown]
# The towers save more than three quarters of the traffic (and half of the work of conv2, conv4 and conv5).
# What is the rest of it worth? The notes in the authors' code have an experiment (`layer-params-150.cfg` in the
# folder `layers`): net 150, "like #145 but with no column communication", has a top-1 error of 41.8%, where net
# 145, the paper's network, has 40.7%, on the validation images of 2012. So the red arrows into conv3, fc6 and fc7
# are worth about a point: the towers of net 150 meet in fc8 only (`layers-150.cfg`). It is no pure comparison:
# without arrows a filter of conv3 reads half of the maps, and net 150 has more of them in conv2 (160 a tower, not
# 128) and more units in fc6 (4,096 a tower, not 2,048).
#
# The paper's own comparison (section 3.2) is another one: a network "with half as many kernels in each convolutional
# layer trained on one GPU". The two-card network has top-1 and top-5 errors lower by 1.7 and 1.2 points, and takes
# slightly less time to train. A footnote adds that this flatters the small network: its last convolution and its fully
# connected layers are not halved, so that both networks have "approximately the same number of parameters". Have they?

# %%
one_card = ((3, 48, 11), (48, 128, 5), (128, 192, 3), (192, 192, 3), (192, 256, 3))  # maps in, out, window
small = sum(maps * (inputs * size**2 + 1) for inputs, maps, size in one_card)
small += sum(row.parameters for row in layers[5:])
print(f"one card: {small:,} parameters, two cards: {network.parameters:,}")

# %% [markdown]
# They have, since the parameters are in the fully connected layers. What the second card bought was twice the maps.
#
# Why not give each card *half of the batch* and the whole network, as is usual today? Then the cards must
# exchange the gradients of all weights, once a batch. Compare, for a batch of 128, both ways (backward sends
# the gradients of what forward sent, as the next exercise shows):

# %%
towers = 2 * 128 * 4 * sum(crossing.values())
gradients = 2 * network.parameter_bytes  # each card sends its sum to the other
convolutions = 2 * 4 * sum(row.parameters for row in layers[:5])
print("half of the maps each (towers):    ", format_bytes(towers), "a batch")
print("half of the batch each:            ", format_bytes(gradients))
print("  of which for the convolutions:   ", format_bytes(convolutions))
print(f"as much would cross in both ways with a batch of {128 * gradients / towers:,.0f}")

# %% [markdown]
# With half of the batch each, eight times as much would cross, and each card would have to hold all weights.
# (The towers' traffic grows with the batch, that of the gradients does not.) But nearly all of the gradients are
# those of the fully connected layers. Two years later Krizhevsky drew the conclusion: split the *batch* for the
# convolutions and the *layer* for the fully connected part (*One weird trick for parallelizing convolutional
# neural networks*, 2014, arXiv 1404.5997). With that the towers had no purpose any more. This is why the AlexNet
# of torchvision, which is the network of that paper, has one tower.
#
# ## Exercise 3: the way back through conv3
#
# conv3 reads both halves, so its backward crosses, too. Card A holds the first half of the filters and gets
# `grad_a`, the gradient of their outputs; card B holds the second half and gets `grad_b`. The first half of
# the *maps* that conv3 read is A's, the second half is B's. What arrives at each?
#
# A card can only use its own filters. `dx_of` computes what some filters give to all the maps they read.


# %%
def dx_of(grad, weight):
    """grad (N, O, H, W), weight (O, C, 3, 3) -> what these filters give to x (N, C, H, W)."""
    if grad.shape[1] != len(weight):
        raise ValueError(f"a gradient of {grad.shape[1]} maps does not fit {len(weight)} filters")
    x = np.zeros((len(grad), weight.shape[1], *grad.shape[2:]))  # only its shape matters for dx
    return conv2d_backward(grad, x, weight, padding=(1, 1), needs=(True, False, False))[0]


# %% tags=["exercise"]
def conv3_backward(grad_a, grad_b, weight):
    """grad_a, grad_b (N, O / 2, H, W), weight (O, C, 3, 3) -> dx_a, dx_b (N, C / 2, H, W)."""
    raise NotImplementedError


# %%
check.conv3_backward(conv3_backward)

# %% [markdown]
# ## Why two cards?
#
# The cards were GTX 580 with 3 GB (3 · 1024³ bytes) each, and section 3.2 says that the network was too
# big for one. Let us count. For a batch of 128 in float32, training needs
#
# - three numbers for each parameter: the weight, its gradient, and its velocity (a running sum of past
#   gradients, notebook 13);
# - what forward keeps for backward;
# - the gradients on their way back.
#
# How much the second and third are depends on the program. Three ways to write it: (1) minigrad keeps what
# the backward formulas need (for LRN its sums, too) and frees a gradient once it is used; (2) many programs keep
# the output of every layer *and* a gradient of the same size; (3) a simple program by im2col keeps its columns on
# top (notebook 4). A card of two holds half of everything, plus its copies of what has crossed; but the columns of
# conv1 and conv3, whose filters read all maps, are whole on each. (You can skip the code: it adds up these bytes and
# draws them.)

# %%
convs = {  # side of the window, maps that a card reads: of one card, of two
    "conv1": (11, 3, 3), "conv2": (5, 96, 48), "conv3": (3, 256, 256),
    "conv4": (3, 384, 192), "conv5": (3, 384, 192),
}  # fmt: skip
columns = {
    cards: 4 * sum(
        int(np.prod(rows[name].output_shape[1:])) * size**2 * maps[cards - 1]
        for name, (size, *maps) in convs.items()
    )
    for cards in (1, 2)
}  # fmt: skip
largest, outputs = max(row.activation_bytes for row in network.rows), network.activation_bytes
ways = {  # bytes an image: kept, gradients, and whether columns are kept on top
    "minigrad": (network.saved_bytes, 2 * largest, False),
    "every output and its gradient": (outputs, outputs, False),
    "the same, and all columns": (outputs, outputs, True),
}
card = 3 * 1024**3
fig, ax = plt.subplots(figsize=(8.6, 3.6))
labels = []
for i, (way, (kept, gradient, with_columns)) in enumerate(ways.items()):
    for cards in (1, 2):
        whole = 4 * sum(crossing.values()) / 2 if cards == 2 else 0  # the copies
        whole += columns[cards] * with_columns
        parts = (
            3 * network.parameter_bytes / cards,
            128 * (kept / cards + whole),
            128 * gradient / cards,
        )
        place, left = 3 * i + cards, 0.0
        for part, colour in zip(parts, (ORANGE, BLUE, SKY), strict=True):
            ax.barh(place, part / 1e9, 0.8, left=left, color=colour)
            left += part / 1e9
        ax.text(left + 0.04, place, f"{left:.2f} GB", va="center", fontsize=9)
        labels.append((place, f"{way}, {'one card' if cards == 1 else 'each of two'}"))
ax.axvline(card / 1e9, color=BLACK, linestyle="--")
ax.text(card / 1e9 + 0.05, 0.6, "3 GB card", fontsize=10, va="center")
ax.set_yticks(*zip(*labels, strict=True), fontsize=9)
ax.grid(False, axis="y")
ax.set(xlabel="GB for a batch of 128", xlim=(0, 5.2), ylim=(8.7, 0.2))
ax.legend(
    [plt.Rectangle((0, 0), 1, 1, color=c) for c in (ORANGE, BLUE, SKY)],
    ["weights, gradients, velocities", "kept for backward", "gradients of outputs"],
    loc="center right", fontsize=9,
)  # fmt: skip
plt.show()

# %% [markdown]
# So the answer is not a plain "it did not fit". A program that keeps its columns cannot train this network on one
# such card. One that keeps outputs and gradients fills nearly two thirds of the card, before its work space, the
# next batch and the picture on the screen (our count leaves them out). One that is written for memory needs
# little more than half. On two cards, all three have room.
#
# The other half of the answer is time. Section 5 says: about 90 passes over 1.2 million images took five to
# six days. How fast was a card?

# %%
flop = 2 * network.training_macs * 1.2e6 * 90
rate = flop / (5.5 * 24 * 3600) / 2
peak = 2 * 512 * 1.544e9  # GTX 580, NVIDIA's specification: 512 cores at 1.544 GHz, a MAC a cycle
print(f"all of training: {flop:.1e} operations, {rate / 1e9:.0f} GFLOP/s on each card")
print(f"that is {100 * rate / peak:.0f}% of what the card could do at best")
print(f"on one card, at the same rate: {2 * 5.5:.0f} days")

# %% [markdown]
# ## Why 224 gives 55
#
# The paper says: the image has 224×224 pixels, conv1 has 11×11 windows at step 4. Then the maps should have
#
# $$\frac{224 - 11}{4} + 1$$
#
# rows. But the paper's figure 2 has 55:

# %%
print((224 - 11) / 4 + 1)

# %% [markdown]
# Four programs, four answers:
#
# 1. **Round down.** 54 windows, and the last row of pixels is not read.
# 2. **Take 227 pixels**, as Caffe does: $(227 - 11) / 4 + 1 = 55$. Some courses say that the paper's 224 is
#    an error and 227 was meant. But 227 is a later convention. CS231n's notes add a best guess: zeros around, 3
#    pixels of them, that the paper does not mention. The zeros are there, as 4. shows, but at one end only.
# 3. **2 zeros around**, as torchvision and minigrad do: $(224 + 4 - 11) / 4 + 1 = 55.25$, rounded down.
# 4. **Round up.** This is what the authors' code does: `1 + ceil((2 * pad + img - filter) / stride)` in its
#    `layer.py`. Windows that hang over the edge read zeros. So 224 was meant, and 55 is right. (The caption of figure 2
#    says so as well: the "input is 150,528-dimensional", and 224 · 224 · 3 = 150,528.)
#
# Here are the windows at both ends of a row of pixels (you can skip the code):

# %%
rules = [  # name, size of the image, place of the first window, number of windows
    ("1. round down", 224, 0, 54),
    ("2. 227 pixels", 227, 0, 55),
    ("3. 2 zeros around", 224, -2, 55),
    ("4. round up (2012)", 224, 0, 55),
]
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
for ax, (low, high) in zip(axes, ((-4, 20), (206, 230)), strict=True):
    for row, (_, size, first, count) in enumerate(rules):
        ax.add_patch(plt.Rectangle((0, row - 0.36), size, 0.72, color="0.85"))
        for n in range(count):
            left, level = first + 4 * n, row - 0.24 + 0.24 * (n % 3)
            ax.barh(level, 10.7, 0.08, left=left + 0.15, color=BLUE)
        last = first + 4 * (count - 1) + 11
        for zeros_from, zeros_to in ((first, 0), (size, last)):
            place, length = (zeros_from, row - 0.36), max(zeros_to - zeros_from, 0)
            zeros = {"fill": False, "hatch": "////", "edgecolor": RED, "linewidth": 0}
            ax.add_patch(plt.Rectangle(place, length, 0.72, **zeros))
    ax.set(xlim=(low, high), ylim=(3.6, -0.6), xlabel="pixel")
    ax.set_yticks(range(4), [name for name, *_ in rules])
    ax.grid(False, axis="y")
axes[0].set_title("the left end")
axes[1].set_title("the right end")
plt.show()
for name, size, first, count in rules:
    last = first + 4 * (count - 1) + 11
    zeros, unread = (max(-first, 0), max(last - size, 0)), max(size - last, 0)
    print(
        f"{name:19} {count} windows, zeros read left and right: {zeros}, pixels not read: {unread}"
    )

# %% [markdown]
# Grey is the image, a blue line is a window, red hatching are zeros. Rules 3 and 4 both read 224 pixels and
# *three* zeros: two left and one right, or all three right. So they are the same function of an image that
# is moved by two pixels:

# %%
rng = np.random.default_rng(0)
x = mg.tensor(rng.standard_normal((1, 3, 224, 224)))
weight = mg.tensor(rng.standard_normal((4, 3, 11, 11)))


def inside_227(place):
    """The image in a frame of 227 zeros, its corner at (place, place)."""
    frame = np.zeros((1, 3, 227, 227))
    frame[:, :, place : place + 224, place : place + 224] = x.numpy()
    return mg.tensor(frame)


padded, ceil = (
    F.conv2d(x, weight, stride=4, padding=2),
    F.conv2d(CeilEdge(11, 4)(x), weight, stride=4),
)
print("shapes:", padded.shape, ceil.shape)
for name, y, place in (("2 zeros around", padded, 2), ("round up", ceil, 0)):
    same = F.conv2d(inside_227(place), weight, stride=4)
    print(
        f"{name} = image at ({place}, {place}) of 227 x 227:", np.allclose(y.numpy(), same.numpy())
    )
print("round up = 2 zeros around:", np.allclose(padded.numpy(), ceil.numpy()))

# %% [markdown]
# The mean is subtracted from the pixels before, so a zero is "a pixel as grey as the average". `AlexNet` has
# both: `conv1_edge="pad"` and `conv1_edge="ceil"`.
#
# And rule 1? It works until fc6, where the maps are too small:


# %%
def trunk(side, ceil_pools=False):
    """Sides of the maps after conv1 (given), pool1, pool2, pool5."""
    sides = [side]
    for _ in range(3):
        x = mg.zeros(1, 1, sides[-1], sides[-1])
        sides.append(F.max_pool2d(x, 3, 2, ceil_mode=ceil_pools).shape[2])
    return sides


for name, sides in (
    ("55", trunk(55)),
    ("54", trunk(54)),
    ("54, pooling rounds up", trunk(54, ceil_pools=True)),
):
    inputs = 256 * sides[-1] ** 2
    print(f"conv1 {name + ':':24} {sides}, fc6 reads {inputs:,} numbers")
lost = 4096 * 256 * (6**2 - 5**2)
print(f"with 5 x 5 maps the network has {network.parameters - lost:,} parameters")

# %% [markdown]
# If you meet an AlexNet with 49 million parameters, you know what happened. The third line is a trap of its own: Caffe
# rounds up in pooling. There a network with 54 still ends at 6×6, and all weights load.
#
# **Question.** A popular textbook builds AlexNet for images of 224×224 with `Conv2d(kernel_size=11, stride=4,
# padding=1)` as its first layer, and its first fully connected layer reads 6,400 = 256 · 5 · 5 numbers. Which change
# gives it the paper's 9,216?
#
# - (a) `padding=0`: the paper names none.
# - (b) `padding=2`.
# - (c) 384 maps in conv5.
# - (d) `groups=2` in conv2, conv4 and conv5.

# %% tags=["answer"]
which_change = None

# %%
check.which_change(which_change)

# %% [markdown]
# ## Your code is the network
#
# A narrow network from your `build`, in which conv3's backward is done by your two cards (by ours, until yours are
# right). The gradient of conv1, which has come all the way back through conv3, must be the one that minigrad computes.


# %%
class TwoCards(mg.Function):
    """conv3: forward as usual, backward to the maps in the two cards' parts."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save(x, weight)
        return conv2d_forward(x, weight, bias, padding=(1, 1))

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved
        half = grad.shape[1] // 2
        dx = np.concatenate(cards(grad[:, :half], grad[:, half:], weight), 1)
        return dx.astype(x.dtype), *conv2d_backward(grad, x, weight, padding=(1, 1))[1:]


model, whose_network = check.whose_network(build)
cards, whose_cards = check.whose_cards(conv3_backward)
conv1, _, conv3, *_ = [layer for layer in model.children() if isinstance(layer, nn.Conv2d)]
image, gradients = mg.tensor(rng.standard_normal((1, 3, 224, 224)).astype("f4")), []
for layers_used in ("ours", "two cards"):
    model.zero_grad()
    y = image
    for layer in model.children():
        on_cards = layer is conv3 and layers_used == "two cards"
        y = TwoCards.apply(y, layer.weight, layer.bias) if on_cards else layer(y)
    (y * y).sum().backward()
    gradients.append(conv1.weight.grad.numpy())
print(f"network: {whose_network}; conv3's backward: {whose_cards}")
print("gradient of conv1 as minigrad's:", np.allclose(*gradients, atol=1e-5 * np.abs(gradients[0]).max()))

# %% [markdown]
# ## What to remember
#
# - 61.0 million parameters, of which 96% are in the fully connected layers; 724 million multiply-adds, of
#   which 92% are in the convolutions.
# - The towers meet in conv3, fc6, fc7 and fc8. LRN must stop at the border, or they meet in lrn1.
# - Two cards: less room for each and, at the same rate, half of the time. Whether one card is enough depends on
#   what the program keeps.
# - 224 is right: the 2012 code rounds up and reads three zeros. 227 and "2 zeros around" are conventions that
#   give 55, too.
#
# ## Further
#
# Take photographs of 448×448 pixels with the same layers. First predict: which numbers of the table change, which do not,
# and which layer is the first that cannot read what it gets? Then run `summary(build(...), (3, 448, 448))`, with the
# paper's widths. It stops there, so for a table leave the fully connected layers out:
# `nn.Sequential(dict(list(build(...).named_children())[:16]))` ends with flatten. You will see that the convolutions do
# a little more than four times the work with the same weights. Finally, find the smallest change of `build` that lets
# fc6 read the larger maps, and what it costs in parameters.
#
# [Solutions](solutions/11_alexnet.ipynb). Next: [notebook 12](12_stuck_loss.ipynb), why its loss sticks.
