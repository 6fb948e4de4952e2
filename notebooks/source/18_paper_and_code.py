# %% [markdown]
# # 18. The paper and the code
#
# **At the end you will know** in what the published code of 2012 differs from the paper, what a few of these
# differences do, how the paper's results were counted and what they were compared with, how its numbers are carried
# over to PyTorch, what you can read about the paper and is wrong, and how to find such things out: by computing them.
#
# About 40 minutes to read, 25 for the two exercises. You need notebooks 7 (LRN), 9 (dropout), 12 (the start) and 13
# (momentum and decay).

# %%
import math
import textwrap
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n18_paper_and_code as check
from alexnet_course.style import BLUE, ORANGE, use_style
from alexnet_scratch import inside, signal_meter
from alexnet_scratch.data import patterns
from alexnet_scratch.data.statistics import Accumulator
from alexnet_scratch.initialise import initialise
from alexnet_scratch.pixels import ToInput, pixel_statistics
from alexnet_scratch.recipe import RECIPES, build_model
from alexnet_scratch.recipe.flags import shown
from alexnet_scratch.recipe.notes import differences
from minigrad import nn
from minigrad.kernels.lrn import lrn_forward
from minigrad.tools.summary import summary

use_style()

# %% [markdown]
# ## Ten sentences
#
# **Predict.** Here are ten sentences of the kind that summaries of the paper contain. Which are true, `True`, and which
# are not, `False`? Write a list of ten down before you read on. The check counts your hits now and tells you about one
# miss; run it again whenever you have changed your mind.
#
# 1. ReLU was invented for this network.
# 2. For positive x, the gradient of ReLU is sometimes 0 and sometimes 1.
# 3. Momentum of 0.9 adds nine tenths of the previous weight vector.
# 4. LRN sums over the 5 channels before and the 5 after.
# 5. At test the paper multiplies the outputs of the layers with dropout by 0.5.
# 6. Inverted dropout divides the weights by 1 - p in training.
# 7. The paper chose LRN's constants with a validation set.
# 8. ResNet was invented because gradients vanish in deep networks.
# 9. The winning 15.3% are the average of seven networks.
# 10. Each convolutional layer has no more than 1% of the parameters.

# %% tags=["answer"]
sentences = None

# %%
check.sentences(sentences)

# %% [markdown]
# ## Four descriptions of one network
#
# There are at least four networks that people call AlexNet, and each is a *recipe*: a network with its
# input, its initialisation and its schedule.
#
# | recipe | source |
# |---|---|
# | `paper` | Krizhevsky, Sutskever, Hinton: *ImageNet Classification with Deep Convolutional Neural Networks* (2012), to the letter |
# | `source2012` | what their program ran: [computerhistory/AlexNet-Source-Code](https://github.com/computerhistory/AlexNet-Source-Code), published in 2025 |
# | `caffe` | Caffe's `bvlc_alexnet`, a copy that many people used |
# | `owt` | the one-tower network of Krizhevsky's *One weird trick* (2014), which torchvision calls AlexNet |
#
# `alexnet diff paper source2012` prints in what two of them differ, with a line on each difference. Here is
# the table without the lines:

# %%
for name, one, other, _ in differences(RECIPES["paper"], RECIPES["source2012"]):
    print(f"{name:20} {shown(one):30} {shown(other)}")

# %% [markdown]
# and the lines on those that this notebook comes back to:

# %%
for name, _, _, note in differences(RECIPES["paper"], RECIPES["source2012"]):
    if name in ("init", "lrn_alpha", "orders", "crop", "colour_noise"):
        print(textwrap.fill(f"{name}: {note}", 90) + "\n")

