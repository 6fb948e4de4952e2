# %% [markdown]
# # 15. Which pixels matter?
#
# **At the end you will know** three ways to ask which pixels of an image speak for an answer (saliency, occlusion,
# Grad-CAM), how the first two are related, and a test that tells an explanation from a mere picture. Then you will
# ask all of them about a photograph that a network names wrongly.
#
# About an hour: 41 minutes to read, 20 for the exercises. You need notebook 1 (backward passes) and notebook 14 (the
# trained network and the untrained one).

# %%
import matplotlib.pyplot as plt
import numpy as np

import alexnet_scratch
import minigrad as mg
from alexnet_course import n15_which_pixels as check
from alexnet_course import photographs, small_run
from alexnet_course.style import BLACK, BLUE, GREEN, ORANGE, as_jpeg, use_style
from alexnet_scratch import inside
from alexnet_scratch.data.views import CENTRE, cut
from alexnet_scratch.pixels import ToInput

use_style()

# %% [markdown]
# The networks are those of notebook 14: a small one that knows ten patterns (trained now, in a minute or two, if it
# is not there yet), and the same with the weights from which it began. `crops` are 300 new images, as large as the
# network's input.

# %%
small = small_run.trained()
model, untrained, classes = small.model, small.untrained, small.classes
to_input = ToInput(small.recipe, small.pixels)
images, labels = small.pictures("val", 30)
size = small.recipe.input_size
crops = np.ascontiguousarray(cut(images, CENTRE[0], size))

# %% [markdown]
# ## The slope
#
# From an answer back to the image. Let $z_y$ be the **logit** of class $y$ (`label`), the
# network's output before the softmax. Ask how much it changes when one number of the image $x$ changes a little:
#
# $$s_{i,j} = \max_{c} \; \left| \frac{\partial z_y}{\partial x_{c,i,j}} \right|$$
#
# This map is called **saliency** (Simonyan, Vedaldi and Zisserman 2014). It costs one backward pass, as training
# does, but down to the image and not to the weights.
#
# Why the logit and not the probability $p_y$? By the chain rule, through all logits, with $q$ for the other classes,
#
# $$\frac{\partial p_y}{\partial x} = p_y \sum_{q \ne y} p_q
# \left( \frac{\partial z_y}{\partial x} - \frac{\partial z_q}{\partial x} \right).$$
#
# That is tiny where the network is sure (at $p_y = 0.999$ the $p_q$ add up to a thousandth), and mixed with the
# slopes of the other classes.
#
# **A question:** a network knows two classes only, so that $p_1 = 1 - p_2$. How does the map of
# $|\partial p_2 / \partial x|$ look beside that of $|\partial p_1 / \partial x|$? (a) other places are bright;
# (b) the same map; (c) twice as bright.

# %% tags=["answer"]
two_maps = None

# %%
check.two_maps(two_maps)

# %% [markdown]
# ## Exercise 1: saliency
#
# `model` takes tensors (1, 3, size, size) and returns logits (1, classes); `image` is an array. Make a tensor of it
# with `requires_grad=True`. `mg.grad(output, [tensor])` returns a tuple with the gradient. The check compares with
# finite differences, so its network and its images are float64.


# %% tags=["exercise"]
def saliency(model, image, label):
    """image (3, size, size) -> (size, size): the size of the logit's slope, largest over colours."""
    raise NotImplementedError


# %%
check.saliency(saliency)

# %% [markdown]
# ## The cover
#
# Another way needs no derivative at all: cover a part of the image, and look whether the answer changes (Zeiler and
# Fergus 2014). Move the cover over the image, and write down the probability of the class for each place. This
# **occlusion** map costs a forward pass for each place. The cover gets the mean colour of the image, so that it is
# as plain as possible.
#
# ## Exercise 2: occlusion
#
# `probability(image)` returns the probability of the class in question. The patch begins at rows and columns 0,
# `stride`, 2 `stride`, ..., as long as it lies in the image.


# %% tags=["exercise"]
def occlusion(probability, image, patch, stride):
    """image (3, size, size) -> (rows, columns): probability with a patch covered, for each place."""
    raise NotImplementedError


# %%
check.occlusion(occlusion)

