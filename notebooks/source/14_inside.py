# %% [markdown]
# # 14. Looking inside
#
# **At the end you will know** how to see what a first layer has learnt, even under the noise from which it began;
# how colourful its filters are, and whether two towers differ by more than chance; what a unit of conv5 answers to;
# why one compares images by fc7 and not by pixels; and what an average over ten crops can promise. These are the
# paper's figures 3 and 4, on two trained networks: a small one that knows drawn patterns, and the one that comes
# with the package, which has learnt from photographs.
#
# About an hour: 51 minutes to read, 10 for the exercises. You need notebook 11 (the layers); notebook 13
# (weight decay) helps.

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np

import alexnet_scratch
import minigrad as mg
from alexnet_course import n14_inside as check
from alexnet_course import photographs, small_run
from alexnet_course.figures import draw_filters, draw_neighbours, draw_predictions, filter_grid
from alexnet_course.style import BLACK, BLUE, ORANGE, RED, as_jpeg, use_style
from alexnet_scratch import inside
from alexnet_scratch.data.views import CENTRE, TEN_CROP, cut
from alexnet_scratch.evaluation import predict
from alexnet_scratch.pixels import ToInput
from alexnet_scratch.recipe import RECIPES
from minigrad import nn

use_style()

# %% [markdown]
# ## A trained network
#
# `small_run.trained()` gives the network of notebook 13. If the cache folder does not have it yet, it is trained now:
# that takes a minute or two, once. `untrained` is the same network with the weights from which it **began**. Much of
# what follows is a comparison of the two.

# %%
small = small_run.trained()
model, untrained, recipe, classes = small.model, small.untrained, small.recipe, small.classes
to_input = ToInput(recipe, small.pixels)
gallery, gallery_labels = small.pictures("train", 60)
images, labels = small.pictures("val", 30)

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
# For one thing, its weights began small, with a standard deviation of 0.01 (section 5); ours began with 0.05. Above
# all it is weight decay and time. In each step a weight loses the share $\epsilon \cdot 0.0005$ of itself, where
# $\epsilon$ is the learning rate. Momentum gives each push once, and again with the factors 0.9, 0.81, ..., in sum
# $1 / (1 - 0.9) = 10$ times. So of the start
#
# $$\prod_{\text{steps}} \left(1 - \frac{0.0005 \, \epsilon}{1 - 0.9}\right)$$
#
# is left, and what the gradients have added. The paper trained about 90 times on 1.2 million images in batches of
# 128 (section 5). When the rate of conv1 was lowered is in the log of the published code, which our recipe
# `source2012` replays. Ours read 2,400 images ten times, in batches of 32, at rates of at most 0.01.
#
# **Predict before you run:** how much of the start is left in our filters? (a) almost all; (b) about a half;
# (c) almost nothing.

# %% tags=["answer"]
left_in_ours = None


# %%
def left_of_the_start(recipe, rates_and_steps):
    """The share of the first weights that weight decay leaves."""
    spent = sum(rate * steps for rate, steps in rates_and_steps)
    # ln(1 - a) is nearly -a for a small a, so the logarithm of the product is nearly a sum
    return np.exp(-recipe.weight_decay * spent / (1 - recipe.momentum))


steps = recipe.epochs * small_run.TRAIN * len(classes) // recipe.batch_size
least = left_of_the_start(recipe, [(recipe.lr, steps)])  # the rate was never above recipe.lr
print(f"{recipe.name}: more than {least:.0%} of the start is left")

old = RECIPES["source2012"]
marks = (0, *old.conv1_drop_epochs, old.conv1_freeze_epoch)
phases = [
    (old.lr * 0.1**i, (end - begin) * 1.2e6 / 128)
    for i, (begin, end) in enumerate(itertools.pairwise(marks))
]
print(f"2012: about one part in {round(1 / left_of_the_start(old, phases), -4):,.0f} is left")
check.left_in_ours(left_in_ours)

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
# Under the noise lie gratings, edges and plain colours, as in the paper's figure 3. Compare the two towers: is one more
# colourful than the other?
#
# ## Exercise 1: how colourful is a filter?
#
# The paper's figure 3 has a second message: the filters of one GPU are "largely color-agnostic", those of the other
# "largely color-specific". It happened in every run, only the two GPUs could change places (section 6.1). To look
# for it in our towers we need a number. A grey filter has the same weights for red, green and blue. Split each
# filter into its grey part $\bar w_{u,v} = \frac13 \sum_c w_{c,u,v}$ and the rest:
#
# $$\text{colour share}(w) = \frac{\sum_{c,u,v} (w_{c,u,v} - \bar w_{u,v})^2}{\sum_{c,u,v} w_{c,u,v}^2}$$
#
# It is 0 for a grey filter.


# %% tags=["exercise"]
def colour_share(filters):
    """(F, 3, kh, kw) -> (F,): 0 is grey."""
    raise NotImplementedError