# %% [markdown]
# ## The initialisation: what of the image reaches the classes?
#
# Before the first step, does the network say anything about the image at all? Give it 16 images and look at
# the logits. Notebook 12 has two numbers for this. `image_rms` is how far a logit *moves* from image to image:
# where it hardly does, the first gradients say little about images, and training may sit on a plateau at $\ln C$,
# the loss of guessing among $C$ classes, until the signal has grown. The image's *share*, `image_rms / rms`, says
# whether a constant hides the image: such a start may never leave. `alexnet doctor` measures both; here they are
# for the recipes (on some machines it takes half a minute).

# %%
rng = np.random.default_rng(0)
images = np.stack([patterns.draw(name, rng) for name in patterns.CLASSES for _ in range(2)])[:16]
statistics = Accumulator(256)
statistics.add(images)


def begin(recipe):
    """A network with the recipe's first weights, and the images as it gets them."""
    mg.manual_seed(0)
    model = build_model(recipe, 1000)
    to_input = ToInput(recipe, pixel_statistics(recipe, statistics.result()))
    edge = (256 - recipe.input_size) // 2
    centre = images[:, edge : edge + recipe.input_size, edge : edge + recipe.input_size]
    x = to_input(mg.Tensor(np.ascontiguousarray(centre)))
    initialise(model, recipe.init, x)
    return model, x


recipes = {name: RECIPES[name] for name in ("paper", "source2012", "caffe", "owt", "small")}
signals = {name: signal_meter.measure(*begin(recipe)) for name, recipe in recipes.items()}
moved = {name: rows[-1].image_rms for name, rows in signals.items()}  # the last row: the logits
share = {name: rows[-1].image_share for name, rows in signals.items()}

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4))
left.plot(list(moved), list(moved.values()), "o", color=BLUE, markersize=9)
left.set(yscale="log", ylabel="how far an image moves a logit")
right.bar(list(share), [100 * s for s in share.values()], color=ORANGE)
right.set(ylabel="share of the logits that\ndepends on the image (%)")
for axes in (left, right):
    axes.tick_params(axis="x", rotation=30)
    axes.grid(axis="x", visible=False)
plt.show()

# %% [markdown]
# On the right the paper's text stands out: hardly one part in a hundred of its logits depends on the image.
# It fills the biases of conv2, conv4, conv5, fc6 and fc7 with 1 and the weights with a
# standard deviation of 0.01: each of these layers adds a constant and shrinks what depends on the image. The
# code that ran has 0.03 in conv3 to conv5. `owt` moves its logits least of all, but its share is more than five
# times the paper's. In notebook 12 the start with biases of 0, which moved its logits little and hid nothing,
# woke up; `owt`'s may, too. `small`, this project's default, scales every layer by what one batch of images gives
# (LSUV; Mishkin and Matas, 2016): the largest share of its logits is about the image.

# %%
print("less than 2% of the paper's logits depends on the image:", share["paper"] < 0.02)
print("owt moves its logits least:", min(moved, key=moved.get) == "owt")
print("its share is over five times the paper's:", share["owt"] > 5 * share["paper"])
print("the largest share is that of small:", max(share, key=share.get) == "small")

# %% [markdown]
# Is it the 0.03 that makes the code's start kinder, or one of its other differences? Change that one thing in the
# paper's recipe, and compare layer by layer; and count the units that are off, that is, 0 after their ReLU:

# %%
starts = {name: begin(replace(RECIPES["paper"], init=name)) for name in ("paper", "source2012")}
rows = signal_meter.measure(*starts["source2012"])
ratio = {n.name: n.image_rms / o.image_rms for n, o in zip(rows, signals["paper"], strict=True)}
farther = moved["source2012"] / moved["paper"]
print(f"source2012 moves the logits {farther:.1f} times as far as the paper")
print(f"the paper with the code's init: {ratio['fc8']:.1f} times")
for name in ("conv3", "conv4", "conv5"):
    print(f"    after {name}: {ratio[name]:4.1f} times")
