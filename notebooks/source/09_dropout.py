# %% [markdown]
# # 9. Dropout
#
# **At the end you will know** the two forms of dropout, why they can be equal at test and still *not* equal
# in training, how to turn one into the other exactly, in which sense dropout trains an ensemble, and how
# minigrad keeps no mask and still uses the same one twice. You will have written both passes and proven
# them right, and you will have seen *co-adaptation*, which dropout is meant to prevent.
#
# About 80 minutes: 56 to read, 25 for the four exercises. You need notebooks 1 (backward), 2 (gradient checks), 3
# (linear layer, softmax and cross-entropy) and 6 (ReLU), and what a probability and a mean are; the words *learning
# rate* and *weight decay* are explained where they are used.

# %%
import math
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n09_dropout as check
from alexnet_course import yours
from alexnet_course.style import BLACK, BLUE, GREEN, ORANGE, RED, use_style
from alexnet_scratch.data.patterns import CLASSES, draw
from alexnet_scratch.initialise import initialise
from alexnet_scratch.model import AlexNet
from alexnet_scratch.recipe import RECIPES, build_model
from minigrad import nn, optim
from minigrad.kernels.dropout import dropout_forward, dropout_mask, paper_dropout_forward
from minigrad.kernels.threefry import threefry2x32
from minigrad.nn import functional as F
from minigrad.random import Key, default_generator

use_style()

# %% [markdown]
# ## Two forms
#
# In training, dropout sets each element of a layer's output to zero with probability $p$, each time anew.
# With a mask $m$ of zeros and ones, $P(m_i = 0) = p$:
#
# | | in training | at test |
# |---|---|---|
# | the paper (section 4.2) | $y_i = m_i\, x_i$ | $y_i = (1-p)\, x_i$ |
# | inverted | $y_i = m_i\, x_i / (1-p)$ | $y_i = x_i$ |
#
# In both, the *mean* of $y_i$ over the masks is what test gives: $E[m_i] = 1 - p$. The inverted form
# moves the factor from test to training, so that nothing is left to do at test. PyTorch and TensorFlow
# have it, and Caffe had it. The network of 2012 had the paper's, with $p = 0.5$, on the outputs of its first two
# fully connected layers, fc6 and fc7 (fc8, the third, gives the classes).
#
# A hundred and sixty outputs of a layer, as a picture:

# %%
x = np.random.default_rng(2).uniform(0.1, 1.0, (10, 16))
p = 0.5
forms = {
    "paper": (partial(paper_dropout_forward, x, p), (1 - p) * x),
    "inverted": (partial(dropout_forward, x, p), x),
}
fig, axes = plt.subplots(2, 3, figsize=(8.5, 4.0))
for row, (name, (training, test)) in zip(axes, forms.items(), strict=True):
    mean = np.mean([training(Key(1, number)) for number in range(500)], axis=0)
    titles = "one training pass", "mean of 500 training passes", "test"
    for axis, values, title in zip(row, (training(Key(1, 0)), mean, test), titles, strict=True):
        shown = axis.imshow(values, vmin=0, vmax=1 / (1 - p))
        axis.set(xticks=[], yticks=[])
        axis.set_title(title, fontsize=11)
        axis.grid(False)
    row[0].set_ylabel(name)
fig.colorbar(shown, ax=axes, label="output", shrink=0.8)
plt.show()

# %% [markdown]
# In each row the second and the third picture agree. But compare the rows: the inverted one is twice as
# bright, everywhere. Remember that.
#
# **A question.** PyTorch's `nn.Dropout(0.2)` has the inverted form. A unit of the layer before it puts out 10. What comes
# out of the dropout in training, if the unit is kept?

# %% tags=["answer"]
kept_unit = None

# %%
check.kept_unit(kept_unit)

# %% [markdown]
# ## Exercise 1: the inverted form
#
# `u` holds random numbers, evenly spread over [0, 1), one for each element. Drop an element where `u < p`.
# The check does not use $p = 0.5$, and this is why: two mistakes that are easily made (keeping with
# probability $p$, dividing by $p$) cannot be seen there.


# %% tags=["exercise"]
def inverted_dropout(x, u, p):
    """y of the shape of x: zero where u < p, and scaled so that its mean over many u is x."""
    raise NotImplementedError


# %%
check.inverted_dropout(inverted_dropout)