# %% [markdown]
# ## The maps of the last convolution
#
# A third way looks neither at the pixels nor at the answer, but between them. The last convolution still knows
# *where* something is, and its maps already know something of *what*. Let $A_k$ be its maps, $H \times W$ and after
# their ReLU, and $z_y$ the logit that we ask about. How much does it depend on map $k$? As much as the mean slope over
# the map:
#
# $$a_k = \frac{1}{HW} \sum_{i,j} \frac{\partial z_y}{\partial A_{k,i,j}}, \qquad
# L_{i,j} = \max\Big(0, \; \sum_k a_k A_{k,i,j}\Big).$$
#
# $L$ is **Grad-CAM** (Selvaraju and others 2017, equations 1 and 2): as coarse as the maps, and of one class.
#
# ## Exercise 3: Grad-CAM


# %% tags=["exercise"]
def grad_cam(maps, slopes):
    """maps A, slopes dz/dA, both (maps, H, W) -> L (H, W)."""
    raise NotImplementedError


# %%
check.grad_cam(grad_cam)

# %% [markdown]
# ## An image with a known answer
#
# Each of the three paints a map. Is it true? With a photograph nobody can say. So we build images of which we know the
# answer: the left half of one image and the right half of another, of two classes. Then we can ask about **both**
# classes, and we know where each is. We make 100 such pairs. First a plain check, with a cover of half the image:
# cover the half that has the class, or the other one.

# %%
rng = np.random.default_rng(12)
half = size // 2
every = np.arange(100)
left = rng.integers(0, len(crops), 100)
right = np.array([rng.choice(np.flatnonzero(labels != labels[i])) for i in left])
pairs = crops[left]
pairs[:, :, half:] = crops[right][:, :, half:]
asked = {"left": labels[left], "right": labels[right]}  # the class of each half

mixed = to_input(mg.tensor(pairs)).numpy()
mean = mixed.mean(axis=(2, 3), keepdims=True)
covered = {side: mixed.copy() for side in asked}
covered["left"][..., :half] = mean
covered["right"][..., half:] = mean


def answers_to(x, classes_asked):
    return inside.probabilities(model, mg.tensor(x))[every, classes_asked]


whole = {side: answers_to(mixed, asked[side]) for side in asked}
own = {side: answers_to(covered[side], asked[side]) for side in asked}
other = {"left": answers_to(covered["right"], asked["left"])}
other["right"] = answers_to(covered["left"], asked["right"])
means = [np.mean([p["left"], p["right"]]) for p in (whole, own, other)]
print("own half covered, the probability keeps half of itself:  ", means[1] > means[0] / 2)
print("other half covered, the probability keeps half of itself:", means[2] > means[0] / 2)

# %% [markdown]
# (These are means over all pairs and both questions.) Covers know where the class is. Now the maps, with a patch a
# third of the image wide. We picked two pairs in which the network sees something of both classes, and in which
# covering a half changes both answers: the clearest cases for occlusion.