for title, (model, x) in zip(("0.01", "0.03"), starts.values(), strict=True):
    kept = inside.activations(model, x, ["relu4", "relu5"])
    print(f"{title}: off in conv4 {(kept['relu4'] == 0).mean():.0%}, in conv5", end=" ")
    print(f"{(kept['relu5'] == 0).mean():.0%}")
del model, starts

# %% [markdown]
# It is the 0.03. Three layers with weights three times as large could give $3^3 = 27$, and conv3, whose biases are
# 0, does give 3. conv4 and conv5 give less: with 0.01 hardly a unit falls from its bias of 1 below 0, so their
# ReLUs let nearly everything through; with 0.03 they cut off about a third. fc6 and fc7, with biases of 1 too, take
# a little back: 16.4 times after conv5 become 14.5 at the logits.
#
# ## LRN's alpha, and where LRN stands
#
# The paper writes $\alpha = 10^{-4}$ on the plain sum of squares. Its code divides by the window: $\alpha = 10^{-4}
# / 5$. And its first layer normalises the *linear* output of conv1, with ReLU after the pooling. Negative
# outputs then count in the sum, too. How much does either change? That depends on how large the outputs are. Take
# random ones: as large as conv1's are at the start of `source2012`, and, as training may enlarge them, 60 and 120:

# %%
normal = rng.standard_normal((1, 96, 20, 20)).astype("f4")
print("outputs   LRN before ReLU   alpha / 5   (mean change of an output)")
for deviation in (signals["source2012"][0].rms, 60, 120):
    a = normal * np.float32(deviation)
    after = np.maximum(lrn_forward(a, 5, 2.0, 1e-4, 0.75)[0], 0)  # LRN, then ReLU
    before = lrn_forward(np.maximum(a, 0), 5, 2.0, 1e-4, 0.75)[0]  # ReLU, then LRN
    small = lrn_forward(np.maximum(a, 0), 5, 2.0, 1e-4 / 5, 0.75)[0]
    alive = before > 0
    one, other = (100 * (y[alive] / before[alive] - 1).mean() for y in (after, small))
    print(f"{deviation:7.0f} {one:+16.0f}% {other:+10.0f}%")

# %% [markdown]
# At the start both hardly matter. How much they do later depends on what training makes of conv1.
#
# ## What the summaries say
#
# Many summaries of the paper circulate. These are statements of the kind that you can read there, put into our
# words, each with what the paper says and, where it can be computed, the computation.
#
# **"ReLU was invented for it"**, or "the year before". The paper itself cites Nair and Hinton, 2010.
# **"Its gradient is 0 or 1 for positive x."** It is 1 there, and 0 for negative x; at 0 programs choose 0.
# (**"ReLU is six times faster than the sigmoid."** Figure 1 compares with tanh, on a four-layer network for CIFAR-10,
# up to 25% *training* error; notebook 6 replays it. **"tanh always loses gradient, its derivative is less than 1."** At
# 0 it is 1.)

# %%
x = mg.tensor(np.array([-2.0, 0.0, 0.5, 3.0]), requires_grad=True)
for name, y in (("ReLU", x.relu()), ("tanh", x.tanh())):
    print(f"derivative of {name} at -2, 0, 0.5, 3:", mg.grad(y.sum(), [x])[0].numpy().round(3))

# %% [markdown]
# **"The network is trained with rotations."** Section 4.1 has translations, reflections and colour noise: no
# rotations. And "2048": a 224 crop of a 256 image can begin at 33 places in each direction, not 32 (notebook 10).
#
# **"LRN sums over 5 channels before and 5 after."** The paper's $n = 5$ is the whole window: two before, the channel
# itself, two after. Give one channel of 13 a push and see which outputs notice:

# %%
quiet = np.ones((1, 13, 1, 1))
pushed = quiet.copy()
pushed[0, 6] = 5
notice = lrn_forward(pushed)[0] != lrn_forward(quiet)[0]
print("channels that notice channel 6:", np.flatnonzero(notice))

