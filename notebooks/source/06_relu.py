# %% [markdown]
# # 6. ReLU
#
# **At the end you will know** what saturation is and why ReLU has none, how a unit dies and what keeps it
# alive, how the leaky and the parametric form learn, and what the paper's figure 1 ("six times faster")
# depends on. You will have written the backward of three activations and a test for dead maps.
#
# About 80 minutes: 59 to read, 20 for the four exercises. You need notebooks 1 (backward), 2 (gradient checks) and 3
# (linear layer, cross-entropy), 4 and 5 (convolution, pooling), and what a standard deviation is.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import minigrad as mg
from alexnet_course import n06_relu as check
from alexnet_course import yours
from alexnet_course.style import BLACK, BLUE, GREEN, ORANGE, RED, use_style
from alexnet_scratch.data import patterns
from minigrad import nn, optim
from minigrad.kernels import activation as kernel
from minigrad.nn import functional as F

use_style()

# %% [markdown]
# ## Three curves and their slopes
#
# A convolution followed by a convolution is only another convolution. Something that is not linear has to
# stand between two layers, or the second one adds nothing. The usual choice was one of
#
# $$y = \tanh(x), \qquad y = \sigma(x) = \frac{1}{1 + e^{-x}},$$
#
# and AlexNet takes (section 3.1 of the paper, after Nair and Hinton 2010)
#
# $$y = \max(x, 0).$$
#
# Backward multiplies the gradient by the slope. All three slopes can be written with the *output* $y$:
#
# | | forward | slope $\partial y / \partial x$ | largest slope |
# |---|---|---|---|
# | tanh | $\tanh(x)$ | $1 - y^2$ | 1, at $x = 0$ |
# | sigmoid | $1 / (1 + e^{-x})$ | $y \, (1 - y)$ | 1/4, at $x = 0$ |
# | ReLU | $\max(x, 0)$ | 1 where $y > 0$, else 0 | 1, for every $x > 0$ |
#
# For tanh: with $y = s / c$, where $s = \sinh x$ and $c = \cosh x$, the quotient rule gives
# $(c \cdot c - s \cdot s) / c^2 = 1 - y^2$.

# %%
CURVES = {  # name: y from x, and the gradient of x from that of y
    "tanh": (np.tanh, lambda grad, y: grad * (1 - y**2)),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda grad, y: grad * y * (1 - y)),
    "ReLU": (kernel.relu_forward, kernel.relu_backward),
}
x = np.linspace(-6, 6, 601)
ones = np.ones_like(x)

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4))
for (name, (forward, backward)), colour, line in zip(
    CURVES.items(), (ORANGE, GREEN, BLUE), ("--", "-.", "-"), strict=True
):
    y = forward(x)
    left.plot(x, y, line, color=colour, label=name, linewidth=2)
    right.plot(x, backward(ones, y), line, color=colour, linewidth=2)
left.set(xlabel="x", ylabel="y", ylim=(-1.2, 3), title="The curves")
right.set(xlabel="x", ylabel="slope", title="Two slopes fade away, one does not")
left.legend()
plt.show()

# %% [markdown]
# A unit far out on a flat part is called **saturated**: its input may change, its output does not, and
# its slope is nearly 0. The gradient stops there. At $x = 5$ the slopes are

# %%
for name, (forward, backward) in CURVES.items():
    y = forward(np.array(5.0))
    print(f"{name:8s} {backward(np.array(1.0), y):.6f}")

# %% [markdown]
# ## Exercises 1 and 2: two backwards
#
# Both get `grad`, which is $\partial L / \partial y$, and the output `y`, and return $\partial L / \partial x$.
# At $x = 0$ ReLU has a corner and no slope. Take 0 there (PyTorch's rule, and minigrad's).


# %% tags=["exercise"]
def relu_backward(grad, y):
    """dx of y = max(x, 0), from y alone; all of one shape."""
    raise NotImplementedError


# %% tags=["exercise"]
def tanh_backward(grad, y):
    """dx of y = tanh(x), from y alone; all of one shape."""
    raise NotImplementedError


# %%
check.relu_backward(relu_backward)
check.tanh_backward(tanh_backward)

