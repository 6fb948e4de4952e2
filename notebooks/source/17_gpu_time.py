# %% [markdown]
# # 17. Where a GPU's time goes
#
# **At the end you will know** what decides how long a layer takes on a GPU, why fully connected layers want large
# batches and ReLU does not care, how many kernels a training step launches, how large a batch fits into a given
# memory, what to do if yours does not fit, and what fewer digits do to a product. You will have written the bound
# that tells computing from memory, and the gradient of a batch in parts.
#
# About 55 minutes to read, 20 for the two exercises. You need notebook 11 (the layers of AlexNet) and 1 (gradients add
# up); 4 (im2col) and 16 (what a kernel and its launch are) help. You need no GPU: **no speed of a GPU is measured
# here**. The numbers are bounds, from the makers' specifications and from counting.

# %%
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n17_gpu_time as check
from alexnet_course.emulation import on_pretended_gpu
from alexnet_course.style import BLACK, BLUE, GREEN, ORANGE, RED, SKY, use_style
from alexnet_scratch.bench import TrainingStep, layer_table, seconds_of, time_layers
from alexnet_scratch.model import AlexNet
from minigrad.kernels.fast import conv
from minigrad.nn import functional as F
from minigrad.tools.profiler import profile
from minigrad.tools.summary import summary
from minigrad.tools.text import format_bytes

use_style()

# %% [markdown]
# ## Where the time has to go
#
# A GPU is quick at two things, and both have a limit: it computes at most so many operations a second, and
# moves at most so many bytes a second between its memory and its units. A layer that does $F$ operations and
# moves $B$ bytes takes at least
#
# $$t \ge \max\left(\frac{F}{\text{peak}}, \; \frac{B}{\text{bandwidth}}\right).$$
#
# $F / B$, operations per byte, is called *arithmetic intensity*. If it is below peak / bandwidth, the memory is
# the limit, and more computing power would not help. Drawn over the intensity, the best possible rate looks like
# a roof (Williams, Waterman and Patterson, *Roofline*, 2009).
#
# ## Exercise 1: the least time of a fully connected layer
#
# It computes $y = x W^\top + b$ for a batch: $x$ has `batch` rows of `inputs` numbers, $y$ rows of `outputs` numbers. A
# multiply-add counts as two operations; leave out the addition of the bias. In memory, $x$, $W$ and $b$ are read once
# each, and $y$ is written once, all in float32.


# %% tags=["exercise"]
def least_time(inputs, outputs, batch, peak, bandwidth):
    """peak: operations a second; bandwidth: bytes a second. Returns seconds."""
    raise NotImplementedError


# %%
check.least_time(least_time)

# %% [markdown]
# ## Two cards
#
# The vendor's numbers, as printed: NVIDIA's specification of the GeForce GTX 580 (512 cores at 1544 MHz, 192.4
# GB/s; a core does one multiply-add in each clock cycle), the paper's card; and NVIDIA's data sheet of the H100, column
# SXM (67 TFLOPS in float32, 3.35 TB/s; for tf32, products of numbers with fewer digits, it prints 989 "with sparsity",
# which is twice the number for ordinary products). Put in your own:

# %%
cards = {  # operations a second, bytes a second
    "GTX 580": (512 * 1.544e9 * 2, 192.4e9),
    "H100, float32": (67e12, 3.35e12),
    "H100, tf32": (989e12 / 2, 3.35e12),
}
for name, (peak, bandwidth) in cards.items():
    print(f"{name:14} {peak / 1e12:6.2f} TFLOP/s, {bandwidth / 1e12:5.2f} TB/s: "
          f"a balance at {peak / bandwidth:5.1f} operations per byte")  # fmt: skip
old, new, tensor = cards.values()
print(f"from the first to the second: peak x {new[0] / old[0]:.0f} (tf32 x {tensor[0] / old[0]:.0f}), "
      f"bandwidth x {new[1] / old[1]:.0f}")  # fmt: skip