# %% [markdown]
# **"The hyper-parameters were found by cross-validation."** Section 3.3 says of LRN's constants that they were
# "determined using a validation set", one set that is held back. The word cross-validation, where each part of the data
# is held back once, appears in section 3.2 only, for the connections between the two cards.
#
# **"Layer 1 has 253,440 neurons"** (the caption of the paper's figure 2 says so itself). Its map is 55 × 55, with 96 of them:

# %%
model = build_model(RECIPES["paper"], 1000)
first = next(row for row in summary(model, (3, 224, 224)).rows if row.name == "conv1")
print("output of conv1:", first.output_shape, " numbers:", math.prod(first.output_shape[-3:]))

# %% [markdown]
# **"Momentum adds 0.9 of the previous weights."** Of the previous *velocity*, the last step that was taken. With 0.9 of
# the weights added, they would nearly double in each step.
#
# **"Dropout is in the last two fully connected layers."** It is in the *first* two (section 4.2): fc6 and fc7, never
# on the classes. torchvision has it *before* fc6 and fc7, which drops values of pool5 and fc6, and never fc7's
# outputs.
#
# **"Multiply by r, drawn from Bernoulli(p), p the probability to drop."** Then r is 1 with probability $p$: the
# mask keeps what it should drop. At $p = 0.5$ nobody notices.

# %%
for p in (0.5, 0.1):
    r = rng.random(100_000) < p
    print(f"p = {p}: meant to keep {1 - p:.0%}, keeps {r.mean():.0%}")

# %% [markdown]
# **"Inverted dropout scales the weights."** It divides the *outputs* that were kept by $1 - p$, in training, so that
# nothing is left to do at test. The weights change only when a trained network is carried from one form to the other,
# as below.
#
# **"ResNet was invented because gradients vanish."** He and others (2015) saw that deeper plain networks had a higher
# *training* error, with batch normalisation and with gradients that they had checked; vanishing gradients, they write,
# are unlikely to be the cause.
#
# ## How it was compared
#
# Before 2012 the features were made by hand. *SIFT* describes a small piece of an image by a histogram of the
# directions of its edges; *Fisher vectors* sum up what all pieces of an image say, in one long vector; a linear
# classifier learns on that. *Sparse coding* writes each piece as a sum of a few of many learnt ones. An image counts
# as an error of *top-5* if its class is not among the five likeliest, since many images show more than one thing.
# Tables 1 and 2 of the paper, errors in percent:
#
# | | top-1 | top-5 | on |
# |---|---|---|---|
# | six sparse-coding models | 47.1 | 28.2 | test images of 2010 |
# | two classifiers on SIFT and Fisher vectors | 45.7 | 25.7 | the same |
# | **one network** | **37.5** | **17.0** | the same |
# | the second-best entry of 2012, Fisher vectors | | 26.2 | test images of 2012 |
# | one network | 40.7 | 18.2 | validation images of 2012 |
# | **five networks** | (38.1) | **16.4** | test (validation) images of 2012 |
# | **seven networks, the winning entry** | (36.7) | **15.3** | test (validation) images of 2012 |
#
# **"They won by more than 10 points with 16.4%."** 16.4% is the test error of five networks trained on the
# competition's images alone. The winning entry averaged seven, two of which had first been trained on all of ImageNet as
# it was in the fall of 2011.

# %%
second = 26.2
for name, error in (("five networks", 16.4), ("seven networks", 15.3)):
    print(f"{name}: {error}%, {second - error:.1f} points better")

# %% [markdown]
# ### Exercise 1: the error of several networks
#
# Average the *probabilities* of all networks, the softmax of each one's logits, and count the share of images whose
# class is not among the `k` likeliest.


# %% tags=["exercise"]
def ensemble_error(logits, labels, k):
    """logits (networks, images, classes), labels (images,) -> the share of errors, 0 to 1."""
    raise NotImplementedError


# %%
check.ensemble_error(ensemble_error)