# %% [markdown]
# That $y$ is enough has a use: the input of a ReLU need not be kept. Where an `nn.ReLU` stands right behind an
# `nn.Conv2d`, minigrad's convolution applies it to its own output, and the numbers before it are nowhere stored.
#
# The complex step agrees with both kernels. A central difference could not agree at the corner: there it is the
# mean of the slopes left and right.

# %%
z = mg.tensor(np.random.default_rng(0).standard_normal((3, 4)), requires_grad=True)
for function in (F.relu, F.tanh):
    print(mg.gradcheck(function, [z]))
step = 1e-6
at_corner = (kernel.relu_forward(step * np.ones(1)) - kernel.relu_forward(-step * np.ones(1))) / (
    2 * step
)
print("central difference of ReLU at 0:", at_corner[0])

# %% [markdown]
# ## Saturation comes with the scale
#
# Whether tanh saturates is decided by how large its inputs are. Take AlexNet's first layer as the paper
# starts it: 96 kernels of 11×11×3 with weights from $N(0, 0.01^2)$ (section 5), and pixels from 0 to 255
# less their mean. Below are drawn patterns, the course's own data set. We give them to the layer twice:
# as they are, and divided by 64, which makes their standard deviation 1.1.

# %%
images = np.stack(
    [
        patterns.draw(name, np.random.default_rng([5, i]), 96)
        for i, name in enumerate(patterns.CLASSES)
    ]
)
pixels = images.transpose(0, 3, 1, 2) - images.mean()
weight = np.random.default_rng(1).normal(0, 0.01, (96, 3, 11, 11))
raw = F.conv2d(mg.tensor(pixels), mg.tensor(weight), stride=4).data
scaled = F.conv2d(mg.tensor(pixels / 64), mg.tensor(weight), stride=4).data

for name, x in (("pixels as they are", raw), ("pixels / 64", scaled)):
    y = np.tanh(x)
    slope = 1 - y**2
    print(
        f"{name:19s} inputs of tanh: rms {x.std():5.2f}   outputs beyond 0.99: "
        f"{(np.abs(y) > 0.99).mean():4.0%}   mean slope {slope.mean():.2f}"
    )

# %%
fig, axes = plt.subplots(1, 2, figsize=(8.5, 3), sharey=True)
titles = (
    "Pixels 0–255 less the mean: tanh is a switch",
    "Pixels / 64: tanh is nearly a straight line",
)
for ax, x, title in zip(axes, (raw, scaled), titles, strict=True):
    share = 100 * np.ones(x.size) / x.size
    ax.hist(np.tanh(x).ravel(), bins=40, range=(-1, 1), weights=share, color=ORANGE)
    ax.set_xlabel("tanh(x)")
    ax.set_title(title, fontsize=11)
axes[0].set_ylabel("outputs (%)")
plt.show()

# %% [markdown]
# On the left most units say only "yes" or "no", and most gradients die in them.
#
# ReLU does not notice the scale. For every $c > 0$
#
# $$\max(c\,x, 0) = c \max(x, 0),$$
#
# so that all outputs are 64 times as large and *the same units* are on, with the same slopes:

# %%
y_raw, y_scaled = kernel.relu_forward(raw), kernel.relu_forward(scaled)
print("64 times as large:", np.allclose(y_raw, 64 * y_scaled))
print("the same units are on:", np.array_equal(y_raw > 0, y_scaled > 0))
print(f"mean slope: {(y_raw > 0).mean():.2f} and {(y_scaled > 0).mean():.2f}")