# %% [markdown]
# **Predict.** ReLU, pooling, LRN and dropout do less than a hundredth of AlexNet's operations. Of the least time that
# forward can take on the H100 in tf32, how many percent are theirs?

# %% tags=["answer"]
simple_layers = None

# %% [markdown]
# Now the layers of AlexNet, forward, for a batch of 128. A layer has to read its input and its weights, and write its
# output: each once, at best. (LRN also writes its denominators, pooling its winners.) A multiply-add counts as two
# operations. The ReLU of a convolution is computed with it (notebook 11) and has no memory of its own, so it is left
# out; those of fc6 and fc7 have their own.

# %%
network = summary(AlexNet(), (3, 224, 224))
SIMPLE = {"PaperLRN": 16, "MaxPool2d": 9, "ReLU": 1, "Dropout": 1}  # operations for each output
KEPT = {"PaperLRN": 4, "MaxPool2d": 1}  # bytes written for backward, for each output


def layers(batch):
    """{name: (operations, bytes)} of forward."""
    costs, inputs = {}, 3 * 224 * 224
    for row in network.rows:
        outputs = int(np.prod(row.output_shape))
        if row.kind != "Flatten" and row.activation_bytes:
            operations = 2 * row.macs or SIMPLE[row.kind] * outputs
            numbers = batch * (inputs + outputs) + row.parameters
            size = 4 * numbers + batch * outputs * KEPT.get(row.kind, 0)
            costs[row.name] = batch * operations, size
        inputs = outputs
    return costs


costs = layers(128)
print(f"{'':8}{'GFLOP':>7}{'MB':>7}{'FLOP/byte':>11}   limited by")
print(" " * 36 + "  ".join(f"{name:13}" for name in cards))
for name, (operations, size) in costs.items():
    limits = [
        "the memory" if operations / size < peak / bandwidth else "computing"
        for peak, bandwidth in cards.values()
    ]
    print(f"{name:8}{operations / 1e9:7.2f}{size / 1e6:7.0f}{operations / size:11.1f}   "
          + "  ".join(f"{limit:13}" for limit in limits))  # fmt: skip

# %%
fig, ax = plt.subplots(figsize=(9, 5))
intensity = np.geomspace(0.06, 2000, 200)
for (name, (peak, bandwidth)), colour in zip(cards.items(), (BLACK, BLUE, SKY), strict=True):
    ax.loglog(intensity, np.minimum(peak, bandwidth * intensity) / 1e12, color=colour, lw=2.5)
    ax.text(1900, peak / 1e12 * 1.15, name, color=colour, ha="right")
peak, bandwidth = cards["H100, float32"]


def point(operations, size, label, colour, marker="o", shift=(0, -14), filled=True):
    at = operations / size, min(peak, bandwidth * operations / size) / 1e12
    ax.plot(*at, marker, color=colour, ms=8, mfc=colour if filled else "white", ls="")
    ax.annotate(label, at, xytext=shift, textcoords="offset points", ha="center", fontsize=9)


places = {"conv1": (-4, -14), "conv2": (0, -14), "fc6": (-6, -14)}
for name, (operations, size) in costs.items():
    if name in places:
        point(operations, size, name, ORANGE, shift=places[name])
    elif name in ("lrn1", "pool1", "relu6"):
        point(operations, size, name, GREEN, shift=(-16, 8))
point(*layers(1)["fc6"], "fc6, batch 1", ORANGE, "s", shift=(44, -3), filled=False)
operations, size = costs["conv1"]
columns = 128 * 55 * 55 * 11 * 11 * 3 * 4
point(operations, size + 2 * columns, "conv1, columns\nin memory", ORANGE, "s", (-50, -8), False)
ax.set(xlabel="operations per byte", ylabel="TFLOP/s, at best", xlim=(0.06, 2000), ylim=(0.08, 900))
ax.set_title("The roofs of two cards; layers (batch 128) on the roof of float32")
for marker, colour, label in (
    ("o", ORANGE, "products"),
    ("o", GREEN, "other layers"),
    ("s", "white", "a product done otherwise"),
):
    edge = ORANGE if marker == "s" else colour
    ax.plot([], [], marker, mfc=colour, mec=edge, ms=8, label=label)