# %% [markdown]
# Why do five networks of one kind help, and why only from 18.2% to 16.4%? Let networks see the truth through two
# sorts of noise: what the image makes hard for all of them alike, and what each has of its own, from its random start.
# Averaging removes the second only. (Your function does the counting, or ours until it is right.)

# %%
count_errors, whose = check.whose_errors(ensemble_error)
draw = np.random.default_rng(5)
labels = draw.integers(0, 50, 2000)
truth = 3.0 * np.eye(50)[labels]
print(f"counted by {whose}\nshared noise   one network   five")
for shared in (0.0, 0.7, 0.95):
    own = np.sqrt(1 - shared) * draw.standard_normal((5, 2000, 50))
    logits = truth + 1.5 * (np.sqrt(shared) * draw.standard_normal((2000, 50)) + own)
    one, five = (100 * count_errors(logits[:m], labels, 5) for m in (1, 5))
    print(f"{shared:12.0%} {one:12.1f}% {five:6.1f}%")

# %% [markdown]
# Networks whose mistakes are their own would nearly cure each other; where the mistakes are shared, nothing is gained.
# The paper's networks gain little: most of what one gets wrong, the others get wrong, too.
#
# ## "The depth really is important"
#
# Section 7: "removing any of the middle layers results in a loss of about 2% for the top-1 performance of the network".
# And section 1 adds that each convolutional layer "contains no more than 1% of the model's parameters": so much from so
# little. Is it 1%?

# %%
rows = summary(build_model(RECIPES["paper"], 1000), (3, 224, 224))
for row in rows.rows:
    if row.name.startswith("conv"):
        print(f"{row.name}: {row.parameters:>9,} parameters, {100 * row.parameters / rows.parameters:.2f}%")

# %% [markdown]
# Nearly: conv3 and conv4 have a little more. The point stands. Notebook 19 lets you remove a layer yourself, with a
# prediction before and several seeds after.
#
# ## Into PyTorch
#
# Somebody gives you the state of a network in the paper's terms, in the middle of its training, and you want to go on in
# PyTorch. Five things have to be translated:
#
# - **LRN.** The paper has $k + \alpha \sum a^2$. `LocalResponseNorm(n, alpha)` has $k + \frac{\alpha}{n} \sum a^2$.
# - **The velocity.** The paper: $v \leftarrow 0.9\,v - 0.0005\,\varepsilon\,w - \varepsilon\,g$ and $w \leftarrow w + v$, with the rate
#   $\varepsilon$ inside. PyTorch: $v \leftarrow 0.9\,v + (g + \lambda w)$ and $w \leftarrow w - \varepsilon v$ (notebook 13).
# - **The decay.** The paper's $0.0005$ in this update, PyTorch's `weight_decay` is the $\lambda$ above. (The gradient of
#   $\frac{\lambda}{2} w^\top w$ is $\lambda w$. A loss that is written as $L + \lambda w^\top w$ decays twice as fast.)
# - **The weight of fc7**, which reads the outputs of a layer with dropout. In the paper's form these are multiplied by
#   $1 - p$ at test, $p$ the probability to drop. PyTorch does nothing at test.
# - **The bias of fc7**, which is added to the sum.
#
# ### Exercise 2: translate


# %% tags=["exercise"]
def into_pytorch(n, alpha, velocity, lr, decay, weight, bias, p):
    """The paper's LRN constants, velocity (array), rate, decay; fc7's weight (outputs, inputs) and bias; p.

    Returns a dictionary: "alpha", "momentum_buffer", "weight_decay", "weight", "bias".
    """
    raise NotImplementedError


# %%
check.into_pytorch(into_pytorch)

# %% [markdown]
# ## Your code is the network
#
# Is the translated network the same? LRN, the next step of the training, and fc7 at test, in the paper's form and in
# PyTorch's, both by minigrad, which has the two. (By your translation, or ours until yours is right.)