# %% [markdown]
# That is what the paper means by (section 3.3) ReLUs "do not require input normalization to prevent them
# from saturating". It does not mean that the scale of the input is of no importance: the size of the
# gradients still depends on it, and with it the *learning rate*, which is the factor in one step of training,
#
# $$W \leftarrow W - \mathrm{lr}\, \frac{\partial L}{\partial W} .$$
#
# ## Dead units
#
# ReLU has a flat side too. A unit whose input is negative for one image learns nothing from this image;
# that is normal: with weights drawn evenly about 0, so is the unit's input, and it is negative half of the
# time. But a unit that is negative for **every** image learns from none: its gradient is 0. *Momentum*
# (each step adds a part of the step before, often 0.9 of it) may carry its weights on for a few steps, and *weight
# decay* (each step also pulls every weight a little towards 0) shrinks them, but the data no longer move them, and
# so it stays negative. It is *dead*. Only the layers before it can wake it up, by changing its inputs.
#
# A network that we can look into: one number in, 100 ReLUs, one number out,
#
# $$f(x) = \sum_{i=1}^{100} v_i \max(w_i x + b_i, 0) + c .$$
#
# Each unit is a hinge: it bends $f$ at $x = -b_i / w_i$ and is 0 on one side of it. We fit a wave, always from the
# same start, with five learning rates (momentum 0.9, 300 steps), and count the units that are 0 at all 64
# points. **Predict before you run:** how many of the 100 units are dead at rate 0, that is before any training? The
# weights $w_i$ and $b_i$ are drawn evenly from $-1$ to $1$.

# %% tags=["answer"]
dead_at_the_start = None

# %%
points = np.linspace(-1, 1, 64)[:, None]
wave = np.sin(4 * points)


def fit(activation, lr):
    """The loss after 300 steps, the inputs of the activation (64, 100), and f at the points."""
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 100, dtype="f8"), activation, nn.Linear(100, 1, dtype="f8"))
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for _ in range(300):
        loss = F.mse_loss(model(mg.tensor(points)), mg.tensor(wave))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with mg.no_grad():
        return loss.item(), model[0](mg.tensor(points)).data, model(mg.tensor(points)).data


rates = (0.0, 0.01, 0.05, 0.3, 0.5)
relu_fits = {lr: fit(nn.ReLU(), lr) for lr in rates}
check.dead_at_the_start(dead_at_the_start, np.sum((relu_fits[0.0][1] <= 0).all(axis=0)))
print("rate   loss    dead units of 100")
for lr, (loss, z, _) in relu_fits.items():
    print(f"{lr:4.2f}  {loss:6.4f}  {np.sum((z <= 0).all(axis=0)):4d}")