ax.legend(loc="upper left", fontsize=9)
plt.show()

# %% [markdown]
# Four things to see:
#
# - ReLU, pooling, LRN and dropout lie far to the left, on every card. Their time is bytes, so the cure is to cross
#   the memory less often: minigrad's kernels do bias and ReLU in one crossing (`bias_relu`), and one LRN kernel
#   stands for a whole row of array operations.
# - **fc6 moves along with the batch.** Its 37.7 million weights (notebook 11) are read once for the whole batch. With
#   one image each of them is read for one multiply-add, with 128 images for 128.
# - **conv1 with its columns in memory** (notebook 4) falls from 120 operations per byte to 20, the balance of the H100
#   in float32. The columns are written and read, and are larger than the layer's input and output together. NVIDIA's
#   library cuDNN therefore makes them piece by piece in the GPU's small inner memory only (Chetlur et al. 2014, arXiv
#   1410.0759).
# - From one card to the other peak grew more than bandwidth, and with tf32 far more. In float32 no layer changes sides
#   yet; with tf32 conv1 and the fc layers do. And the layers that hardly compute get a larger share:

# %%
products = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
for name, (peak, bandwidth) in cards.items():
    least = {layer: max(f / peak, size / bandwidth) for layer, (f, size) in costs.items()}
    rest = sum(time for layer, time in least.items() if layer not in products)
    percent = 100 * rest / sum(least.values())
    print(f"{name:14} of forward's least time, ReLU, LRN, pooling and dropout take {percent:3.0f}%")
work = sum(f for layer, (f, _) in costs.items() if layer not in products)
print(f"of the operations: {100 * work / sum(f for f, _ in costs.values()):.1f}%")
check.simple_layers(simple_layers, percent)

# %% [markdown]
# These are bounds and no measurements: no program reaches both limits in every layer. But their direction is sure.
# On the paper's card nearly all of forward's time had to go into products. On the H100, with tf32, two fifths of it go
# into layers that hardly compute, unless somebody fuses them with their neighbours.
#
# What is the balance of *your* machine's processor, and where does the time of a whole training step go there? (Outputs
# not kept. `make bench DEVICE=cuda` measures the same on a GPU.)

# %% tags=["machine"]
a, source, target = np.ones((1500, 1500), "f4"), *np.ones((2, 1 << 26), "u1")
flops = 2 * 1500**3 / min(seconds_of(lambda: a @ a, 3))
moved = 2 * source.nbytes / min(seconds_of(lambda: np.copyto(target, source), 3))
print(
    f"{flops / 1e9:.0f} GFLOP/s, {moved / 1e9:.0f} GB/s: a balance at {flops / moved:.0f} operations per byte\n"
)
print(layer_table(time_layers(TrainingStep(AlexNet(), 8), times=1)))

# %% [markdown]
# ## Launches
#
# There is a third limit. Each kernel (a function that the GPU's threads run) has to be *started*, or launched, by
# Python, on the host: the processor. How many operations have forward and backward of AlexNet, with the loss? (The
# update of the weights comes to it.) That does not depend on the width, so a narrow one will do:

# %%
mg.manual_seed(0)
narrow = AlexNet(10, widths=(8,) * 5, fc_width=16, input_size=64)
images = mg.tensor(np.zeros((2, 3, 64, 64), "f4"))
with profile() as seen:
    F.cross_entropy(narrow(images), mg.tensor(np.array([1, 2]))).backward()
calls = {"forward": 0, "backward": 0}
for (_, phase), cost in seen.by_operation().items():
    calls[phase] += cost.calls
print("operations:", calls)

# %% [markdown]
# Each of them is one launch or several, and each costs the host the same, whether the batch has one image or a
# thousand. With a small batch the GPU is ready before the host has started the next kernel, and waits. A simulation
# of both, in which a launch takes the host one unit of time (the units are made up; only the pattern matters):