# %%
check.colour_share(colour_share)

# %% [markdown]
# `inside.colourfulness` computes the same. **A question:** what has a filter of independent random weights, on the
# average? (a) 1/3; (b) 1/2; (c) 2/3; (d) 1.

# %% tags=["answer"]
by_chance = None

# %%
check.by_chance(by_chance)
shares = {
    "start": inside.colourfulness(start),
    "added, patterns": inside.colourfulness(added),
    "photographs": inside.colourfulness(boxed.model.conv1.weight.data),
}
noise = np.random.default_rng(3).standard_normal((1000, 3, 11, 11))
random_share = inside.colourfulness(noise).mean()
for name, values in shares.items():
    more = values.mean() - random_share
    print(f"{name:16} as random weights: {abs(more) < 0.03}, closer to grey: {more < -0.06}", end="")
    print(f"; standard deviation {values.std():.1f}")

# %% [markdown]
# The start is what chance gives. What the patterns taught is much closer to grey. That fits the data: the classes
# differ by shape alone, and each image has two random colours, so a filter that waits for *red* is of no use.
# First-layer filters tell you about the data at least as much as about the network. In photographs colour does count.
# There the filters differ most among themselves, some nearly grey and some nearly pure colour, though the noise of
# their start is still in them.
#
# ## Do the towers specialise?
#
# We compare the colour shares of the towers, by their means. Any two halves differ a little. How much is a little?
# We split the same filters into two *random* halves, 5000 times:


# %%
def tower_gap(values, towers):
    return values[towers == 0].mean() - values[towers == 1].mean()