print(f"loss of a constant, the wave's variance: {wave.var():.4f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.2), sharey=True)
for ax, lr, words in zip(axes, (0.05, 0.5), ("it fits", "every unit is dead"), strict=True):
    ax.plot(points, wave, color=BLACK, linestyle=":", linewidth=2, label="the wave")
    ax.plot(points, fit(nn.ReLU(), lr)[2], color=BLUE, linewidth=2, label="the network")
    ax.set(xlabel="x", ylim=(-1.2, 1.6), title=f"Learning rate {lr}: {words}")
axes[0].set_ylabel("f(x)")
axes[0].legend(loc="upper left", ncols=2)
plt.show()

# %% [markdown]
# Three things to see.
#
# - A quarter of the units was dead *before the first step* (rate 0): with one input, many hinges lie outside
#   of $[-1, 1]$ and look away from it. That costs some units and no harm is done.
# - A rate that is too large kills the rest. One big step moves many hinges out of the data at once, and
#   nothing brings them back.
# - The dead network's loss is finite and does not move: what is left is the bias $c$, a constant. On a
#   classification task the loss is $-\ln$ of the probability given to the right class; a dead network gives all
#   classes about the same, and the loss stays at $\ln(\text{number of classes})$.
#
# **A question.** You train a ReLU network on ten classes. In the first twenty steps the loss jumps to 40; then it is 2.303
# and does not move any more. What is the likeliest? (a) The rate is too small. (b) All units of a layer are dead. (c) The
# units are saturated at their upper end. (d) The labels are in a wrong order.

# %% tags=["answer"]
stuck_at_ln_10 = None

# %%
check.stuck_at_ln_10(stuck_at_ln_10)

# %% [markdown]
# ## Exercise 3: find dead maps
#
# In a convolutional network the units of one map share their weights. So a map is dead only if it is 0 at
# **all** places of **all** images. Write the test. It belongs in every training log.


# %% tags=["exercise"]
def dead_maps(y):
    """y (N, C, H, W), the output of a ReLU for a batch -> (C,) bool: which maps are dead?"""
    raise NotImplementedError


# %%
check.dead_maps(dead_maps)

# %% [markdown]
# ## The paper's precaution: biases of 1
#
# Section 5 starts the biases of layers 2, 4, 5 and of the fully connected hidden layers at 1, "by providing
# the ReLUs with positive inputs" to accelerate "the early stages of learning". How much does that do? A unit
# of layer 2 sums 48 maps × 5×5 taps. Take weights from $N(0, 0.01^2)$, and two kinds of inputs
# that are themselves behind a ReLU: noise of size 1, and layer 1's output for our raw patterns (`raw` above,
# through ReLU, the normalisation LRN of notebook 7, and pooling):

# %%
rng = np.random.default_rng(2)
inputs = np.maximum(rng.standard_normal((2000, 48 * 5 * 5)), 0)
from_noise = inputs @ rng.normal(0, 0.01, (48 * 5 * 5, 128))
layer1 = F.max_pool2d(F.lrn(F.relu(mg.tensor(raw)), n=5, k=2.0, alpha=1e-4, beta=0.75), 3, 2)
kernels = mg.tensor(rng.normal(0, 0.01, (128, 48, 5, 5)))
from_raw = F.conv2d(layer1[:, :48], kernels, padding=2).data

print("                sd of the sums   outputs of 0: bias 0   bias 1")
for name, sums in (("noise of size 1", from_noise), ("raw patterns", from_raw)):
    off = [f"{np.mean(sums + bias <= 0):9.1%}" for bias in (0, 1)]
    print(f"{name:15s} {sums.std():14.2f} {off[0]:>22s}{off[1]}")

# %% [markdown]
# With inputs of size 1 and a bias of 1 practically no unit is off at the start, and every gradient passes. But look
# at the other side of it: a ReLU that never cuts is a straight line, so this layer is linear at the start, and its
# output is a constant 1 with a small part that depends on the image. Notebook 12 shows what this costs on a small
# data set. Raw pixels give layer 2 larger sums: a good part of its units is off with the bias, too, and the layer
# is not linear.
#
# ## A leak
#
# Another way to keep units alive is to leave a slope on the negative side:
#
# $$y = \begin{cases} x & x > 0 \\ a\,x & x \le 0 \end{cases}$$
#
# With a fixed $a$ this is the **leaky ReLU** (Maas, Hannun and Ng 2013, with $a = 0.01$). If $a$ is learned, one
# for each
# map, it is the **PReLU** (He, Zhang, Ren and Sun 2015, who start it at 0.25). Both came after AlexNet.
#
# **Predict before you run:** does a leak with $a = 0.1$ save the network from the rate of 0.5, at which every ReLU died?
# (a) Yes, it fits. (b) It ends at the same loss as with dead units. (c) Its loss becomes infinite or not a number.

# %% tags=["answer"]
leak_at_large_rate = None

# %%
for lr in (0.05, 0.3, 0.5):
    loss, _, _ = fit(nn.LeakyReLU(0.1), lr)
    print(f"rate {lr:4.2f}  loss {loss:6.4f}")
check.leak_at_large_rate(leak_at_large_rate)

# %% [markdown]
# No. At the rate that killed the ReLUs the leaky network *explodes*: its loss is not a number. Death was the
# brake. A ReLU that is thrown out of the data stops pushing, a leaky one is thrown further in the next step.
# The leak heals the flat side, not the rate; many dead units tell you first of all that the rate is too
# large.
#
# ## Exercise 4: PReLU backward
#
# `weight` holds the slope $a_c$ of each map $c$. Two gradients come back. For the input it is as before, with
# $a_c$ in place of 0. For the slope, $\partial y / \partial a_c = x$ where $x \le 0$, else 0. One $a_c$ acts on
# all places of map $c$ in all images, so its gradient is a sum over all of them:
#
# $$\frac{\partial L}{\partial a_c} = \sum_{n,\,i,\,j \,:\; x_{n,c,i,j} \le 0} g_{n,c,i,j}\; x_{n,c,i,j}$$
#
# Here the output is not enough: with $a_c < 0$ the output is positive on both sides. So $x$ is kept.


# %% tags=["exercise"]
def prelu_backward(grad, x, weight):
    """grad, x (N, C, H, W), weight (C,) -> (dx, dweight), of the shapes of x and weight."""
    raise NotImplementedError


# %%
check.prelu_backward(prelu_backward)

# %% [markdown]
# The library's layer, through the gradient check:

# %%
rng = np.random.default_rng(3)
x = mg.tensor(rng.standard_normal((2, 3, 4, 4)), requires_grad=True)
slopes = mg.tensor(np.array([0.25, 0.0, -0.5]), requires_grad=True)
print(mg.gradcheck(F.prelu, [x, slopes]))

# %% [markdown]
# ## What a ReLU takes from the signal
#
# If $x$ is symmetric about 0, ReLU sets half of it to 0, so that
# $\mathrm{E}[y^2] = \tfrac12 \mathrm{E}[x^2]$. With a leak of $a$ it is $\tfrac12 (1 + a^2)$. A layer of fan-in
# $n$ (each
# unit sums $n$ products) therefore keeps the mean square of the signal if its weights have the standard deviation
#
# $$\frac{1}{\sqrt{n}} \sqrt{\frac{2}{1 + a^2}} .$$
#
# This is He's initialisation; the second root is the *gain* (`nn.init.calculate_gain`). Twenty layers of
# 256 ReLUs with three sizes of weights:

# %%
gains = {
    "gain 1": (1.0, "--", ORANGE),
    "gain √2 (He)": (nn.init.calculate_gain("relu"), "-", BLUE),
    "gain 2": (2.0, "-.", RED),
}
for name, (gain, line, colour) in gains.items():
    rng = np.random.default_rng(4)
    y = rng.standard_normal((100, 256))
    sizes = [1.0]
    for _ in range(20):
        y = kernel.relu_forward(y @ rng.normal(0, gain / np.sqrt(256), (256, 256)))
        sizes.append(np.sqrt((y**2).mean()))
    plt.semilogy(sizes, line, color=colour, label=name, linewidth=2)
plt.xticks(range(0, 21, 5))
plt.xlabel("layer")
plt.ylabel("rms of its output")
plt.title("Each layer multiplies the signal by gain / √2")
plt.legend()
plt.show()

# %% [markdown]
# ## Figure 1, replayed
#
# Figure 1 of the paper shows a four-layer convolutional network on CIFAR-10: with ReLU it
# gets to a training error (the share of training images that get a wrong class) of 25% **six times faster** than
# with tanh. The caption adds that the learning rates "were chosen independently to make training as fast as
# possible", that there was no regularisation (weight decay, for one), and that the size of the effect "varies with
# network architecture", "but networks with ReLUs consistently learn several times faster".
#
# We do the same on a small scale. What differs from the paper:
#
# - the data: 768 drawn patterns of 24×24 pixels in six classes.
#   [CIFAR-10](https://www.cs.toronto.edu/~kriz/cifar.html) has 50,000 photographs of 32×32 for training, in ten.
#   So the *numbers of epochs* (passes through all training images) cannot be compared with the paper's, only
#   their ratio;
# - the network: the caption says no more than "four-layer". Ours has three convolutions with 12, 16 and 24
#   maps, each followed by 2×2 pooling, and one fully connected layer;
# - the rates: chosen from three, each twice the one before;
# - the error is counted while training, on each batch (the 32 images of one step) before its step.

# %%
NAMES = ("checks", "dots", "grid", "rings", "stripes", "triangles")
labels = np.arange(768) % len(NAMES)


def small_pattern(index):
    """Pattern `index` (24, 24, 3), uint8: drawn at twice the size, then halved."""
    rng = np.random.default_rng([5, labels[index], index])
    return np.asarray(Image.fromarray(patterns.draw(NAMES[labels[index]], rng, 48)).reduce(2))


drawn = np.stack([small_pattern(i) for i in range(len(labels))])
mean_image = drawn.mean(axis=0)
small_pixels = (drawn - mean_image).transpose(0, 3, 1, 2).astype("f4")

fig, axes = plt.subplots(1, 6, figsize=(8.5, 1.8))
for ax, image, name in zip(axes, drawn, NAMES, strict=False):
    ax.imshow(image)
    ax.set_title(name, fontsize=10)
    ax.set_axis_off()
plt.show()
print(f"standard deviation of the pixels: {small_pixels.std():.0f}")

# %% [markdown]
# Two things the caption does not say: **how large the pixels were, and how the weights began**. So we run the race
# twice, and change both.
#
# - *2012*: pixels from 0 to 255 less the mean image; weights from normal distributions with the standard
#   deviations 0.0001, 0.01, 0.01 and 0.1, layer by layer. These are the numbers of Caffe's example
#   `cifar10_quick`, which has one layer more. We do not know
#   that figure 1 began like this.
# - *fitted*: pixels divided by 64, about their standard deviation; weights with the standard deviation gain /
#   √fan-in, as above, with gain √2 in front of a ReLU and 1 elsewhere. That is what one does today.
#
# Biases begin at 0; momentum 0.9. `seed` decides on the weights and on the order of the images.

# %%
WEIGHTS_2012 = (0.0001, 0.01, 0.01, 0.1)


def four_layers(activation, start, seed):
    """The network with its first weights."""
    mg.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 12, 5, padding=2), activation(), nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 5, padding=2), activation(), nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1), activation(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(24 * 3 * 3, len(NAMES)),
    )  # fmt: skip
    layers = [layer for layer in model if hasattr(layer, "weight")]
    for number, layer in enumerate(layers):
        gain = np.sqrt(2) if activation is nn.ReLU and number < 3 else 1.0
        fitted = gain / np.sqrt(np.prod(layer.weight.shape[1:]))
        nn.init.normal_(layer.weight, std=WEIGHTS_2012[number] if start == "2012" else fitted)
        nn.init.zeros_(layer.bias)
    return model