# %%
def timeline(kernel, read_every=None, launches=8):
    """(when the host launches, when the GPU computes): lists of (begin, length)."""
    host, gpu, now, free = [], [], 0.0, 0.0
    for i in range(launches):
        host.append((now, 1.0))
        now += 1
        begin = max(now, free)
        gpu.append((begin, kernel))
        free = begin + kernel
        if read_every and (i + 1) % read_every == 0:
            now = free  # .item(): the host waits
    return host, gpu


fig, axes = plt.subplots(3, 1, figsize=(9, 4.6), sharex=True)
for ax, (kernel, read, title) in zip(
    axes,
    (
        (0.4, None, "small batch: the GPU waits for the host"),
        (2.0, None, "large batch: the host runs ahead; once begun, the GPU does not wait"),
        (
            2.0,
            2,
            "large batch, a number is read after every second kernel: each waits for the other",
        ),
    ),
    strict=True,
):
    host, gpu = timeline(kernel, read)
    ax.broken_barh([(b + 0.04, length - 0.08) for b, length in host], (1.1, 0.8), color=ORANGE)
    ax.broken_barh([(b + 0.04, length - 0.08) for b, length in gpu], (0.1, 0.8), color=BLUE)
    busy = sum(length for _, length in gpu) / (gpu[-1][0] + kernel)
    ax.text(gpu[-1][0] + kernel + 0.3, 0.5, f"GPU busy {100 * busy:.0f}%", va="center", fontsize=9)
    ax.set_yticks([0.5, 1.5], ["GPU", "host"])
    ax.set_title(title, fontsize=11)
    ax.grid(False)
axes[-1].set(xlabel="time (one launch takes 1)", xlim=(0, 25))
plt.show()

# %% [markdown]
# It follows that a profiler on the host times the *launches* and not the kernels. minigrad's `profile` says so; for the
# kernels' own time one needs the GPU's clock (events), as `benchmarks/gpu_kernels.py` does.
#
# **Question.** On somebody's GPU a step takes 20 ms with a batch of 16, and 20 ms with a batch of 32. Convolutions
# take most of the operations. Which limit is it?
#
# - (a) Computing: the units are busy all the time.
# - (b) The bytes of the maps.
# - (c) The launches: the host does not start kernels faster.
# - (d) The size of the memory.

# %% tags=["answer"]
which_limit = None

# %%
check.which_limit(which_limit)

# %% [markdown]
# ## Batch and memory
#
# A large batch is good for fc6 and for the launches. What stands against it is memory. Training needs
#
# $$\underbrace{3 \cdot 4 \cdot \text{parameters}}_{\text{weights, gradients, velocities: once}} \;+\;
# \text{batch} \cdot \bigl(\underbrace{\text{kept for backward}}_{\text{per image}} +
# \underbrace{\text{gradients on their way}}_{\text{about two maps}}\bigr) \;+\; \text{workspace}$$
#
# (Velocities are momentum's, notebook 13.) `summary` has counted the parameters and what is kept. The rest is an
# estimate: for the gradients on their way, twice the largest map; for the workspace, two sets of columns; for what CUDA
# itself takes 500 MB, a guess.

