# %% [markdown]
# # 14. Looking inside
#
# **At the end you will know** how to see what a first layer has learnt, even under the noise from which it began;
# what a unit of conv5 answers to; two ways to ask which pixels matter, how they are related, and a test that tells
# an explanation from a mere picture; why one compares images by fc7 and not by pixels; and what an average over ten
# crops can promise. These are the paper's figures 3 and 4, on a network that you train here.
#
# About 70 minutes: 45 to read, with the training run, and 25 for the exercises. You need notebook 1 (backward
# passes), notebook 11 (the layers) and notebook 12 (training).

# %%
import itertools
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import alexnet_scratch
import minigrad as mg
from alexnet_course import n14_inside as check
from alexnet_course import small_run
from alexnet_course.figures import draw_filters, draw_neighbours, draw_predictions, filter_grid
from alexnet_course.style import BLACK, BLUE, ORANGE, RED, SKY, as_jpeg, use_style
from alexnet_scratch import inside
from alexnet_scratch.data import ImageFolder, patterns
from alexnet_scratch.data.views import CENTRE, TEN_CROP, cut
from alexnet_scratch.evaluation import predict
from alexnet_scratch.pixels import ToInput
from alexnet_scratch.recipe import RECIPES, build_model
from alexnet_scratch.training.checkpoint import find_checkpoint, load_checkpoint
from alexnet_scratch.training.input import data_note, open_splits
from alexnet_scratch.training.trainer import Trainer
from minigrad import nn

use_style()

# %% [markdown]
# ## A trained network
#
# The next cell draws the patterns and trains the small AlexNet of notebook 12. It takes a minute or two.
# We keep a copy of the network as it was **before** training: `untrained`. Much of what follows is a comparison of
# the two.
#
# If you have a larger run (`make train` writes one to `runs/patterns-small`), set `RUN` to its folder. A checkpoint does not
# hold the weights from which the run began, but they follow from its seed, so they can be made again. What the
# text says below was seen with `RUN = None`.

# %%
RUN = None  # or a run on the patterns: "../runs/patterns-small"

with tempfile.TemporaryDirectory() as folder:
    if RUN is None:
        trainer = small_run.begin(Path(folder))
        data = Path(folder) / "patterns"
    else:
        checkpoint = load_checkpoint(find_checkpoint(RUN))
        data = patterns.ensure()
        splits = open_splits(data, checkpoint.recipe)
        trainer = Trainer(Path(folder), checkpoint.recipe, splits, data_note(data, splits))
    recipe, classes = trainer.recipe, trainer.splits.classes
    to_input = ToInput(recipe, trainer.pixels)
    start = {name: w.numpy().copy() for name, w in trainer.model.state_dict().items()}
    if RUN is None:
        for _ in small_run.epochs(trainer):
            pass
        model = trainer.model
    else:
        model = checkpoint.model()

    def pictures(split, count):
        """The first images of each class, (N, size, size, 3) bytes, and their labels."""
        files = ImageFolder(data / split, None, recipe.image_size)
        labels = np.array([label for _, label in files.samples])
        first = [np.flatnonzero(labels == c)[:count] for c in range(len(classes))]
        images, labels = zip(*(files[i] for i in np.concatenate(first)), strict=True)
        return np.stack(images), np.array(labels)

    gallery, gallery_labels = pictures("train", 60)
    images, labels = pictures("val", 30)

untrained = build_model(recipe, len(classes))
untrained.load_state_dict(start)
for network in (model, untrained):
    network.eval()
    network.requires_grad_(False)

# %% [markdown]
# `images` are 30 new images of each of the ten classes; the network has not seen them. `crops` is the middle of
# each, as large as the network's input, and `x` is what the network gets.

# %%
size = recipe.input_size
crops = np.ascontiguousarray(cut(images, CENTRE[0], size))
x = to_input(mg.tensor(crops))
named = inside.probabilities(model, x).argmax(axis=1)
print("images, crops, x:", images.shape, crops.shape, x.shape)
print("more than nine of ten new images are named right:", (named == labels).mean() > 0.9)