def race(activation, start, lr, seed=0, most=40):
    """Training errors, an epoch each, up to the first of at most 25%, and the mean slope of the
    first layer's activation before and after."""
    x = small_pixels if start == "2012" else small_pixels / 64
    model = four_layers(activation, start, seed)
    slopes = [mean_slope(model, x)]
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    rng = np.random.default_rng(seed)
    errors = []
    while len(errors) < most and (not errors or errors[-1] > 0.25):
        wrong = 0
        for batch in rng.permutation(len(x)).reshape(-1, 32):
            logits = model(mg.tensor(x[batch]))
            wrong += np.sum(logits.data.argmax(axis=1) != labels[batch])
            optimizer.zero_grad()
            F.cross_entropy(logits, mg.tensor(labels[batch])).backward()
            optimizer.step()
        errors.append(wrong / len(x))
    return errors, [*slopes, mean_slope(model, x)]


def mean_slope(model, x):
    """Mean slope of the first activation over 96 images."""
    z = mg.tensor(model[0](mg.tensor(x[:96])).data, requires_grad=True)
    model[1](z).sum().backward()
    return z.grad.data.mean()


# %% [markdown]
# The comments name the rates that were tried when this notebook was written. Put others in their place and run the
# cell again.

# %%
rates = {
    ("2012", nn.ReLU): 0.001,  # of 0.0005, 0.001, 0.002
    ("2012", nn.Tanh): 0.006,  # of 0.003, 0.006, 0.012
    ("fitted", nn.ReLU): 0.005,  # of 0.0025, 0.005, 0.01
    ("fitted", nn.Tanh): 0.02,  # of 0.01, 0.02, 0.04
}
LOOKS = {
    nn.ReLU: ("ReLU", BLUE, "-"),
    nn.Tanh: ("tanh", ORANGE, "--"),
    nn.Sigmoid: ("sigmoid", GREEN, "-."),  # not in `rates` above
}
results = {(start, act): race(act, start, lr) for (start, act), lr in rates.items()}