# %%
translate, whose = check.whose_translation(into_pytorch)
a, w0, g = draw.normal(0, 60, (1, 16, 4, 4)), draw.standard_normal(4), draw.standard_normal(4)
fc7 = nn.Linear(6, 5).to(np.float64)
v0, p = draw.standard_normal(4), 0.5
new = translate(5, 1e-4, v0, 0.01, 0.0005, fc7.weight.data.copy(), fc7.bias.data.copy(), p)
print(f"translated by {whose}")
torch_lrn = nn.LocalResponseNorm(5, float(new["alpha"]), 0.75, k=2.0)
print("LRN:          ", np.allclose(nn.PaperLRN()(mg.tensor(a)).numpy(), torch_lrn(mg.tensor(a)).numpy()))
steps = {}
for rule, buffer, decay in (("paper", v0, 0.0005), ("torch", new["momentum_buffer"], new["weight_decay"])):
    w = mg.tensor(w0.copy(), requires_grad=True)
    sgd = mg.optim.SGD([w], lr=0.01, momentum=0.9, weight_decay=float(decay), rule=rule)
    w.grad = mg.tensor(0 * g)
    sgd.step()  # now there is a velocity
    sgd.state[0]["momentum_buffer"][...] = buffer
    w.data[...], w.grad = w0, mg.tensor(g)
    sgd.step()
    steps[rule] = w.detach().numpy()
print("the next step:", np.allclose(*steps.values()))
fc6 = mg.tensor(draw.standard_normal((3, 6)))
paper_fc7 = fc7(nn.PaperDropout(p).eval()(fc6)).detach().numpy()
fc7.weight.data[...], fc7.bias.data[...] = new["weight"], new["bias"]
print("fc7 at test:  ", np.allclose(paper_fc7, fc7(nn.Dropout(p).eval()(fc6)).detach().numpy()))

# %% [markdown]
# ## Colour noise: eigenvalue or standard deviation?
#
# Section 4.1 adds $[\mathbf p_1, \mathbf p_2, \mathbf p_3]\,[\alpha_1 \lambda_1, \alpha_2 \lambda_2, \alpha_3 \lambda_3]^\top$ to each pixel, with
# $\lambda_i$ the $i$th eigenvalue of the covariance of the colours and $\alpha_i$ of standard deviation 0.1. An
# eigenvalue is a *variance*: its unit is grey levels squared. The code takes the standard deviation $\sqrt{\lambda_i}$
# (notebook 10). With pixels from 0 to 255 the eigenvalue would throw the picture far off the scale, so a program that
# follows the text has to divide the pixels by 255 first, which the paper does not say:

# %%
pixels = images.reshape(-1, 3)[::50].astype(float)
for name, unit in (("0 to 255", 1.0), ("0 to 1", 255.0)):
    largest = np.linalg.eigvalsh(np.cov((pixels / unit).T))[-1]
    print(
        f"pixels {name:8}  a usual shift: eigenvalue {0.1 * largest * unit:7.1f} grey levels, "
        f"standard deviation {0.1 * math.sqrt(largest) * unit:4.1f}"
    )

# %% [markdown]
# ## What to remember
#
# - A recipe is a whole. The paper's biases and standard deviations, taken word by word, leave almost no signal at
#   the start; the code that ran was kinder.
# - A sentence in a paper can be checked: count, measure, or read the code.
# - When two sources differ, ask which of the two ran.
# - "The same network" in another program means that alpha, velocity, decay and dropout are translated, not copied.
#
# ## Further
#
# Take a summary of the paper from the web, or ask a chat program for one, and mark each sentence: in the paper, where;
# in the code, where; or in neither. Compute one that can be computed. You will find sentences that stand in every
# summary and in neither source: they were copied from each other.
#
# [Solutions](solutions/18_paper_and_code.ipynb). Next: [notebook 19](19_after_2012.ipynb), what came after 2012.