# %%
fixed = 3 * network.parameter_bytes
per_image = network.saved_bytes + 2 * max(row.activation_bytes for row in network.rows)
workspace = conv.WORKSPACE_GPU
reserve = 2 * workspace + 500e6
print("once:     ", format_bytes(fixed), " and workspace and CUDA:", format_bytes(int(reserve)))
print("per image:", format_bytes(per_image))
fits = {}
for gigabytes in (3, 8):
    fits[gigabytes] = int((gigabytes * 1024**3 - fixed - reserve) // per_image)
    print(f"a card with {gigabytes} GB: a batch of {fits[gigabytes]}")

# %% [markdown]
# Is the formula right? A *pretended* GPU (notebook 16: a stand-in for CuPy that computes with NumPy) counts the bytes
# that arrays occupy: here the most that are in use at one time during a step. The slope comes from two batches. The
# workspace must not grow from one to the other, so in these two steps it takes the columns of one image only. A third
# step has the whole workspace:


# %%
def peaks(transfers, cases):
    """For each batch and workspace: the most bytes in use during a step."""
    first = TrainingStep(AlexNet().to("cuda"), 1)
    first()  # now there are velocities, too
    most = []
    try:
        for batch, space in cases:
            conv.WORKSPACE_GPU = space
            step = TrainingStep(first.model, batch)
            step.optimizer = first.optimizer
            mg.cuda.reset_peak_memory_stats()
            step()
            most.append(mg.cuda.max_memory_allocated())
    finally:
        conv.WORKSPACE_GPU = workspace
    return most


def measured(transfers):
    small, large, whole = peaks(transfers, ((16, 0), (32, 0), (32, workspace)))
    rows = {
        "one image": ((large - small) / 16, per_image),
        "workspace": (whole - large, 2 * workspace),
        "32 images, in all": (whole, fixed + 32 * per_image + 2 * workspace),
    }
    return "\n".join(
        f"{name:18} {found / 1e6:7.1f} MB measured, {formula / 1e6:7.1f} MB by the formula"
        for name, (found, formula) in rows.items()
    )


print(on_pretended_gpu(measured))

# %% [markdown]
# For an image the formula asks for too much: when backward comes to the large maps of the first layers, what the
# later layers kept is free again. For the workspace it asks for too little, since maps with their padding come to
# the columns. At 32 images the two errors nearly cancel. In the batches above the first one is larger, so they are on
# the safe side, as far as arrays go. (What a GPU's memory loses in gaps between arrays is not counted here.)

# %%
batches = np.arange(0, 1001)
fig, ax = plt.subplots(figsize=(8.6, 4))
bottom = np.zeros_like(batches, float)
for size, colour, label in (
    (reserve + 0 * batches, "0.75", "workspace, CUDA"),
    (fixed + 0 * batches, ORANGE, "weights, gradients, velocities"),
    (network.saved_bytes * batches, BLUE, "kept for backward"),
    ((per_image - network.saved_bytes) * batches, SKY, "gradients on their way"),
):
    ax.fill_between(batches, bottom / 1e9, (bottom + size) / 1e9, color=colour, label=label, lw=0)
    bottom = bottom + size
for gigabytes, batch in fits.items():
    card = gigabytes * 1024**3 / 1e9
    ax.axhline(card, color=BLACK, ls="--", lw=1)
    ax.plot(batch, card, "o", color=RED)
    ax.annotate(f"{gigabytes} GB card: {batch}", (batch, card), xytext=(-8, 7),
                textcoords="offset points", ha="right")  # fmt: skip
ax.set(xlabel="batch", ylabel="GB (10^9 bytes)", xlim=(0, 1000), ylim=(0, 10))
ax.set_title("By the formula, memory grows with the batch in a straight line")
handles, labels = ax.get_legend_handles_labels()
ax.legend(handles[::-1], labels[::-1], loc="lower right", fontsize=9, framealpha=1)
plt.show()

# %% [markdown]
# (A GB of a card is $1024^3$ bytes, so the lines are a little above 3 and 8.)
#
# The paper took 128 images (section 5) and two cards of 3 GB (section 3.2). This program would do with one; notebook 11
# counts what a program has to keep so that one is not enough.
#
# And if the batch of a recipe does *not* fit? Then its gradient can be computed in parts, one after the other. The
# memory of a part is free when its backward is done; only the sum of the gradients stays. (`alexnet train` tells which
# batch would fit, by trying.)
#
# ## Exercise 2: the gradient in parts
#
# `gradient(x, labels)` returns the gradient of the *mean* loss over the images that it is given, and it has memory for
# at most `most` of them. Compute the gradient of the mean loss over all of `x`. Their number need not be a multiple of
# `most`.


# %% tags=["exercise"]
def gradient_in_parts(gradient, x, labels, most):
    """x (n, ...), labels (n,) -> the gradient that gradient(x, labels) would return."""
    raise NotImplementedError


# %%
check.gradient_in_parts(gradient_in_parts)

# %% [markdown]
# The result is the same up to the order of the sum, since no layer of AlexNet mixes images. (Dropout draws other masks,
# which is only another throw of the same dice.)
#
# ## Your code is the network
#
# All gradients of the narrow AlexNet, as one long row, for ten images: at once, and by your function (by ours until
# yours is right), with room for four images at a time. (`eval`, so that dropout draws nothing.)

# %%
narrow.eval()
for weight in narrow.parameters():
    if weight.ndim > 1:
        weight.data *= np.float32(6**0.5)  # a scale at which something arrives in every layer
rng = np.random.default_rng(0)
images, labels = rng.standard_normal((10, 3, 64, 64)).astype("f4"), rng.integers(0, 10, 10)
seen_at_once = []


def all_gradients(x, labels):
    narrow.zero_grad()
    F.cross_entropy(narrow(mg.tensor(x)), mg.tensor(labels)).backward()
    seen_at_once.append(len(x))
    return np.concatenate([weight.grad.numpy().ravel() for weight in narrow.parameters()])


in_parts, whose = check.whose_parts(gradient_in_parts)
whole, parts = all_gradients(images, labels), in_parts(all_gradients, images, labels, 4)
print(f"by {whose}, images at a time: {seen_at_once[1:]}")
print("the same, to rounding:", np.allclose(whole, parts, rtol=0, atol=1e-5 * np.abs(whole).max()))

# %% [markdown]
# ## Fewer digits
#
# The tensor cores of a GPU, units for products of small matrices, multiply faster if numbers have fewer digits. A
# number is $\pm 1.m \cdot 2^e$; the formats differ in the bits of $m$ and in the range of $e$:
#
# | | bits of $m$ | smallest and largest $e$ |
# |---|---|---|
# | float32 | 23 | −126 to 127 |
# | tf32 | 10 | −126 to 127 |
# | bfloat16 | 7 | −126 to 127 |
# | float16 | 10 | −14 to 15 |
#
# NumPy has no tf32, but rounding is quickly written (below the smallest $e$ the steps stop getting smaller):

# %%
FORMATS = {"float32": (23, -126, 127), "tf32": (10, -126, 127), "bfloat16": (7, -126, 127),
           "float16": (10, -14, 15)}  # fmt: skip


def rounded(x, bits, lowest, highest):
    x = np.asarray(x, float)
    _, e = np.frexp(x)  # x = fraction * 2^e with a fraction from 0.5 to 1
    step = np.ldexp(1.0, np.maximum(e - 1, lowest) - bits)
    near = np.rint(x / step) * step
    return np.where(np.abs(near) >= 2.0 ** (highest + 1), np.copysign(np.inf, x), near)


rng = np.random.default_rng(12)
sample = rng.standard_normal(10000) * 10.0 ** rng.integers(-9, 5, 10000)
with np.errstate(over="ignore"):
    half, single = sample.astype("f2"), sample.astype("f4")
print("as NumPy's float16:", np.array_equal(rounded(sample, *FORMATS["float16"]), half))
print("as NumPy's float32:", np.array_equal(rounded(sample, *FORMATS["float32"]), single))
print(f"{'':10}{'1/3':>14}{'70000':>10}{'1e-8':>12}{'1e-8 * 65536':>16}")
for name, form in FORMATS.items():
    third, large, small, scaled = rounded([1 / 3, 70000, 1e-8, 1e-8 * 65536], *form)
    print(f"{name:10}{third:14.9f}{large:10.0f}{small:12.3g}{scaled:16.4g}")

# %%
x = np.geomspace(1e-9, 1e6, 3000)
fig, ax = plt.subplots(figsize=(8.6, 3.8))
for (name, form), colour in zip(FORMATS.items(), (BLACK, BLUE, GREEN, RED), strict=True):
    exponent = np.maximum(np.floor(np.log2(x)), form[1])
    error = 0.5 * 2.0 ** (exponent - form[0]) / x
    error[(error > 1) | (x > 2.0 ** (form[2] + 1))] = np.nan
    dashed = {"ls": (0, (4, 3)), "zorder": 3} if name == "tf32" else {}
    ax.loglog(x, error, color=colour, label=name, lw=2, **dashed)
ax.axvspan(65504, 1e6, ymin=0, color=RED, alpha=0.12, lw=0)
ax.axvspan(1e-9, 2.0**-25, color=RED, alpha=0.12, lw=0)
ax.text(2.5e5, 1e-6, "infinite\nin\nfloat16", ha="center", color=RED, fontsize=9)
ax.text(5.5e-9, 1e-6, "zero in\nfloat16", ha="center", color=RED, fontsize=9)
ax.set(xlabel="size of the number", ylabel="rounding, relative", xlim=(1e-9, 1e6))
ax.set_title("float16 is as fine as tf32, but in a narrow range only")
ax.legend(loc="center", bbox_to_anchor=(0.5, 0.42), ncols=2, fontsize=9)
plt.show()

# %% [markdown]
# Micikevicius et al. (*Mixed Precision Training*, 2018) found that many gradients of a network were smaller than
# anything that float16 can hold, and became 0. Their cure is to multiply the loss by a large number before backward
# and to divide the gradients by it afterwards (`mg.optim.GradScaler` begins with 65,536, the factor above). bfloat16
# and tf32 have float32's range and need no such thing.
#
# What do the digits do to a product? Only the operands are rounded; the sum runs in float32. A sum as in conv2 has
# 1,200 products:

# %%
a, b = (rng.standard_normal(s).astype("f4").astype(float) for s in ((300, 1200), (1200, 128)))
for name, form in FORMATS.items():
    found = rounded(a, *form).astype("f4") @ rounded(b, *form).astype("f4")
    error = np.sqrt(np.mean((found - a @ b) ** 2) / np.mean((a @ b) ** 2))
    print(f"{name:9} error of the product {'below 1e-6' if error < 1e-6 else f'{error:.0e}'}")
with mg.precision("bfloat16"):  # minigrad's CPU rounds the operands in the same way
    tensors = [mg.tensor(m.astype("f4")) for m in (a, b)]
    ours = mg.matmul(*tensors).numpy()
theirs = rounded(a, *FORMATS["bfloat16"]).astype("f4") @ rounded(b, *FORMATS["bfloat16"]).astype(
    "f4"
)
print("mg.precision('bfloat16') does the same:", np.allclose(ours, theirs, rtol=1e-3, atol=1e-3))

# %% [markdown]
# Training bears such errors: in the paper just named, AlexNet with 16-bit products is as accurate as in float32 (table
# 1). A gradient check does not bear them. It looks for mistakes that are smaller (notebook 2). So minigrad takes fewer
# digits only where it is told to, only in products of float32, and never in `gradcheck`.
#
# ## What to remember
#
# - A layer takes at least the longer of two times: its operations at peak, its bytes at full bandwidth. Operations per
#   byte decide which.
# - ReLU, pooling, LRN and dropout are bytes: the cure is to cross the memory less often. A larger batch helps fc6, and
#   it hides the launches.
# - Memory grows with the batch in a straight line. If it does not fit: in parts, each weighted by its number of images.
# - Training bears products of fewer digits; a gradient check does not.
#
# ## Further
#
# Put a card of yours into `cards` (peak and bandwidth stand in its data sheet) and find the batch at which fc6 changes
# from memory to computing: first with a formula, from your `least_time`, then in the table. You will see that the
# batch is about twice the card's balance (a weight of four bytes does two operations an image, half an operation a
# byte), and that the convolutions hardly move.
#
# [Solutions](solutions/17_gpu_time.ipynb). Next: [notebook 18](18_paper_and_code.ipynb), paper and code.