def epochs_to_25(start):
    """{activation: its epochs to an error of 25%, infinity if it did not get there}."""
    return {
        act: len(errors) if errors[-1] <= 0.25 else math.inf
        for (began, act), (errors, _) in results.items()
        if began == start
    }


def who_is_first(epochs):
    least = min(epochs.values())
    first = [LOOKS[act][0] for act in epochs if epochs[act] == least]
    if least == math.inf:
        return "nobody arrives"
    return f"{first[0]} is first" if len(first) == 1 else "a tie"


fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.6), sharey=True)
for ax, start in zip(axes, ("2012", "fitted"), strict=True):
    epochs = epochs_to_25(start)
    for act, count in epochs.items():
        (name, colour, line), (errors, _) = LOOKS[act], results[start, act]
        words = f"not in {len(errors)} epochs" if count == math.inf else f"{count} epochs"
        ax.plot(
            range(1, len(errors) + 1), np.multiply(errors, 100), line, color=colour, linewidth=2,
            marker="o", markersize=3, label=f"{name}: {words}",
        )  # fmt: skip
    ax.axhline(25, color=BLACK, linewidth=1, linestyle=":")
    ax.set(xlabel="epoch", xlim=(0, 41), ylim=(0, 90))
    ax.set_title(f"Start {start}: {who_is_first(epochs)}")
    ax.legend()