# %% [markdown]
# ## Equal at test, unequal in training
#
# Behind dropout comes a layer with weights $W$. Written out, for one mask and at test ($\odot$ is the product
# element by element):
#
# | | training | test |
# |---|---|---|
# | paper | $W\,(m \odot x)$ | $(1-p)\, W x$ |
# | inverted, weights $W'$ | $\frac{1}{1-p}\, W' (m \odot x)$ | $W' x$ |
#
# With $W' = (1-p)\, W$ the two rows are the same function, at test and for each mask. With $W' = W$, the same
# weights, they are not: the inverted form sends signals that are $1/(1-p)$ times larger.
#
# So it matters when an *initialisation* was made for one form and is used with the other. The weights
# of the network of 2012 were made for the paper's form. Here is that network, whole, with a thousand classes,
# before its first training step. It looks at ten drawn pictures. The loss is $-\ln$ of the probability that the
# network gives to the right class: one that knows nothing, and gives each class 1/1000, has $\ln 1000$.

# %%
mg.manual_seed(0)
model = build_model(RECIPES["source2012"], num_classes=1000)
initialise(model, "source2012")
pictures = np.stack([draw(name, np.random.default_rng(0), 224) for name in CLASSES])
images = mg.tensor(pictures.transpose(0, 3, 1, 2).astype("f4") - pictures.mean(dtype="f4"))
labels = mg.tensor(np.arange(10) * 100)
with mg.no_grad():
    names = [name for name, _ in model.named_children()]
    # eval: as at test, every dropout off; train() turns it on again. What fc6 reads:
    features = model.eval()[: names.index("fc6")](images)


def first_loss(dropout, training):
    mg.manual_seed(1)  # the same masks each time
    with mg.no_grad():
        x = dropout(F.relu(model.fc6(features)), 0.5, training)
        x = dropout(F.relu(model.fc7(x)), 0.5, training)
        return F.cross_entropy(model.fc8(x), labels).item()


def report(title, dropout):
    return f"{title:30} {first_loss(dropout, True):8.2f} {first_loss(dropout, False):8.2f}"


rows = [f"ln 1000 = {math.log(1000):.2f}                  training     test"]
rows += [report("the paper's form", F.paper_dropout)]
rows += [report("inverted, the same weights", F.dropout)]
for layer in (model.fc7, model.fc8):
    layer.weight.data *= 0.5
rows += [report("inverted, fc7 and fc8 halved", F.dropout)]
print("\n".join(rows))

# %% [markdown]
# With the same weights, each of the two inverted dropouts doubles what the next layer reads. The network
# begins with strong opinions, and they are wrong. The third row is the first again.
#
# So halving the weights makes the networks equal, at test and in the first training pass. It does not make
# the *training* equal. One step of training moves $W$ against its gradient, and `lr` (the learning rate) says how
# far. Weight decay $\lambda$ (`decay` in the exercise) pulls it towards 0 besides ($L$ is the loss):
#
# $$W \leftarrow W - \mathrm{lr} \left( \frac{\partial L}{\partial W} + \lambda W \right).$$
#
# ## Exercise 2: from one form to the other
#
# You are given $W$, `lr` and `decay` of a layer that follows the paper's dropout. With which three does the
# inverted form go through the *same* training? Put $W' = (1-p)\,W$ into the step above. By the chain rule,
# $\partial L / \partial W' = \frac{1}{1-p}\, \partial L / \partial W$.


# %% tags=["exercise"]
def to_inverted(weight, lr, decay, p):
    """Return the weight (of the shape of weight), the rate and the decay for the inverted form."""
    raise NotImplementedError


# %%
check.to_inverted(to_inverted)

# %% [markdown]
# For $p = 0.5$ these are a half, a quarter and four times. They apply to fc7 and fc8 only, for these read what
# dropout put out, and to their weights only, not to their biases. It holds with momentum (each step adds a part of
# the step before; notebook 13), too. Measured on a small network with one dropout layer, with the same masks in
# all four runs:


# %%
def task(seed, count, wrong_labels=0.0):
    """Points in 100 dimensions around two centres for each of ten classes; some labels wrong."""
    centres = np.random.default_rng(7).standard_normal((10, 2, 100))
    rng = np.random.default_rng(seed)
    classes, which = rng.integers(0, 10, count), rng.integers(0, 2, count)
    points = (centres[classes, which] + 1.5 * rng.standard_normal((count, 100))) / math.sqrt(3.25)
    shuffled = np.where(rng.random(count) < wrong_labels, rng.integers(0, 10, count), classes)
    return points, shuffled