# %% [markdown]
# ## Figure 3: the filters of the first layer
#
# A filter of conv1 is an 11×11 picture in three colours, so it can be looked at. The paper's figure 3 shows edges
# in all directions, gratings, and blobs of colour. Here are ours, each stretched by itself around grey, which is a
# weight of 0:

# %%
start = untrained.conv1.weight.numpy()
trained = model.conv1.weight.numpy()
added = trained - start
towers = np.repeat([0, 1], len(start) // 2)  # the first half of the filters is the first tower's

fig, axes = plt.subplots(2, 3, figsize=(7.7, 4))
for column, (title, filters) in enumerate(
    (("At the start", start), ("After training", trained), ("What training added", added))
):
    for tower in (0, 1):
        ax = axes[tower, column]
        part = filters[towers == tower]
        ax.imshow(filter_grid(part, len(part) // 4))
        ax.set_title(f"{title}, tower {tower + 1}", fontsize=11)
        ax.set_axis_off()
as_jpeg(fig, dpi=100)

# %% [markdown]
# After training the filters still look like noise. One could think that the first layer has learnt nothing. But we
# kept the start: **the difference shows edges in all directions, and lines and blobs**. They lie under the noise.
# The filters of the paper have no such noise. Why?
#
# Because of weight decay and time. In each step a weight loses the share $\epsilon \cdot 0.0005$ of itself, where
# $\epsilon$ is the learning rate. Momentum repeats each push with the factors 0.9, 0.81, ..., in sum $1 / (1 - 0.9)
# = 10$ times. So of the start
#
# $$\prod_{\text{steps}} \left(1 - \frac{0.0005 \, \epsilon}{1 - 0.9}\right)$$
#
# is left, and what the gradients have added. The paper trained about 90 times on 1.2 million images in batches of
# 128 (section 5). When the rate of conv1 was lowered is in the log of the published code, which our recipe
# `source2012` replays.


# %%
def left_of_the_start(recipe, rates_and_steps):
    """The share of the first weights that weight decay leaves."""
    spent = sum(rate * steps for rate, steps in rates_and_steps)
    return np.exp(-recipe.weight_decay * spent / (1 - recipe.momentum))


steps = recipe.epochs * len(trainer.loader)
least = left_of_the_start(recipe, [(recipe.lr, steps)])  # the rate was never above recipe.lr
print(f"{recipe.name}: more than {least:.0%} of the start is left")

old = RECIPES["source2012"]
marks = (0, *old.conv1_drop_epochs, old.conv1_freeze_epoch)
phases = [
    (old.lr * 0.1**i, (end - begin) * 1.2e6 / 128)
    for i, (begin, end) in enumerate(itertools.pairwise(marks))
]
print(f"2012:   one part in {1 / left_of_the_start(old, phases):,.0f} is left")

# %% [markdown]
# So noise in the filters of a short run is not a sign of bad training. It is the start, which nobody has taken
# away. When you see noisy first-layer filters, subtract the start before you judge.
#
# Our patterns are no photographs. A narrow AlexNet that did learn from photographs, 9,469 of ten things, comes with
# the package: it is what `alexnet predict photo.jpg` asks. It has 24 filters in each tower:

# %%
boxed = alexnet_scratch.load("boxed")
steps = boxed.recipe.epochs * 9469 / boxed.recipe.batch_size
kept = left_of_the_start(boxed.recipe, [(boxed.recipe.lr / 2, steps)])  # a cosine's mean is a half
print(f"{boxed.recipe.name}: about {kept:.0%} of the start is left")
as_jpeg(draw_filters(boxed.model.conv1.weight.data), dpi=64)

# %% [markdown]
# Under the noise lie gratings, edges and plain colours, as in the paper's figure 3. Look for the work that the two
# towers share: are both as colourful?
#
# ## How colourful is a filter?
#
# The paper's figure 3 has a second message: the filters of one GPU are "largely color-agnostic", those of the other
# "largely color-specific". It happened in every run, only the two GPUs could change places (section 6.1). To look
# for it in our towers we need a number. A grey filter has the same weights for red, green and blue. Split each
# filter into its grey part $\bar w_{u,v} = \frac13 \sum_c w_{c,u,v}$ and the rest:
#
# $$\text{colour share}(w) = \frac{\sum_{c,u,v} (w_{c,u,v} - \bar w_{u,v})^2}{\sum_{c,u,v} w_{c,u,v}^2}$$
#
# It is 0 for a grey filter. For independent random weights it is about $2/3$: of three numbers, one is their mean,
# and two are how they differ from it.


# %%
def colour_share(filters):
    """(F, 3, kh, kw) -> (F,): 0 is grey, about 2/3 is chance."""
    grey = filters.mean(axis=1, keepdims=True)
    return ((filters - grey) ** 2).sum((1, 2, 3)) / (filters**2).sum((1, 2, 3))


print("start: within 0.02 of 2/3:", abs(colour_share(start).mean() - 2 / 3) < 0.02)
print("added: below 1/2:", colour_share(added).mean() < 1 / 2)

# %% [markdown]
# What was learnt is much closer to grey than chance. That fits the data: the classes differ by shape alone, and
# each image has two random colours. A filter that waits for *red* is of no use here.
#
# But look at the third picture above again. It is not grey: it is greenish and purple. Take all weights that
# training added as points $(R, G, B)$, and ask for the axis along which they spread most (as notebook 10 did with
# pixels):


# %%
def main_axis(points):
    """The direction in which points (..., 3) spread most around 0, of length 1."""
    points = points.reshape(-1, 3).astype(float)
    axis = np.linalg.eigh(points.T @ points)[1][:, -1]
    return axis * np.sign(axis.sum())


filters_axis = main_axis(added.transpose(0, 2, 3, 1))
contrasts = images - images.mean(axis=(1, 2), keepdims=True)  # of each image, its own mean colour
axes_of = {
    "grey": (np.ones(3), "0.75"),
    "luminance, 0.299 R + 0.587 G + 0.114 B": ([0.299, 0.587, 0.114], BLACK),
    "the pixels' main axis": (main_axis(contrasts), SKY),
    "main axis of what conv1 learnt": (filters_axis, ORANGE),
}
for n, (name, (axis, colour)) in enumerate(axes_of.items()):
    axis = np.array(axis) / np.linalg.norm(axis)
    plt.bar(np.arange(3) + 0.2 * (n - 1.5), axis, 0.18, color=colour, label=name)
    if name.startswith(("grey", "luminance")):
        print(f"{name.split(',')[0]}: agrees to 0.97 or better: {axis @ filters_axis > 0.97}")
plt.xticks(range(3), ["red", "green", "blue"])
plt.ylim(0, 1.45)
plt.ylabel("component")
plt.title("conv1 weighs the colours by how bright they are")
plt.legend(fontsize=9)
plt.show()

# %% [markdown]
# (Agreement is the cosine of the angle between the two.) The filters do not look at $R + G + B$. Mostly they look
# at the **luminance**, the mixture of television (ITU-R BT.601) and of Pillow's `convert("L")`. Nobody told them. But
# `alexnet_scratch/data/patterns.py` draws two random colours *whose luminances differ by at least 85*. That is the
# only rule about colour in the data. It turns the pixels' own main axis towards the luminance (light blue bars), and
# conv1 follows. First-layer filters tell you about the data at least as
# much as about the network.
#
# ## Do the towers specialise?
#
# We measure two things of what each filter learnt: its colour share, and how fine it is (the mean spatial frequency
# of its power spectrum, in cycles per pixel). Then we compare the towers' means. Any two halves differ a little.
# How much is a little? We split the same filters into two *random* halves, 5000 times:


# %%
def frequency(filters):
    """(F, 3, kh, kw) -> (F,): mean spatial frequency, cycles per pixel."""
    power = (np.abs(np.fft.fft2(filters)) ** 2).sum(axis=1)
    fy, fx = (np.fft.fftfreq(n) for n in filters.shape[2:])
    return (power * np.hypot(fy[:, None], fx)).sum((1, 2)) / power.sum((1, 2))


def tower_gap(values, towers):
    return values[towers == 0].mean() - values[towers == 1].mean()


rng = np.random.default_rng(11)
fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.2))
bins = np.linspace(0, 1, 21)
axes[0].hist(colour_share(start), bins, color="0.8", label="start, both")
for tower, colour in ((0, BLUE), (1, ORANGE)):
    values = colour_share(added[towers == tower])
    axes[0].hist(
        values, bins, histtype="step", color=colour, lw=2, label=f"added, tower {tower + 1}"
    )
axes[0].set(xlabel="colour share of a filter", ylabel="filters", title="Colour of the filters")
axes[0].legend(fontsize=8)
for ax, name, values in (
    (axes[1], "colour share", colour_share(added)),
    (axes[2], "frequency", frequency(added)),
):
    random_gaps = [tower_gap(values, rng.permutation(towers)) for _ in range(5000)]
    ax.hist(random_gaps, 30, color="0.8")
    ax.axvline(tower_gap(values, towers), color=RED, lw=2.5)
    ax.set(xlabel=f"gap in {name}", title="Red: our towers")
    if name == "colour share":
        odd = abs(tower_gap(values, towers)) > 4 * np.std(random_gaps)
axes[1].set_ylabel("random halves")
plt.show()
print("colour: gap of our towers beyond four deviations of random halves:", odd)

# %% [markdown]
# Our towers show no difference in colour. (Two measures were tried, so one red line a little outside its grey hill
# would not mean much.) This says nothing against the paper: in photographs colour means something, and its network
# had 90 epochs with 1.2 million of them. Nor is there anything in the equations that would make the first tower the
# grey one. The two halves begin alike, and if they part, it is by chance which goes where. What you should take
# from here is the method: *before you believe that two groups differ, shuffle them*.
#
# ## Activations
#
# `inside.activations` runs the network and keeps what the named layers put out. One image, all maps of conv1 and
# conv5, after their ReLU; black is 0:

# %%
shown = int(np.flatnonzero(labels == classes.index("triangles"))[1])
maps = inside.activations(model, to_input(mg.tensor(crops[[shown]])), ["relu1", "relu5"])


def tiled(maps, columns):
    """Maps (F, H, W) side by side, with a gap of one pixel."""
    maps = np.pad(maps, ((0, -len(maps) % columns), (0, 1), (0, 1)), constant_values=np.nan)
    rows = [np.concatenate(row, axis=1) for row in np.split(maps, len(maps) // columns)]
    return np.concatenate(rows)[:-1, :-1]


fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.8), width_ratios=[1, 1.33, 1.33])
axes[0].imshow(crops[shown])
axes[0].set_title(f"An image: {classes[labels[shown]]}")
for ax, (name, values) in zip(axes[1:], maps.items(), strict=True):
    ax.imshow(tiled(values[0], 8), cmap="inferno", vmin=0, vmax=np.quantile(values, 0.995))
    _, count, height, width = values.shape
    ax.set_title(f"{name}: {count} maps of {height}×{width}")
for ax in axes:
    ax.set_axis_off()
as_jpeg(fig)

# %% [markdown]
# In conv1 one still sees the image: each map has kept some edges or one of the two colours. In conv5 a map has a
# few pixels, and many maps are black. So what is it that lights one up?
#
# ## What excites a unit?
#
# Show the network all 300 new images, and for each map of conv5 keep the images with the largest value anywhere in
# the map. One would like to cut out the patch that the value has seen. How large is it?

# %%
seen, step = 1, 1
for name, layer in model.named_modules():
    if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
        seen += (np.max(layer.kernel_size) - 1) * step
        step *= np.max(layer.stride)
        if name.startswith("conv"):
            print(f"{name}: a value sees {seen} pixels across; its neighbour begins {step} further")

# %% [markdown]
# In the paper's network, with its 224 pixels, a value of conv5 sees three quarters of the image's width at most. In
# ours, with 112, a value in the middle of a map sees the whole image, and one in a corner most of it, so we show
# whole images. Not all units are alike; below are the two whose ten best images come most often from one class, and
# the two for which that is least so (the first seven of the ten):


# %%
def peaks(network, layers, images):
    """For each layer (N, units): the largest value in each map."""
    kept = {}
    for part in np.array_split(images, len(images) // 100):
        for name, values in inside.activations(network, to_input(mg.tensor(part)), layers).items():
            kept.setdefault(name, []).append(values.reshape(*values.shape[:2], -1).max(axis=2))
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def best_images(values, count=10):
    """(units, count): the images that excite each living unit most, and which units live."""
    living = np.flatnonzero(values.max(axis=0) > 0)
    return np.argsort(-values[:, living], axis=0, kind="stable")[:count].T, living


def one_class(best):
    """For each unit, the share of its best images that are of its commonest class."""
    return np.array([np.bincount(labels[row]).max() / len(row) for row in best])


layers = [f"relu{i}" for i in range(1, 8)]
answers = {name: peaks(net, layers, crops) for name, net in (("t", model), ("u", untrained))}
best, units = best_images(answers["t"]["relu5"])
order = np.argsort(-one_class(best), kind="stable")
fig, axes = plt.subplots(4, 7, figsize=(8.5, 5.1))
for row, k in zip(axes, [*order[:2], *order[-2:]], strict=True):
    row[0].set_ylabel(f"map {units[k]}", fontsize=10)
    for ax, i in zip(row, best[k], strict=False):
        ax.imshow(crops[i])
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.grid(False)
fig.suptitle("Images that excite a map of conv5 most: two choosy maps, two that are not")
as_jpeg(fig)

# %% [markdown]
# A choosy unit looks like a detector of its class. But we searched for the most striking ones among all units, and
# in such a search something striking always turns up. So again: what would chance give? We compare all units of all
# layers, the same in the untrained network, and ten images drawn at random.

# %%
chance = one_class(rng.integers(0, len(labels), (2000, 10))).mean()
curves = {
    name: [one_class(best_images(answers[key][layer])[0]).mean() for layer in layers]
    for key, name in (("t", "trained"), ("u", "untrained"))
}
for (name, values), colour in zip(curves.items(), (BLUE, ORANGE), strict=True):
    plt.plot(layers, np.multiply(values, 100), marker="o", color=colour, label=name)
plt.axhline(100 * chance, color=BLACK, ls="--", lw=1, label="ten images at random")
plt.ylim(0, 100)
plt.ylabel("best images of one class (%)")
plt.title("Units grow choosy from layer to layer, by training only")
plt.legend()
plt.show()
choosier = np.array(curves["trained"]) - curves["untrained"]
print("relu1: choosier than untrained by 15 points:", choosier[0] > 0.15)
print("relu7: choosier than untrained by 15 points:", choosier[-1] > 0.15)

# %% [markdown]
# The maps of conv1 are hardly choosier than chance, those of the last layers are. Training made them so.

# %% [markdown]
# ## Figure 4, right: neighbours
#
# The last hidden layer, fc7, gives 4096 numbers for an image in the paper, fewer here. The paper (section 6.1) takes
# them as a *place*: two images are alike if their fc7 numbers are near in Euclidean distance. It shows five test
# images, each with the six training images nearest to it.
#
# ## Exercise 1: neighbours
#
# `features` has a row for each image of a collection, `queries` one for each image that we ask about. Think of
# bytes: the rows may be raw pixels.


# %% tags=["exercise"]
def nearest(features, queries, count):
    """features (M, D), queries (N, D) -> (N, count): the nearest rows of features, nearest first."""
    raise NotImplementedError


# %%
check.nearest(nearest)

# %% [markdown]
# The collection is 60 training images of each class. Four new images, with the six nearest by fc7 (after its
# ReLU). Three are the first of their class that the network names right; the last is one that it names wrong:


# %%
def features(network, images, layers):
    """{layer: (N, D)} for uint8 images."""
    kept = {}
    for part in np.array_split(images, len(images) // 100):
        for name, values in inside.activations(network, to_input(mg.tensor(part)), layers).items():
            kept.setdefault(name, []).append(values.reshape(len(values), -1))
    return {name: np.concatenate(parts) for name, parts in kept.items()}


depths = ["pool1", "pool2", "relu3", "relu4", "relu5", "pool5", "relu6", "relu7"]
gallery_crops = np.ascontiguousarray(cut(gallery, CENTRE[0], size))
ours, theirs = (features(model, part, depths) for part in (crops, gallery_crops))
hits = [(named == labels) & (labels == classes.index(c)) for c in ("dots", "rays", "waves")]
queries = [int(chosen.argmax()) for chosen in (*hits, named != labels)]
found = inside.nearest(theirs["relu7"], ours["relu7"][queries], 6)
as_jpeg(draw_neighbours(crops[queries], [gallery_crops[row] for row in found]))

# %% [markdown]
# and by raw pixels (every second one, to save memory):

# %%
pixels, gallery_pixels = (
    part[:, ::2, ::2].reshape(len(part), -1) for part in (crops, gallery_crops)
)
found = inside.nearest(gallery_pixels, pixels[queries], 6)
as_jpeg(draw_neighbours(crops[queries], [gallery_crops[row] for row in found]))

# %% [markdown]
# By pixels, an image is near to others of the same *colours*. By fc7 it is near to others of the same
# *pattern*, in whatever colours, at whatever angle. The last one is near to images of two patterns, its own and the one
# that the network takes it for: a place is no better than the network that gives it. The paper says the same of its elephants and dogs: their neighbours in fc7
# show them in many poses and are not near in pixels. How often do the six neighbours have the class of the query?
# And in which layer does it happen?


# %%
def same_class(collection, queries):
    found = inside.nearest(collection, queries, 6)
    return (gallery_labels[found] == labels[:, None]).mean()


raw = same_class(gallery_pixels, pixels)
shares = {"trained": [raw, *(same_class(theirs[name], ours[name]) for name in depths)]}
ours0, theirs0 = (features(untrained, part, depths) for part in (crops, gallery_crops))
shares["untrained"] = [raw, *(same_class(theirs0[name], ours0[name]) for name in depths)]
places = np.arange(len(depths) + 1)
for shift, (name, values), colour in zip((-0.2, 0.2), shares.items(), (BLUE, ORANGE), strict=True):
    plt.bar(places + shift, np.multiply(values, 100), 0.38, color=colour, label=name)
plt.axhline(100 / len(classes), color=BLACK, ls="--", lw=1, label="chance")
plt.xticks(places, ["pixels", *depths])
plt.ylabel("neighbours of the same class (%)")
plt.title("Layer by layer, images of a class come together")
plt.legend()
plt.show()
print("pixels: above twice the chance:", raw > 2 / len(classes))
print("fc7: above 80 %:", shares["trained"][-1] > 0.8)
print("fc7, untrained: above 40 %:", shares["untrained"][-1] > 0.4)

# %% [markdown]
# Pixels are hardly better than chance. The layers bring the classes together step by step, and only through
# training: the same layers with random weights hardly help. Such a place is of use where nobody trained for it: to
# search a collection for similar images, or to find an image that was put into the wrong folder. (The paper notes
# that 4096 real numbers are slow to compare, and proposes to squeeze them into short binary codes.)
#
# ## Figure 4, left: ten crops
#
# At test time the paper (section 4.1) shows the network ten crops of each image, four corners and the centre, and
# their mirror images, and averages the ten softmax outputs. Exercise 4 of notebook 10 was about that average. Here
# are the ten views of the image about which our network's views differ most:

# %%
by_view = np.stack(
    [predict(model, images, recipe, views=[view], pixels=trainer.pixels) for view in TEN_CROP]
).astype(float)  # (10, N, classes)
ten = by_view.mean(axis=0)
of_label = by_view[:, np.arange(len(labels)), labels]  # (10, N)
torn = int(np.ptp(of_label, axis=0).argmax())

fig, axes = plt.subplots(2, 5, figsize=(8, 4))
for ax, view, value in zip(axes.ravel(), TEN_CROP, of_label[:, torn], strict=True):
    ax.imshow(cut(images[torn], view, size))
    ax.set_title(f"{value:.2f}", color=RED if value < 0.5 else BLACK)
    ax.set_axis_off()
fig.suptitle(f"Probability of the true class, {classes[labels[torn]]}; below: mirrored")
as_jpeg(fig)

# %% [markdown]
# Ten views of one image, and answers as different as this. And here is the paper's figure: images
# with their five likeliest classes, by the average. Of each class we take the image that the network finds hardest,
# and show the four hardest of these ten; the true class has the orange bar.

# %%
p_true = ten[np.arange(len(labels)), labels]
lowest = [np.flatnonzero(labels == c)[p_true[labels == c].argmin()] for c in range(len(classes))]
hardest = sorted(lowest, key=lambda i: p_true[i])[:4]
as_jpeg(draw_predictions(images[hardest], ten[hardest], labels[hardest], classes))

# %% [markdown]
# Does the average help? Measure with the loss, $-\log p$ of the true class. The function $-\log$ is convex, so
# (Jensen's inequality)
#
# $$-\log \Big( \frac{1}{10} \sum_{v=1}^{10} p_v \Big) \;\le\; \frac{1}{10} \sum_{v=1}^{10} \big( -\log p_v \big).$$
#
# The average is **never worse than the mean of its views**, for any network and any image. That is more than
# experience, it is arithmetic. Whether it is better than the *best* view, and whether more images are right, is not
# promised.

# %%
loss_of_views = -np.log(of_label)
loss_of_mean = -np.log(of_label.mean(axis=0))
print(
    "never worse, for any image:", bool((loss_of_mean <= loss_of_views.mean(axis=0) + 1e-12).all())
)

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6))
right_views = (by_view.argmax(axis=2) == labels).mean(axis=1)
right_ten = (ten.argmax(axis=1) == labels).mean()
for ax, single, mean_of, name in (
    (axes[0], loss_of_views.mean(axis=1), loss_of_mean.mean(), "loss"),
    (axes[1], 100 * right_views, 100 * right_ten, "right (%)"),
):
    ax.plot(range(1, 11), single, "o", color=BLUE, label="one view")
    ax.axhline(single.mean(), color=BLUE, lw=1, ls="--", label="mean of the views")
    ax.axhline(mean_of, color=RED, lw=2, label="average of the ten")
    ax.set(xlabel="view", ylabel=name, xticks=range(1, 11))
axes[0].set_title("Loss: below the dashed line, always")
axes[1].set_title("Right images: no promise")
axes[0].legend(fontsize=9)
plt.show()

# %% [markdown]
# With 300 images one image is a third of a percent, so the right picture is a matter of a few images. The paper had
# 150,000 test images (section 2): its top-1 error was 39.0% without the average over ten crops and 37.5% with it (a footnote
# of section 6; that the one crop was the centre is in the authors' `convdata.py`).

# %% [markdown]
# ## What to remember
#
# - TODO
#
# [Solutions](solutions/14_inside.ipynb). Next: [notebook 15](15_which_pixels.ipynb).
