# %% [markdown]
# # 19. After 2012
#
# **At the end you will know** what the four years after AlexNet changed, and why: small filters, 1×1 filters, batch
# normalisation, and connections around layers; how a network that was trained for one thing serves another; and how
# to find out what a layer is worth. You will have written batch normalisation, forward and backward.
#
# About an hour: 40 minutes to read and run, 20 for the exercises. You need notebooks 11 (the network) and 14 (looking
# inside); notebook 7 (LRN) helps.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import alexnet_scratch
import minigrad as mg
from alexnet_course import n19_after_2012 as check
from alexnet_course import photographs, small_run
from alexnet_course.figures import draw_filters, draw_neighbours
from alexnet_course.style import BLUE, ORANGE, as_jpeg, use_style
from alexnet_scratch import inside
from alexnet_scratch.recipe import NETWORKS, RECIPES, build_model
from minigrad import nn, optim
from minigrad.tools.summary import summary

use_style()

# %% [markdown]
# ## Four years
#
# The networks below are in `alexnet_scratch/zoo/`, a short file each, and `alexnet train --model NAME` trains them.
# We count two things: how many weights a network keeps, and how many multiply-adds one image takes.

# %%
YEARS = {"lenet5": 1998, "paper": 2012, "zfnet": 2013, "vgg16": 2014, "googlenet": 2014, "resnet18": 2015}
counted = {}
for name, year in YEARS.items():
    recipe = RECIPES[name] if name in RECIPES else NETWORKS[name]
    size = recipe.input_size
    table = summary(build_model(recipe, 10 if name == "lenet5" else 1000), (3, size, size))
    counted[name] = table.parameters, table.macs
    print(f"{year}  {recipe.title:18} {table.parameters:12,} weights {table.macs / 1e6:10,.1f} M multiply-adds")

# %% [markdown]
# From 2012 to 2015 the best top-5 error of the contest, without images from outside it, fell from 16.4% to 11.7, 6.7
# and 3.6% (Russakovsky and others 2015; He and others 2015; each is several networks averaged; with more images
# AlexNet's was 15.3%). Four ideas did most of it:
#
# - **2013, look inside.** Zeiler and Fergus drew what the first layers see, found dead filters in the first and
#   aliasing from its stride in the second, and took 7×7 filters with stride 2 in place of 11×11 with stride 4.
# - **2014, small filters and depth.** VGG-16 and VGG-19 have 3×3 filters only, in 16 and 19 layers with weights.
# - **2014, few weights.** GoogLeNet puts 1×1 filters before the larger ones, so that these see fewer maps, and ends
#   with the mean of each map in place of fc6 and fc7: a ninth of AlexNet's weights (its paper says a twelfth).
# - **2015, connections around layers.** A ResNet's block adds to its input: $y = x + f(x)$. Then 152 layers train.
#   It is often said that this was for vanishing gradients. The paper says that its *plain* deep networks, with
#   batch normalisation (below), had gradients of healthy size, and that the deeper one had the higher *training*
#   error all the same (section 4.1): the trouble was optimisation, and it leaves the reason open.
#
# And LRN went: GoogLeNet still has two, VGG's authors measured that one did not help (their table 3, A-LRN), and a
# ResNet has batch normalisation instead.
#
# ## Three small filters for one large
#
# Two 3×3 convolutions in a row see 5×5 pixels, three see 7×7. **A question:** with $C$ maps everywhere, what share of
# the weights of one 7×7 layer do three 3×3 layers have? (A number, such as 0.8; without biases.)

# %% tags=["answer"]
share_of_weights = None

# %%
check.share_of_weights(share_of_weights)