axes[0].set_ylabel("training error (%)")
plt.show()

# %% [markdown]
# The numbers of epochs stand in the picture only. A sum that is rounded in another order, on another
# processor, can move them: a small difference can grow from step to step. (So a comparison of two runs should be
# taken over several seeds.) What does not move is whether ReLU is far ahead, and what has become of the slopes of
# the first layer:

# %%
for start in ("2012", "fitted"):
    epochs = epochs_to_25(start)
    for act, count in epochs.items():
        if act is not nn.ReLU:
            ahead = count / epochs[nn.ReLU] > 1.5
            print(f"{start}: {LOOKS[act][0]} needs more than 1.5 times the epochs of ReLU: {ahead}")
    for act in epochs:
        before, after = results[start, act][1]
        part = (
            "most" if after > 0.5 * before else "under a tenth" if after < 0.1 * before else "some"
        )
        print(
            f"    {LOOKS[act][0]}: mean slope in layer 1 {before:.1f}, {part} of it left at the end"
        )

# %% [markdown]
# From the old start the *direction* of figure 1 comes back: tanh needs clearly more epochs (see the picture). A
# likely reason stands below the picture. Raw pixels are large, so the gradients of the first layer's weights
# are large, the weights grow, and soon its units are switches: their mean slope falls from 1 to almost
# nothing. ReLU's is still there.
#
# From the fitted start ReLU's lead is gone: tanh keeps most of its slope, its outputs are centred on 0, and in
# the picture it is first. (With other seeds it was first or it was a tie.) So the size of the effect depends on
# the network, the start and the data; here even its sign does.
#
# Which does it, the pixels or the weights? We changed both at once. Try the two mixtures: make the first line of
# `race` `x = small_pixels / 64`, or `x = small_pixels`, for both starts, and look for rates. With the
# weights of 2012 and pixels / 64, tanh arrived, and ReLU did at no rate that we tried. So each of them wants
# inputs and weights that fit it. How to fit them for ReLU was published in 2015 (He and others).
#
# A warning about our own result, too: one small network and easy images.
#
# ## Your code is the network
#
# The next cell puts your three backwards in the place of minigrad's.

# %%
yours.plug("06_relu", globals())

# %% [markdown]
# ## What to remember
#
# - Saturation depends on the scale of the input. ReLU has none on its positive side: a larger input gives
#   a larger output and the same slope.
# - Backward of ReLU and tanh needs the output only; PReLU needs the input, and sums its slope's gradient
#   over all places of all images.
# - A unit is dead if it is 0 for every image. The usual cause is a rate that is too large; with the leak
#   of our example (0.1) the same rate exploded.
# - "Six times faster" (figure 1) depends on the start: the scale of the pixels and of the first weights. (We
#   changed both at once.)
#
# ## Further
#
# No check, only for you. Run the race with `nn.Sigmoid` (two more lines in `rates`; begin with four times the rates of
# tanh), and with other seeds. You should see it come last or not arrive: its largest slope is 1/4, so each layer takes at
# least three quarters of the gradient. Which of your results survive three seeds?
#
# [Solutions](solutions/06_relu.ipynb). Next: [notebook 7](07_lrn.ipynb), local response normalisation.