rng = np.random.default_rng(11)
fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.2), sharey=True)
for ax, (name, values) in zip(axes, list(shares.items())[1:], strict=True):
    towers = np.repeat([0, 1], len(values) // 2)
    random_gaps = [tower_gap(values, rng.permutation(towers)) for _ in range(5000)]
    gap = tower_gap(values, towers)
    beyond = np.mean(np.abs(random_gaps) >= abs(gap))
    ax.hist(random_gaps, 30, color="0.8")
    ax.axvline(gap, color=RED, lw=2.5)
    ax.set(xlabel="gap in colour share", title=f"{name} (red: our towers)")
    print(f"{name:16} a gap as large in more than one random split in 20: {beyond > 0.05}")
axes[0].set_ylabel("random halves")
plt.show()

# %% [markdown]
# Neither pair of towers differs by more than chance would explain; the one that saw photographs comes nearer to it,
# and with 24 filters a tower a real gap would have to be large to be seen. This says nothing against the paper: its
# network had 48 filters in each tower and 90 epochs with 1.2 million photographs. Nor is there anything in the
# equations that would make the first tower the grey one: the halves begin alike, and if they part, it is by chance
# which goes where. What you should take from here is the method: *before you believe that two groups differ, shuffle
# them*.
#
# ## Activations
#
# `inside.activations` runs a network and keeps what the named layers put out. Here is a photograph in the network
# that learnt from photographs: all maps of conv1 and conv5, after their ReLU; black is 0. Put the name of a file of
# yours in the place of `None`:

# %%
PHOTO = None  # such as "holiday.jpg"
photo = boxed.image(PHOTO or photographs.path("cat"))
maps = inside.activations(boxed.model, boxed.preprocess(photo[None]), ["relu1", "relu5"])


def tiled(maps, columns):
    """Maps (F, H, W) side by side, with a gap of one pixel."""
    maps = np.pad(maps, ((0, -len(maps) % columns), (0, 1), (0, 1)), constant_values=np.nan)
    rows = [np.concatenate(row, axis=1) for row in np.split(maps, len(maps) // columns)]
    return np.concatenate(rows)[:-1, :-1]


fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.8), width_ratios=[1, 1.33, 1.33])
axes[0].imshow(photo)
axes[0].set_title("A photograph")
for ax, (name, values), columns in zip(axes[1:], maps.items(), (8, 16), strict=True):
    ax.imshow(tiled(values[0], columns), cmap="inferno", vmin=0, vmax=np.quantile(values, 0.995))
    _, count, height, width = values.shape
    ax.set_title(f"{name}: {count} maps of {height}×{width}")
for ax in axes:
    ax.set_axis_off()
as_jpeg(fig)

# %% [markdown]
# In conv1 one still sees the photograph: each map has kept some edges or one colour. In conv5 a map has a few
# pixels, and most are black. So what is it that lights one up?
#
# ## What excites a unit?
#
# Show the small network all 300 new images of patterns, and for each *unit* of conv5, one of its maps, keep the images
# with the largest value anywhere in the map. One would like to cut out the patch that the value has seen. How large
# is it?

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
    """(units, count): the images that excite each living unit most, and which units live (are not
    0 for every image)."""
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
# The last hidden layer, fc7, gives 4096 numbers for an image in the paper, 256 here. The paper (section 6.1) takes
# them as a *place*: two images are alike if their fc7 numbers are near in Euclidean distance. It shows five test
# images, each with the six training images nearest to it.
#
# ## Exercise 2: neighbours
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
# ReLU). Three are typical of their class: the ones with the middle probability of it. The last is one that the
# network names wrong:


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
p = inside.probabilities(model, x)
queries = [int((named != labels).argmax())]
for name in ("waves", "rays", "dots"):
    of_class = np.flatnonzero(labels == classes.index(name))
    by_p = np.argsort(p[of_class, classes.index(name)])
    queries.insert(0, int(of_class[by_p[len(by_p) // 2]]))
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
# By pixels, an image is near to others of the same *colours*. By fc7 it is near to others of the same *pattern*, in
# whatever colours, at whatever angle. The paper says as much of its elephants and dogs: their neighbours in fc7 show
# them in many poses and are not near in pixels. The last of our four, which the network names wrong, has neighbours
# by fc7 of the pattern that it is taken for: a place is no better than the network that gives it.
#
# How often do the six neighbours have the class of the query? And in which layer does it happen?


# %%
def same_class(collection, queries):
    found = inside.nearest(collection, queries, 6)
    return (gallery_labels[found] == labels[:, None]).mean()


raw = same_class(gallery_pixels, pixels)
alike = {"trained": [raw, *(same_class(theirs[name], ours[name]) for name in depths)]}
ours0, theirs0 = (features(untrained, part, depths) for part in (crops, gallery_crops))
alike["untrained"] = [raw, *(same_class(theirs0[name], ours0[name]) for name in depths)]
places = np.arange(len(depths) + 1)
for shift, (name, values), colour in zip((-0.2, 0.2), alike.items(), (BLUE, ORANGE), strict=True):
    plt.bar(places + shift, np.multiply(values, 100), 0.38, color=colour, label=name)
plt.axhline(100 / len(classes), color=BLACK, ls="--", lw=1, label="chance")
plt.xticks(places, ["pixels", *depths])
plt.ylabel("neighbours of the same class (%)")
plt.title("Layer by layer, images of a class come together")
plt.legend()
plt.show()
print("pixels: above twice the chance:", raw > 2 / len(classes))
print("fc7: above 80 %:", alike["trained"][-1] > 0.8)
print("fc7, untrained: above 40 %:", alike["untrained"][-1] > 0.4)

# %% [markdown]
# Pixels are hardly better than chance. The layers bring the classes together step by step, and only through
# training: the same layers with random weights hardly help. Such a place is of use where nobody trained for it: to
# search a collection for similar images, or to find an image that was put into the wrong folder. (The paper notes
# that 4096 real numbers are slow to compare, and proposes to squeeze them into short binary codes.)
#
# ## Figure 4, left: ten crops
#
# At test time the paper (section 4.1) shows the network ten crops of each image, four corners and the centre, and
# their mirror images, and averages the ten softmax outputs. An exercise of notebook 10 was about that average. Here
# are the ten views of the image about which our network's views differ most:

# %%
by_view = np.stack(
    [predict(model, images, recipe, views=[view], pixels=small.pixels) for view in TEN_CROP]
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
# The ten views differ by a shift of at most 16 pixels and a mirror, and yet the answers can be as different as this.
# And here is the paper's figure: images with their five likeliest classes, by the average. Of each class we take the image that the network finds hardest,
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

fig, axes = plt.subplots(1, 2, figsize=(9, 3.9), layout="constrained")
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
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
plt.show()

# %% [markdown]
# With 300 images one image is a third of a percent, so the right picture is a matter of a few images. The paper had
# 150,000 test images (section 2): its top-1 error was 39.0% "without averaging predictions over ten patches" (a
# footnote of section 6) and 37.5% with it. That the one patch was the centre is in the authors' `convdata.py`.

# %% [markdown]
# ## What to remember
#
# - Subtract the start before you judge a first layer. What it learnt tells you what the data have in common.
# - Before you believe in a difference, shuffle; before you believe in a striking unit, ask an untrained network.
# - Near in fc7 means alike in what training asked for; near in pixels means alike in colour.
# - An average of views is never worse than the mean of the views, in the loss.
#
# **Further**, without a check: take the weights that training added to conv1 of the small network as points
# $(R, G, B)$, and ask for the axis along which they spread most (`np.linalg.eigh`, as notebook 10 did with pixels).
# You will find that it is not grey, $R + G + B$, but close to the luminance, $0.299 R + 0.587 G + 0.114 B$. Nobody
# told the network; but `alexnet_scratch/data/patterns.py` draws two random colours *whose luminances differ by at
# least 85*. Do the same with the filters of the network that saw photographs.
#
# [Solutions](solutions/14_inside.ipynb). Next: [notebook 15](15_which_pixels.ipynb), which pixels matter.