# %%
clear = np.prod([whole[side] * (other[side] - own[side]).clip(0) for side in asked], axis=0)
fig, axes = plt.subplots(2, 5, figsize=(9.5, 4.2))
for row, i in zip(axes, np.argsort(-clear)[:2], strict=True):
    one = mg.tensor(mixed[[i]])
    row[0].imshow(pairs[i])
    row[0].set_title(" | ".join(classes[asked[side][i]] for side in asked), fontsize=10)
    for k, side in enumerate(asked):
        label = asked[side][i]
        slopes = inside.saliency(model, one, [label])[0]
        row[1 + 2 * k].imshow(slopes, cmap="inferno", vmax=np.quantile(slopes, 0.995))
        row[1 + 2 * k].set_title(f"saliency: {classes[label]}", fontsize=10)
        map_of_p = inside.occlusion(model, one, label, patch=size // 3, stride=size // 16)
        change = map_of_p - whole[side][i]
        picture = row[2 + 2 * k].imshow(change, cmap="PuOr_r", vmin=-0.8, vmax=0.8)
        row[2 + 2 * k].set_title(f"occlusion: {classes[label]}", fontsize=10)
for ax in axes.ravel():
    ax.set_axis_off()
fig.colorbar(picture, ax=axes, label="change of the probability", shrink=0.8, extend="both")
as_jpeg(fig)

# %% [markdown]
# Drawn is how the cover changes the probability of the class: purple, the class needs the place; orange, the place
# speaks against the class; white, nothing changes. The two occlusion maps of an image are nearly each other's
# opposite, because the two classes share the probability. The two saliency maps are not: much is bright in both.
# Perhaps you see each lean to the half of its class.
#
# Even for occlusion, a small cover need not say what the large one says. Where a class has orange places in its own
# half, as the spiral has in our run, a patch there makes the class *likelier*, though covering all of that half
# takes it away. What the parts do does not add up to what the whole does.
#
# Two examples prove nothing. Before we count, one look at how saliency and occlusion are related.
#
# ## The slope is a small cover
#
# Let $\Delta$ be what a cover changes: the mean colour minus the image inside the patch, 0 outside. Cover only a
# little, with $x + \varepsilon \Delta$. For small $\varepsilon$ the definition of the derivative says
#
# $$z_y(x + \varepsilon \Delta) - z_y(x) \;\approx\; \varepsilon
# \sum_{c,i,j} \frac{\partial z_y}{\partial x_{c,i,j}} \, \Delta_{c,i,j}$$
#
# At $\varepsilon = 1$ the left side is the occlusion (of the logit), and the right side is a **prediction of it
# from one backward pass**. It uses the slope with its *sign*, times what the cover does to the pixel. Saliency has
# thrown away both. How far can the prediction be trusted? We cover the left half slowly and ask for its class.
# Solid: the logit; dashed: the prediction.


# %%
def slopes_of(network, x, labels):
    """d logit of labels[n] / d x[n], like x, by one backward pass."""
    x = mg.tensor(x, requires_grad=True)
    chosen = np.eye(len(classes), dtype=np.float32)[labels]
    return mg.grad(network(x), [x], mg.tensor(chosen))[0].numpy()


def logits_of(network, x, labels):
    return network(mg.tensor(x)).numpy()[np.arange(len(x)), labels]


delta = covered["left"] - mixed
predicted = (slopes_of(model, mixed, asked["left"]) * delta).sum(axis=(1, 2, 3))
change = logits_of(model, covered["left"], asked["left"]) - logits_of(model, mixed, asked["left"])
by_error = np.argsort(np.abs(predicted - change))
epsilon = np.linspace(0, 1, 21, dtype=np.float32)
for place, name, colour in ((10, "good", BLUE), (50, "middle", ORANGE), (90, "bad", GREEN)):
    i = by_error[place]
    steps = mixed[i] + epsilon[:, None, None, None] * delta[i]
    logits = logits_of(model, steps, asked["left"][i])
    plt.plot(epsilon, logits - logits[0], color=colour, label=f"{name}: {place} of 100 are better")
    plt.plot(epsilon, epsilon * predicted[i], color=colour, ls="--")
plt.xlabel("ε: 0 is the image, 1 is the half with the class covered")
plt.ylabel("change of the logit")
plt.title("The slope is right at the start; how far, is not the same everywhere")
plt.legend()
plt.show()

# %% [markdown]
# The line touches the curve at 0, as it must. Then the curve bends: units are switched on and off, and LRN is not
# straight either. How far the line is good differs from image to image. Perhaps its sign is good enough.
#
# ## The test
#
# 100 pairs with two questions each: *in which half is the class?* Each method answers with the half that has more
# of it:
#
# - **size of the slope**: the sum of the saliency in each half;
# - **slope**: the sum of the slopes, with their signs;
# - **size times size**: the sum of the products of slope and change, without their signs;
# - **slope times change**: which half's cover is *predicted* to lower the logit more;
# - **occlusion**: which half's cover does lower it more;
# - **Grad-CAM**: the sum of the map $L$ in each half.
#
# Guessing is right in half of the questions. And as before, we ask the untrained network, too: a method that gives
# the same with a network that knows nothing cannot show what the network knows (Adebayo and others 2018).
#
# **Predict before you run:** how often is the *size* of the slope right, the famous picture? (a) in about half of
# the questions; (b) in about three quarters; (c) nearly always.

# %% tags=["answer"]
by_size = None


# %%
def by_halves(values):
    """Sums of maps (N, ..., columns) in the left and the right half, (N, 2)."""
    axes, half = tuple(range(1, values.ndim)), values.shape[-1] // 2
    return np.stack([values[..., :half].sum(axes), values[..., half:].sum(axes)], axis=1)


def size_of_slope(network, labels):
    return by_halves(inside.saliency(network, mg.tensor(mixed), labels))


def slope(network, labels):
    return by_halves(slopes_of(network, mixed, labels))


def size_times_size(network, labels):
    return by_halves(np.abs(slopes_of(network, mixed, labels) * (mixed - mean)))


def slope_times_change(network, labels):
    return by_halves(slopes_of(network, mixed, labels) * (mixed - mean))


def cover(network, labels):
    before = logits_of(network, mixed, labels)
    return np.stack([before - logits_of(network, covered[side], labels) for side in asked], axis=1)


def cam(network, labels):
    return by_halves(inside.grad_cam(network, mg.tensor(mixed), labels, "relu5"))


def score(method, network):
    """The share of the 200 questions that the method answers with the right half."""
    first, second = (method(network, asked[side]) for side in asked)
    return np.mean([first[:, 0] > first[:, 1], second[:, 1] > second[:, 0]])


methods = {
    "size of\nthe slope": size_of_slope,
    "slope": slope,
    "size times\nsize": size_times_size,
    "slope times\nchange": slope_times_change,
    "occlusion": cover,
    "Grad-CAM": cam,
}
scores = np.array([[score(f, net) for f in methods.values()] for net in (model, untrained)])
for shift, values, name, colour in zip(
    (-0.2, 0.2), scores, ("trained", "untrained"), (BLUE, ORANGE), strict=True
):
    plt.bar(np.arange(len(methods)) + shift, 100 * values, 0.36, color=colour, label=name)
plt.axhline(50, color=BLACK, ls="--", lw=1, label="guessing")
plt.xticks(range(len(methods)), list(methods))
plt.ylim(0, 115)
plt.ylabel("right half named (%)")
plt.title("The slope finds the class only with its sign, and times the change")
plt.legend(ncols=3, loc="upper center", fontsize=9)
plt.show()
for name, value in zip(methods, scores[0], strict=True):
    print(f"{' '.join(name.split())}: above 75 %: {value > 0.75}")
print("untrained, any of them above 75 %:", (scores[1] > 0.75).any())
share = {}  # of the saliency, how much is in the left half
for side, asked_labels in asked.items():
    left_sum, right_sum = size_of_slope(model, asked_labels).T
    share[side] = left_sum / (left_sum + right_sum)
leans = (share["left"] > share["right"]).mean()
check.by_size(by_size, "c" if scores[0, 0] > 0.9 else "b" if scores[0, 0] > 0.65 else "a")
print("the two saliency maps lean to their own halves in over half of the pairs:", leans > 0.5)
print("in over three quarters of them:", leans > 0.75)

# %% [markdown]
# This is worth a second look. The famous picture, the size of the slope, is not far from a guess in our network.
# Neither is the slope with its sign alone, nor the product without signs. That of two saliency maps each leans to its
# own half, compared with the other, is truer than chance, but too seldom to trust it in one image. The *same* backward
# pass, with the sign kept **and** multiplied by what would change, is nearly as good as the occlusion, which needs a
# forward pass for each cover. Grad-CAM, which multiplies slopes and maps with their signs, too, is right in most of
# the questions, with maps of six columns. The size of a slope says where the network is *sensitive*. That is not the same as what speaks for the class.
#
# What of this holds elsewhere? Our network is small, the classes are textures, and the test is about halves. In
# photographs of one object, Simonyan and others did find the object with saliency. But the order of work holds
# everywhere: make images whose answer you know, ask a network that knows nothing as well, and only then believe the
# map.
#
# ## A photograph and a wrong answer
#
# The network that comes with the package knows ten things, and a cat is none of them. It must say something. What
# made it say so? Put a photograph of yours in the place of `None`:

# %%
PHOTO = None  # such as "holiday.jpg"
boxed = alexnet_scratch.load("boxed")
x = boxed.preprocess([PHOTO or photographs.path("cat")])
p = inside.probabilities(boxed.model, x)[0]
best = [int(c) for c in np.argsort(-p)[:2]]
asked_of = [boxed.names[boxed.classes[c]].split(",")[0] for c in best]
for c, name in zip(best, asked_of, strict=True):
    print(f"{name}: {p[c]:.0%}")

# %%
fig, axes = plt.subplots(2, 5, figsize=(9.5, 4.2))
for row, c, name in zip(axes, best, asked_of, strict=True):
    row[0].imshow(boxed.as_images(x)[0])
    row[0].set_title(name, fontsize=10)
    slopes = inside.saliency(boxed.model, x, [c])[0]
    guided = np.abs(inside.guided_backpropagation(boxed.model, x, [c])[0]).max(axis=0)
    change = inside.occlusion(boxed.model, x, c, patch=32, stride=8) - p[c]
    where = inside.grad_cam(boxed.model, x, [c], inside.last_maps(boxed.model, x))[0]
    for ax, name_of_map, values in (
        (row[1], "saliency", slopes),
        (row[2], "guided", guided),
        (row[3], "Grad-CAM", where),
    ):
        ax.imshow(values, cmap="inferno", vmax=np.quantile(values, 0.995))
        ax.set_title(name_of_map, fontsize=10)
    row[4].imshow(change, cmap="PuOr_r", vmin=-0.8, vmax=0.8)
    row[4].set_title("occlusion", fontsize=10)
for ax in axes.ravel():
    ax.set_axis_off()
as_jpeg(fig)

# %% [markdown]
# Above are the maps of the first answer, below those of the second. For the cat, covering an eye takes the most from "French horn",
# and Grad-CAM lights up at the eyes: something round and shining, with a dark middle. You may guess that the network
# takes them for the bells of horns. A map says *where*, never *why*.
#
# *Guided* is guided backpropagation (Springenberg and others 2015): every ReLU hands back only what is positive. Its
# picture is the sharpest, and it is almost the same for both answers: it shows what the network *sees*, hardly what
# it sees as a horn (Nie and others 2018; notebook 8 has met it as a backward that is wrong). Grad-CAM and the
# occlusion differ between the answers. Of these maps, believe those that change with the question.
#
# A guess can be tested. Paint the eyes over with the mean colour, and, for comparison, the forehead and the nose with
# patches of the same sizes. What do you expect to be left of "French horn"? For a photograph of yours, put in the
# rows and columns of what you suspect; the network's input has 128 of each.

# %%
SUSPECTS = (slice(32, 68), slice(16, 56)), (slice(40, 76), slice(94, 124))  # the eyes: rows, columns
OTHERS = (slice(0, 36), slice(50, 90)), (slice(90, 126), slice(66, 96))  # the forehead, the nose
fig, axes = plt.subplots(1, 2, figsize=(5.2, 2.9))
for ax, places in zip(axes, (SUSPECTS, OTHERS), strict=True):
    painted = x.numpy().copy()
    for rows, columns in places:
        painted[:, :, rows, columns] = x.numpy().mean(axis=(2, 3), keepdims=True)
    p_painted = inside.probabilities(boxed.model, mg.tensor(painted))[0, best[0]]
    ax.imshow(boxed.as_images(mg.tensor(painted))[0])
    ax.set_title(f"{asked_of[0]}: {p_painted:.0%}", fontsize=11)
    ax.set_axis_off()
as_jpeg(fig)

# %% [markdown]
# So the eyes made it a horn, for the most part. That they look like bells remains a guess: the cover shows *that* they
# count, not as what.
#
# ## What to remember
#
# - The slope is an infinitely small cover. Its sign, times the change, says what speaks for a class; its size only
#   says where the network is sensitive.
# - Before you believe in a map, ask an untrained network, an image whose answer you know, and about another class.
#
# **Further**, without a check: does Grad-CAM need the trained fc layers? Copy the trained network (`copy.deepcopy`),
# shuffle the weights of each of fc6 to fc8, and run the test again with it. (Those of `untrained` would not be random
# for it: more than nine tenths of them are still in the trained ones, as notebook 14 has found.) Then the other way
# round: shuffled convolutions, trained fc layers. Before you run it, write down what you expect of each of the six
# methods.
#
# [Solutions](solutions/15_which_pixels.ipynb). Next: [notebook 16](16_gpu.ipynb), the GPU.