# %% [markdown]
# And they have three ReLUs in place of one. That is VGG's argument (section 2.3). The other side of it stands in the
# table above: VGG-16 takes twenty times the arithmetic of AlexNet, for its filters move by 1 pixel over large maps.
#
# ## Batch normalisation
#
# LRN divides a value by what its neighbours *in the same image* do. Batch normalisation (Ioffe and Szegedy 2015)
# looks at one unit over the *whole batch*: it takes off the mean and divides by the deviation, so that each unit has
# mean 0 and variance 1, whatever the layers before it do. Then it gives back what the network may need, a scale
# $\gamma$ and a shift $\beta$, which are learnt:
#
# $$\mu = \frac1N \sum_n x_n, \quad \sigma^2 = \frac1N \sum_n (x_n - \mu)^2, \quad
# \hat x_n = \frac{x_n - \mu}{\sqrt{\sigma^2 + \epsilon}}, \quad y_n = \gamma \hat x_n + \beta .$$
#
# In a convolution $n$ runs over images *and* places: each map has one $\mu$. At test time there is no batch: running
# means of $\mu$ and $\sigma^2$ from training stand in.
#
# ## Exercise 1: forward


# %% tags=["exercise"]
def batch_norm(x, gamma, beta, eps):
    """x (N, units), gamma, beta (units,) -> y (N, units): each unit normalised over the batch."""
    raise NotImplementedError


# %%
check.batch_norm(batch_norm)

# %% [markdown]
# ## Exercise 2: backward
#
# An $x_m$ moves $y_n$ by three ways: directly, through $\mu$, and through $\sigma$. Let $g_n = \gamma\,
# \partial L / \partial y_n$ be the gradient of $\hat x_n$. Adding up the three ways (do it once on paper) gives
#
# $$\frac{\partial L}{\partial x_n} = \frac{1}{\sqrt{\sigma^2 + \epsilon}} \Big( g_n - \frac1N \sum_m g_m
# - \hat x_n \, \frac1N \sum_m g_m \hat x_m \Big).$$
#
# Read it: from the gradient its mean is taken away, and its part along $\hat x$. Its two sums are also the gradients of
# $\beta$ and $\gamma$, up to the factor $\gamma$ that is in $g$: those are $\sum_n \partial L / \partial y_n$ and
# $\sum_n \hat x_n\, \partial L / \partial y_n$.


# %% tags=["exercise"]
def batch_norm_backward(grad, x, gamma, eps):
    """grad, x (N, units), gamma (units,) -> dx (N, units), dgamma (units,), dbeta (units,)."""
    raise NotImplementedError


# %%
check.batch_norm_backward(batch_norm_backward)

# %% [markdown]
# **Predict before you run:** the loss is `y.sum()`, so `grad` is 1 everywhere, and gamma is 1. How large is the largest
# element of `dx`? (A number.)

# %% tags=["answer"]
largest_slope = None

# %%
x = mg.tensor(np.random.default_rng(0).standard_normal((8, 3)), requires_grad=True)
layer = nn.BatchNorm1d(3).double()
layer(x).sum().backward()
check.largest_slope(largest_slope, round(float(abs(x.grad.numpy()).max()), 6))

# %% [markdown]
# (It is why notebook 8 says that ones are blind.)
#
# ## A network for something else
#
# The network that comes with the package has learnt ten things from 9,469 photographs. What is that worth for
# *another* question, of which there are only 200 images? Here is one that needs nothing but the course's ten
# photographs: squares are cut from the left half of each; from a square of the *right* half, say which photograph it
# is of. To make it hard, colours are taken away and the light of each square is changed at random. With photographs
# of your own, one in a folder for each class, set `DATA`.

# %%
DATA = None  # or a folder with a folder for each class, of which the first photograph is taken
EACH = 20  # squares of a photograph, and of each half


def squares(images, rng):
    """EACH squares of each image (H, W, 3), grey, in random light: (N, 128, 128, 3) bytes, labels."""
    cut = []
    for image in images:
        grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
        for _ in range(EACH):
            side = rng.integers(90, min(150, *grey.shape[:2]) + 1)
            top, left = (rng.integers(0, length - side + 1) for length in grey.shape[:2])
            square = grey[top : top + side, left : left + side]
            light = (square - square.mean()) / (square.std() + 5)
            light = rng.uniform(25, 50) * light + rng.uniform(100, 150)
            cut.append(Image.fromarray(light.clip(0, 255).astype(np.uint8)).resize((128, 128)))
    return np.stack([np.asarray(one) for one in cut]), np.arange(len(cut)) // EACH