def losses(dropout, scale, rate, decay, p=0.5, steps=120):
    """Loss of each step; the last layer's weight, rate and decay are multiplied as given."""
    mg.manual_seed(0)
    first, last = nn.Linear(100, 64, dtype="float64"), nn.Linear(64, 10, dtype="float64")
    last.weight.data *= 3 * scale
    optimiser = optim.SGD(
        [
            {"params": [*first.parameters(), last.bias], "weight_decay": 0.002},
            {"params": [last.weight], "lr": 0.1 * rate, "weight_decay": 0.002 * decay},
        ],
        lr=0.1,
        momentum=0.9,
    )
    points, classes = task(1, 120 * 50)
    history = []
    for step in range(steps):
        batch = slice(50 * step, 50 * step + 50)
        hidden = F.relu(first(mg.tensor(points[batch])))
        loss = F.cross_entropy(last(dropout(hidden, p)), mg.tensor(classes[batch]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(loss.item())
    return np.array(history)


paper = losses(F.paper_dropout, 1, 1, 1)
same_numbers = losses(F.dropout, 1, 1, 1)
halved = losses(F.dropout, 1 / 2, 1, 1)
converted = losses(F.dropout, 1 / 2, 1 / 4, 4)

plt.plot(same_numbers, color=RED, label="inverted, the same numbers")
plt.plot(halved, color=ORANGE, linestyle="-.", label="inverted, weights halved")
plt.plot(paper, color=BLUE, linewidth=4, alpha=0.5, label="paper")
plt.plot(converted, color=BLACK, linestyle="--", linewidth=1, label="inverted, all three converted")
plt.yscale("log")
plt.xlabel("step")
plt.ylabel("loss in training")
plt.title("Converted, the inverted form goes the paper's way, step by step")
plt.legend()
plt.show()
print("                          as the paper's form:   first step   all steps")
for name, run in (
    ("inverted, the same numbers", same_numbers),
    ("inverted, weights halved", halved),
    ("inverted, all three converted", converted),
):
    same = np.isclose(run, paper, rtol=1e-9)
    print(f"{name:48} {same[0]!s:11} {same.all()!s}")

# %% [markdown]
# So a recipe that says "dropout 0.5, weights $N(0, 0.01^2)$, rate 0.01" is incomplete: it must say which form.
#
# ## What it is for
#
# A unit of a large network can rely on others: it may correct what a certain other unit gets wrong, and be of no use
# without it. The paper calls this *co-adaptation* (section 4.2), and says that dropout prevents it, "since a neuron
# cannot rely on the presence of particular other neurons". It has to be of use together with many different sets of
# them.
#
# That can be measured. We train a network with two hidden layers of 200 units, with dropout and without, on 2,000
# points. Three labels in ten are drawn at random, so that there is something wrong to learn by heart. Then we *remove*
# units of both hidden layers for good, drawn at random, and count the errors on 1,000 points that training never saw,
# with true labels. What remains is scaled by $1/(1-q)$ for a share $q$ that is removed.
#
# **Predict before you run.** Without dropout the network gets about 16% of the points wrong. How many (in percent) will
# it get wrong when 30% of its units are removed?

# %% tags=["answer"]
error_without_units = None

# %%
train_points, train_classes = (mg.tensor(v) for v in task(1, 2000, wrong_labels=0.3))
points, classes = task(2, 1000)
points = mg.tensor(points)


def network(p):
    linear = partial(nn.Linear, dtype="float64")
    return nn.Sequential(
        linear(100, 200), nn.ReLU(), nn.Dropout(p),
        linear(200, 200), nn.ReLU(), nn.Dropout(p),
        linear(200, 10),
    )  # fmt: skip


def wrong_of(net):
    with mg.no_grad():
        return 100 * np.mean(net.eval()(points).numpy().argmax(1) != classes)


def train(p, steps=800):
    """The network after training, and (step, training loss, validation error in percent)."""
    mg.manual_seed(0)
    net, rng, history = network(p), np.random.default_rng(3), []
    optimiser = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for step in range(steps + 1):
        if step % 40 == 0:
            net.eval()  # as at test: dropout off
            with mg.no_grad():
                loss = F.cross_entropy(net(train_points), train_classes).item()
            history.append((step, loss, wrong_of(net)))
        batch = rng.integers(0, 2000, 100)
        loss = F.cross_entropy(net.train()(train_points[batch]), train_classes[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.eval(), np.array(history).T


def wrong_without(net, share, draws=5):
    """Its error when a share of the hidden units is removed, the mean over a few draws."""
    rng, errors = np.random.default_rng(0), []
    for _ in range(draws):
        x = points
        for layer in net:
            if isinstance(layer, nn.Dropout):
                kept = (rng.random(200) >= share) / (1 - share)
                x = x * mg.tensor(kept)
            else:
                x = layer(x)
        errors.append(100 * np.mean(x.detach().numpy().argmax(1) != classes))
    return np.mean(errors)


plain, without = train(0.0)
net, dropped = train(0.5)
shares = np.arange(0, 0.9, 0.1)
removed = {
    name: [wrong_without(one, share) for share in shares]
    for name, one in (("without dropout", plain), ("with dropout", net))
}
for (name, errors), colour, line in zip(
    removed.items(), (ORANGE, BLUE), ("s--", "o-"), strict=True
):
    plt.plot(100 * shares, errors, line, color=colour, label=f"trained {name}")
plt.xlabel("hidden units removed (%)")
plt.ylabel("validation error (%)")
plt.title("With dropout, a unit does not need all the others")
plt.ylim(0, None)
plt.legend()
plt.show()
check.error_without_units(error_without_units, round(removed["without dropout"][3]))
twice = removed["without dropout"][3] > 1.8 * removed["with dropout"][3]
print("30% removed: without dropout at least 1.8 times the errors:", twice)

# %% [markdown]
# Both lose by it, but the network trained without dropout loses much faster.
#
# Does dropout also make the network better when nothing is removed? It trains more slowly, and it learns the wrong
# labels by heart later:

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
for (steps, loss, wrong), colour, line, name in (
    (without, ORANGE, "--", "without dropout"),
    (dropped, BLUE, "-", "with dropout"),
):
    left.plot(steps, loss, color=colour, linestyle=line, label=name)
    right.plot(steps[1:], wrong[1:], color=colour, linestyle=line, label=name)
left.set(xlabel="step", ylabel="loss on the training set", title="Learning by heart takes longer")
right.set(xlabel="step", ylabel="validation error (%)", title="Both are best early")
right.set_ylim(0, None)
left.legend()
plt.show()

# %% [markdown]
# Look at the right picture with care. Both curves have their lowest point within the first hundred steps and rise as the
# wrong labels are learned. At its best the network with dropout makes a few errors fewer in a hundred (3% against 5%, in this
# run), and at the end it makes fewer, too; but to *stop early* would have helped either network more than dropout helps
# here. On a data set as small and as odd as this one that is no proof of anything. The paper's evidence is its own
# network: without dropout it "exhibits substantial overfitting", and with it takes about twice as many iterations
# (section 4.2).
#
# ## A crowd of networks
#
# Why does it help? One answer is in the paper: a mask over $n$ units cuts a smaller network out of the large
# one. There are $2^n$ of them, they share their weights, and each example of a batch trains one. Networks that
# answer together are called an *ensemble*. At test one would like to ask all of them and to combine their
# predictions by the *geometric mean*:
#
# $$\bar P(c) = \frac{1}{Z} \prod_{m} P_m(c)^{q_m},
# \qquad Z = \sum_{c'} \prod_{m} P_m(c')^{q_m}$$
#
# with the $M = 2^n$ networks $m$ and classes $c$. Each network counts with the probability $q_m$ of its mask, which
# is $p$ for each zero times $1 - p$ for each one in it. For $p = 0.5$ all are equally likely, $q_m = 1/M$: that is
# the case of the exercise.
#
# ## Exercise 3: the geometric mean
#
# The check also gives you a few thousand networks. A product of so many small numbers is 0 in floating
# point. What do logarithms make of a product?


# %% tags=["exercise"]
def geometric_mean(probabilities):
    """probabilities (M, C), a row for each network -> their geometric mean (C,), with sum 1."""
    raise NotImplementedError


# %%
check.geometric_mean(geometric_mean)

# %% [markdown]
# Now let dropout act on the inputs of one layer with a softmax, $P_m = \mathrm{softmax}(W (m \odot x) + b)$.
# Take the logarithm of the mean:
#
# $$\ln \bar P(c) = \underbrace{\sum_m q_m \big( W (m \odot x) + b \big)_c}_{(1-p)\,(W x)_c + b_c}
# \;-\; \text{(the same for all } c).$$
#
# The softmax does not see what is the same for all classes. So the geometric mean of *all* the networks is
# **one** network: the one with the outputs multiplied by $1 - p$. Not nearly, but exactly. Ten inputs, all
# 1,024 masks, two values of $p$:

# %%
rng = np.random.default_rng(0)
weight, bias, x = rng.standard_normal((3, 10)), rng.standard_normal(3), rng.standard_normal(10)
masks = (np.arange(1024)[:, None] >> np.arange(10)) & 1


def softmax(logits):
    return F.softmax(mg.tensor(logits), -1).numpy()


logs = np.log(softmax((masks * x) @ weight.T + bias))  # (1024, 3)
for p in (0.5, 0.3):
    q = np.prod(np.where(masks, 1 - p, p), axis=1)  # the probability of each mask
    crowd, one = np.exp(q @ logs), softmax((1 - p) * x @ weight.T + bias)
    crowd /= crowd.sum()
    print(f"p = {p}   1,024 networks:       ", crowd.round(6))
    print(f"          one, scaled by {1 - p}:  ", one.round(6))
    print("          equal:", np.allclose(crowd, one, atol=1e-12))

# %% [markdown]
# With a hidden layer behind the mask the equality is lost: ReLU of a mean is not the mean of ReLUs. The paper
# calls it "a reasonable approximation". How good is it? Take the network trained above, with its two dropout
# layers, draw 256 sub-networks for each point (dropout draws a mask for every row), and let 1, 2, 4, ... of them
# answer together:

# %%
mg.manual_seed(11)
with mg.no_grad():
    whole = F.log_softmax(net.eval()(points), 1).numpy()
    net.train()
    members = np.array([F.log_softmax(net(points), 1).numpy() for _ in range(256)])
net.eval()


def error(scores):
    return 100 * np.mean(scores.argmax(-1) != classes)


sizes = 2 ** np.arange(9)
together = [
    np.mean([error(group.mean(0)) for group in members.reshape(-1, size, *whole.shape)])
    for size in sizes
]
plt.semilogx(sizes, together, marker="o", color=BLUE, base=2, label="sub-networks together")
plt.axhline(error(whole), color=GREEN, linestyle="--", label="the whole network, once")
plt.xticks(sizes, sizes)
plt.minorticks_off()
plt.ylim(0, None)
plt.xlabel("sub-networks that answer together (geometric mean)")
plt.ylabel("validation error (%)")
plt.title("One pass of the whole network is worth a large crowd")
plt.legend()
plt.show()
print("sub-networks:", ", ".join(f"{together[k]:.1f}% ({sizes[k]})" for k in (0, 4, 8)))
print(f"the whole network: {error(whole):.1f}%")

# %% [markdown]
# A single sub-network is poor. It takes about 16 of them to come near to what the whole network does in one pass,
# and many more gain little.
#
# ## A mask that is not kept
#
# Backward needs the mask of forward: what was dropped gets no gradient. $y_i$ is $x_i$ times a constant,
# so
#
# $$\frac{\partial L}{\partial x_i} = \frac{\partial L}{\partial y_i} \cdot \frac{m_i}{1-p} .$$
#
# The mask could be stored. minigrad stores a *key* of two numbers and makes the mask again. That works since its
# random numbers come from no state but two integers, the seed and the number of draws: number $i$ of draw $s$
# under seed $k$ is a function of $(k, s, i)$ and nothing else. The function is Threefry (Salmon et al., "Parallel
# random numbers: as easy as 1, 2, 3", 2011): additions, rotations and exclusive ors of 32-bit words, twenty
# rounds. A counter goes in, noise comes out:

# %%
counter = np.arange(64, dtype=np.uint32)
word, _ = threefry2x32((0, 0), counter, np.zeros(64, np.uint32))
fig, axes = plt.subplots(1, 2, figsize=(8.5, 4.4), sharey=True)
for axis, numbers, title in zip(
    axes, (counter, word), ("in: 0, 1, 2, ... 63", "out: 64 random words"), strict=True
):
    bits = (numbers[:, None] >> np.arange(31, -1, -1, dtype=np.uint32)) & 1
    axis.imshow(bits, cmap="Greys", aspect="auto")
    axis.set(title=title, xlabel="bit, the highest at the left", xticks=[])
    axis.grid(False)
axes[0].set_ylabel("number")
plt.show()

# %% [markdown]
# An element is dropped where its word is less than $p \cdot 2^{32}$. The generator that `mg.manual_seed` seeds
# only counts the draws:

# %%
mg.manual_seed(5)
print("seed and draws so far: ", default_generator.state)
t = mg.tensor(np.ones(12), requires_grad=True)
y = F.dropout(t, 0.5)
print("after one dropout:     ", default_generator.state)
y.sum().backward()
print("mask of seed 5, draw 0:", dropout_mask((12,), 0.5, Key(5, 0)).astype(int))
print("y:                     ", y.detach().numpy().astype(int))
print("grad:                  ", t.grad.numpy().astype(int))

# %% [markdown]
# ## Exercise 4: backward without a stored mask
#
# `dropout_mask(shape, p, key)` draws the mask of a key: True where an element is kept.


# %% tags=["exercise"]
def dropout_backward(grad, p, key):
    """dx of the shape of grad, for the inverted dropout whose mask was drawn from key."""
    raise NotImplementedError


# %%
check.dropout_backward(dropout_backward)

# %% [markdown]
# What it buys is not so much memory: the masks of fc6 and fc7, at a byte a unit, are $128 \cdot (4096 + 4096)$
# bytes for 128 images, a megabyte. It is this: a GPU and a CPU draw the same mask bit by bit, so that their results
# can be compared. A run that was stopped goes on with the very masks that it would have had, from two saved
# integers. And the result does not depend on how many threads draw.
#
# One trap remains. A gradient check calls the function many times; if each call draws another mask, it is
# another function each time. minigrad's check notices:

# %%
x = mg.tensor(np.random.default_rng(0).standard_normal((4, 50)), requires_grad=True)
print("with a fixed key:", mg.gradcheck(lambda t: F.dropout(t, 0.3, key=Key(1, 2)), [x]))
try:
    mg.gradcheck(lambda t: F.dropout(t, 0.3), [x])
except mg.GradcheckError as problem:
    print("with a new mask each time:", problem)

# %% [markdown]
# ## Where it stands
#
# In the paper, dropout acts on the *outputs* of fc6 and fc7, the first two of three fully connected layers. Many
# copies, torchvision's among them, put it *before* fc6 and fc7. That is one place earlier: it drops the
# pooled maps and never the output of fc7.

# %%
for name, variant in (("paper", "two-tower"), ("torchvision", "one-tower")):
    layers = AlexNet(10, variant, fc_width=8).modules()
    dense = [type(layer).__name__ for layer in layers if isinstance(layer, nn.Linear | nn.Dropout)]
    print(f"{name:12}", " ".join(dense))

# %% [markdown]
# ## Your code is the network
#
# The next cell puts your two passes in the place of minigrad's. Your `inverted_dropout` gets the random numbers that
# belong to a key, your `dropout_backward` the key.

# %%
yours.plug("09_dropout", globals())

# %% [markdown]
# ## What to remember
#
# - The paper multiplies by $1 - p$ at test; the inverted form divides by $1 - p$ in training. $p$ is the
#   probability of a *zero*. Test your code away from $p = 0.5$.
# - A unit that was trained with dropout does not rely on particular others: it is less co-adapted.
# - The same function needs $W' = (1-p)\,W$; the same training also needs $(1-p)^2$ of the rate and $1/(1-p)^2$
#   of the decay.
# - For one layer, the scaled network *is* the geometric mean of all $2^n$ sub-networks, each weighted with its
#   probability. For more it is near.
# - Random numbers that are a function of a counter need no memory, and no state but the seed and the counter.
#
# ## Further
#
# No check, only for you. Change `train` so that dropout acts at p = 0.2 or 0.8 and draw the picture of the removed units
# again. You should see the curve of 0.2 between the two, and a network at 0.8 that bears the loss of most of its units
# but was hardly trained after 800 steps. Give it more. Or set the labels right (`wrong_labels=0.0`): what is left of
# the difference at the end of the training?
#
# [Solutions](solutions/09_dropout.ipynb). Next: [notebook 10](10_data.ipynb), the data.