def halves():
    """The left and the right halves of the photographs."""
    if DATA is None:
        whole = [photographs.photograph(name) for name in photographs.NAMES]
    else:
        images = sorted(p for p in Path(DATA).glob("*/*.*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
        files = {file.parent: file for file in reversed(images)}  # the first of each folder
        files = [files[folder] for folder in sorted(files)]
        whole = [np.asarray(Image.open(file).convert("RGB").resize((320, 320))) for file in files]
    return [w[:, : w.shape[1] // 2] for w in whole], [w[:, w.shape[1] // 2 :] for w in whole]


rng = np.random.default_rng(19)
(train, train_labels), (test, test_labels) = (squares(half, rng) for half in halves())
boxed = alexnet_scratch.load("boxed")
x_train, x_test = boxed.preprocess(train), boxed.preprocess(test)
count = int(train_labels.max()) + 1

# %% [markdown]
# First without any training. For each square of a right half, which square of a left half is nearest: by pixels, by
# the layers of a network with random weights, by those of the trained one?


# %%
def fresh(seed):
    """The same network, with random weights (He) and `count` classes."""
    mg.manual_seed(seed)
    network = build_model(boxed.recipe, count)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    network.eval()
    return network


def agree(collection, queries):
    found = inside.nearest(collection, queries, 1)[:, 0]
    return (train_labels[found] == test_labels).mean()


by_pixels = agree(train.reshape(len(train), -1), test.reshape(len(test), -1))
layers = ["relu1", "relu3", "relu5", "relu6", "relu7"]
for network, name, colour in ((boxed.model, "trained", BLUE), (fresh(0), "random", ORANGE)):
    values = [
        agree(*(inside.features(network, x, layer) for x in (x_train, x_test))) for layer in layers
    ]
    plt.plot(layers, 100 * np.array(values), "o-", color=colour, label=f"{name} weights")
    print(f"relu5, {name} weights: above 50 %:", values[2] > 0.5)
plt.axhline(100 * by_pixels, color="0.5", ls="--", label="pixels")
plt.axhline(100 / count, color="0.5", ls=":", label="chance")
plt.ylabel("nearest is of the same photograph (%)")
plt.title("What was learnt on ten things serves for others")
plt.legend()
plt.show()
shown = [1, 9, 2, 8] if DATA is None else range(min(count, 4))  # bricks, rocket, cat, photographer
queries = [EACH * photograph for photograph in shown]  # the first square of each
features = [inside.features(boxed.model, x, "relu6") for x in (x_train, x_test)]
nearest = inside.nearest(features[0], features[1][queries], 6)
as_jpeg(draw_neighbours(test[queries], [train[row] for row in nearest]))

# %% [markdown]
# Even random convolutions are better than pixels: they do not mind where in the square something is. The trained ones
# are better again. None of the photographs shows what the network was trained on.
#
# The rows are a square of the bricks, the rocket, the cat and the photographer, each with the six squares of left
# halves that are nearest to it in `relu6`. What looks alike in both halves is found: nearly all squares of the bricks
# and the rocket. The cat's are found now and then. Of the photographer's right half, a tripod on a lawn, his left half
# shows nothing, and hardly any of his squares is matched.
#
# ## Fine-tuning
#
# Now train: 200 squares, 40 steps, twice. Once from random weights; once from the trained ones, with a new fc8 and
# everything else as it was. The second is called **fine-tuning**. At the command line it is
# `alexnet train photos --init-from boxed`, and with `--freeze conv` the convolutions stay as they are.

# %%
def copied(seed):
    """The trained network with a new last layer."""
    network = fresh(seed)
    state = {k: v for k, v in boxed.model.state_dict().items() if not k.startswith("fc8.")}
    network.load_state_dict(state, strict=False)
    nn.init.normal_(network.fc8.weight, 0, 0.01)
    return network


def trained_on_squares(network, seed, steps=40):
    """Train it on the left halves; the share of right halves' squares that it names."""
    rng = np.random.default_rng(seed)
    optimizer = optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()
    network.train()
    for _ in range(steps):
        batch = rng.integers(0, len(train_labels), 20)
        loss = loss_of(network(mg.tensor(x_train.data[batch])), mg.tensor(train_labels[batch]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    named = inside.probabilities(network, x_test).argmax(axis=1)
    return (named == test_labels).mean()


tuned = trained_on_squares(copied(1), 1)
scratch = trained_on_squares(fresh(1), 1)
print("fine-tuned names at least 15 squares of a hundred more:", tuned > scratch + 0.15)

# %% [markdown]
# That is one run each, on a made-up question. The measured case: ten classes of Tiny ImageNet with 50 photographs
# each, three seeds, 66.1% fine-tuned from this network and 50.4% from scratch after 240 steps (`docs/transfer.md`
# in the repository says how, and that the lead is smaller after twice as many). If you have
# few photographs, do not begin from nothing.
#
# This is how the networks of 2012 and after came to serve elsewhere. R-CNN (Girshick and others 2014) fine-tuned
# AlexNet to *detect* objects and raised the best precision on VOC 2012 by more than 30%, to 53.3%. In *medicine*,
# Esteva and others (2017) fine-tuned an Inception network on 129,450 clinical images of skin, and it told cancers from
# harmless spots as well as dermatologists did.
#
# If you have weights of the large network, 1,000 classes, put their file here (torchvision's
# `alexnet-owt-7be5be79.pth`, Caffe's `bvlc_alexnet`, any that `alexnet import` takes). Compare its filters with the
# paper's figure 3.

# %%
WEIGHTS = None  # or such as "alexnet-owt-7be5be79.pth"
if WEIGHTS:
    from alexnet_scratch.cli import main

    main(["import", WEIGHTS, "imported"])
    large = alexnet_scratch.load("imported")
    as_jpeg(draw_filters(inside.first_filters(large.model)[1][0]))
    for name in photographs.NAMES:
        p = large.predict(photographs.path(name))[0]
        best = large.classes[p.argmax()]
        print(f"{name:14} {large.names.get(best, best).split(',')[0]:20} {p.max():4.0%}")

# %% [markdown]
# ## What is a layer worth?
#
# The paper says (section 7) that removing any middle layer costs about 2 points, "so the depth really is important
# for achieving our results". Such a claim can be tried. Below is a network of AlexNet's kind, five convolutions and
# three fully connected layers, narrow, for patterns of 32 pixels. **Choose** what to leave out, and write down what
# you expect of it, before you run: (a) it gets worse by more than the seeds differ; (b) no difference that the seeds do not make,
# too; (c) it gets better by more than the seeds differ.

# %%
LEFT_OUT = None  # one of "LRN", "overlap", "conv3", "conv4", "fc7", or two: "conv3 conv4"

# %% tags=["answer"]
expected = None


# %%
def small_alexnet(left_out, seed):
    """Five convolutions and three fully connected layers for 32 pixels, less what is left out."""
    left_out = left_out.split()
    unknown = set(left_out) - {"LRN", "overlap", "conv3", "conv4", "fc7"}
    assert not unknown, f"LEFT_OUT: there is no {', '.join(unknown)} to leave out here"
    mg.manual_seed(seed)
    parts, maps = [], 3
    for name, width, size, stride in (
        ("conv1", 16, 5, 2), ("conv2", 24, 5, 1), ("conv3", 32, 3, 1), ("conv4", 32, 3, 1),
        ("conv5", 24, 3, 1),
    ):  # fmt: skip
        if name not in left_out:
            parts += [nn.Conv2d(maps, width, size, stride, size // 2), nn.ReLU()]
            maps = width
        if name in ("conv1", "conv2"):
            parts += [] if "LRN" in left_out else [nn.LocalResponseNorm(5, alpha=0.01)]
        if name in ("conv1", "conv2", "conv5"):
            parts += [nn.MaxPool2d(2, 2) if "overlap" in left_out else nn.MaxPool2d(3, 2)]
    parts, units = [*parts, nn.Flatten()], maps * (4 if "overlap" in left_out else 1)  # 2x2 or one
    for name in ("fc6", "fc7"):
        if name not in left_out:
            parts += [nn.Linear(units, 64), nn.ReLU()]
            units = 64
    network = nn.Sequential(*parts, nn.Linear(units, 10))
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            nn.init.zeros_(module.bias)
    return network


def shrunk(images):
    """128 pixels to 32, the mean of each 4 x 4; as the network gets them."""
    small = images.reshape(len(images), 32, 4, 32, 4, 3).mean(axis=(2, 4))
    return ((small - 127.5) / 64).transpose(0, 3, 1, 2).astype(np.float32)


def right(left_out, seed, epochs=12, batch=40, lr=0.02):
    """Train on 2,000 patterns; the share of 300 new ones that are named right, in percent."""
    network, rng = small_alexnet(left_out, seed), np.random.default_rng(seed)
    optimizer = optim.SGD(network.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    loss_of, steps = nn.CrossEntropyLoss(), epochs * len(patterns_x) // batch
    for step in range(steps):
        for group in optimizer.param_groups:  # warm-up, then a cosine
            group["lr"] = lr * min(1, (step + 1) / 50) * (1 + np.cos(np.pi * step / steps)) / 2
        chosen = rng.integers(0, len(patterns_x), batch)
        loss = loss_of(network(mg.tensor(patterns_x[chosen])), mg.tensor(patterns_y[chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with mg.no_grad():
        return 100 * (network(mg.tensor(new_x)).numpy().argmax(axis=1) == new_y).mean()


small = small_run.trained()  # for its images
(patterns_x, patterns_y), (new_x, new_y) = (
    (shrunk(images), labels) for images, labels in (small.pictures("train", 200), small.pictures("val", 30))
)
SEEDS = range(3)
if LEFT_OUT is None:
    print("Choose LEFT_OUT above, say what you expect, and run these cells again (a minute).")
    check.expected(None)
else:
    found = [np.array([right(name, seed) for seed in SEEDS]) for name in ("", LEFT_OUT)]
    for place, values in enumerate(found):
        plt.plot(values, np.full(len(values), place), "o", color=(BLUE, ORANGE)[place], ms=9)
        plt.plot(values.mean(), place, "|", color="black", ms=22)
    plt.yticks(range(2), ["whole", f"without {LEFT_OUT}"])
    plt.ylim(-0.6, 1.6)
    plt.xlabel("new patterns named right (%): a dot is a seed, the stroke their mean")
    plt.show()
    check.expected(expected, check.outcome(*found))

# %% [markdown]
# Three seeds are few, patterns are not ImageNet, and a small network that has too little time may well be better with
# fewer layers. So a difference here says something about *this* network, on *these* images, trained *this* long. The
# paper's 2 points are of one run each. (Without the overlap fc6 reads four numbers of each map and not one, so that
# two things change at a time.) Whoever reports such a number without the spread of seeds has measured noise.
#
# ## What to remember
#
# - Small filters in a row see as far as a large one, with fewer weights and more ReLUs.
# - Batch normalisation takes the mean and the scale of each unit over the batch; so its gradient has neither a mean
#   nor a part along its output.
# - Blocks that add to their input train where as many plain layers no longer do: 152 on ImageNet.
# - What one network has learnt serves for other questions: begin from it.
# - Before you say what a layer is worth, change the seed.
#
# **Further**, without a check: put `nn.BatchNorm2d` in the place of LRN in `small_alexnet`, triple the rate, and see
# whether it learns sooner. Then add connections around conv3 to conv5 (they need the same number of maps), and make
# it twice as deep, with and without them.
#
# [Solutions](solutions/19_after_2012.ipynb). Next: [notebook 20](20_your_alexnet.ipynb), your AlexNet.
