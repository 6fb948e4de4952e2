# %% [markdown]
# # 3. A linear layer and its loss
#
# **At the end you will know** how the scalars of notebook 1 become matrices, why the gradient of a weight is
# $g^\top x$, what backward does where NumPy broadcasts, how softmax and cross-entropy work together and why
# their gradient is simply $p - t$, and where 96% of AlexNet's weights are. You will have written all of it and
# trained a classifier with it.
#
# About 75 minutes: 35 to read, 40 for the five exercises. You need notebook 1 (the chain rule backwards), notebook
# 2 for one check (differences), the product of two matrices, and the derivatives of $e^x$ and $\ln x$.

# %%
import matplotlib.pyplot as plt
import numpy as np

from alexnet_course import n03_linear as check
from alexnet_course import yours
from alexnet_course.digits import digits
from alexnet_course.style import BLUE, ORANGE, RED, use_style
from alexnet_scratch.model import AlexNet

use_style()

# %% [markdown]
# ## From scalars to matrices
#
# A linear unit multiplies each of its inputs by a weight, adds the products up, and adds a bias:
#
# $$y = b + w_1 x_1 + w_2 x_2 + \dots$$
#
# A *layer* has many such units that read the same inputs, and a *batch* has many images, $N$ of them. Two images $n$ with
# two inputs each, and two units $o$, written out in scalars as in notebook 1:
#
# $$y_{11} = b_1 + w_{11} x_{11} + w_{12} x_{12} \qquad y_{12} = b_2 + w_{21} x_{11} + w_{22} x_{12}$$
# $$y_{21} = b_1 + w_{11} x_{21} + w_{12} x_{22} \qquad y_{22} = b_2 + w_{21} x_{21} + w_{22} x_{22}$$
#
# $y_{no}$ is unit $o$ of image $n$; $w_{oi}$ is its weight for input $i$. So `x` has a row for each image, and
# `weight` a row for each unit, shape (out, in), as in PyTorch. A matrix product multiplies *rows by columns*;
# here rows meet rows, so one of the two has to be transposed:
#
# $$Y = X\,W^\top + b \qquad\qquad y_{no} = b_o + \sum_i x_{ni}\, w_{oi}$$
#
# AlexNet ends in three such layers, fc6, fc7 and fc8 (*fully connected*: each unit reads all inputs).

# %%
x = np.array([[1.0, 2.0], [3.0, 4.0]])  # two images
weight = np.array([[10.0, 1.0], [0.0, -1.0]])  # two units
print("unit 0 of image 0:", x[0, 0] * weight[0, 0] + x[0, 1] * weight[0, 1])
print("all at once:")
print(x @ weight.T)

# %% [markdown]
# ## Exercise 1: forward


# %% tags=["exercise"]
def linear_forward(x, weight, bias):
    """x (N, in), weight (out, in), bias (out,) -> y (N, out)."""
    raise NotImplementedError


# %%
check.linear_forward(linear_forward)

# %% [markdown]
# ## Backward, on paper
#
# Let $g_{no} = \partial L / \partial y_{no}$; backward is given these. Where does $w_{11}$ occur in the four
# equations above? In $y_{11}$, with the factor $x_{11}$, and in $y_{21}$, with the factor $x_{21}$. The chain
# rule adds up over both:
#
# $$\frac{\partial L}{\partial w_{11}} = g_{11} x_{11} + g_{21} x_{21} \qquad
# \frac{\partial L}{\partial w_{12}} = g_{11} x_{12} + g_{21} x_{22}$$
# $$\frac{\partial L}{\partial w_{21}} = g_{12} x_{11} + g_{22} x_{21} \qquad
# \frac{\partial L}{\partial w_{22}} = g_{12} x_{12} + g_{22} x_{22}$$
#
# The sum runs over the *images*, the first index of both. So it is a matrix product in which the images meet:
#
# $$\frac{\partial L}{\partial w_{oi}} = \sum_n g_{no}\, x_{ni} \qquad\Longleftrightarrow\qquad dW = g^\top x$$
#
# In the same way: $x_{11}$ occurs in $y_{11}$, with the factor $w_{11}$, and in $y_{12}$, with $w_{21}$. Here
# the sum runs over the *units*:
#
# $$\frac{\partial L}{\partial x_{ni}} = \sum_o g_{no}\, w_{oi} \qquad\Longleftrightarrow\qquad dx = g\, W$$
#
# And $b_o$ occurs in unit $o$ of every image, with the factor 1:
#
# $$\frac{\partial L}{\partial b_o} = \sum_n g_{no}$$
#
# If you forget the order, look at the shapes. $dW$ must be (out, in); $g$ is (N, out) and $x$ is (N, in): only
# $g^\top x$ fits. But in our example everything is 2×2, and any order fits. *A square test hides a mistake*: always
# try a layer on lengths that differ.
#
# ## Exercise 2: backward


# %% tags=["exercise"]
def linear_backward(grad, x, weight):
    """grad (N, out), x (N, in), weight (out, in) -> dx, dweight, dbias, shaped like x, weight, bias."""
    raise NotImplementedError


# %%
check.linear_backward(linear_backward)

# %% [markdown]
# ## What is copied forward is added up backward
#
# In $XW^\top + b$ the shapes (N, out) and (out,) do not match. NumPy *broadcasts*: it lines the shapes up at
# their right ends, and repeats each array along every axis that it does not have, or in which its length is 1 and
# the other's is not. (So both may be repeated.)

# %%
for small in ((3,), (1, 3), (4, 1), ()):
    print(f"{small!s:7} is repeated to", np.broadcast_shapes((4, 3), small))

# %% [markdown]
# Nothing is really copied, but for the derivative it is as if: $b_o$ stands in every row of the sum. So its
# gradient is the sum over the rows, which you have just written as $dbias$. That is a rule for every operation
# that broadcasts, whatever it computes: **sum the gradient over the axes along which the input was repeated.**
# An engine needs it for `x + b`, for `x * scale`, for the mean that is subtracted. (In terms of matrices:
# repeating is linear, and summing is its transpose, its *adjoint*.)
#
# The rule also explains a bug that everybody meets once. Here are the targets of eight images and the outputs
# of a layer with one unit, and the mean squared error between them:

# %%
rng = np.random.default_rng(0)
target = rng.standard_normal(8)  # (8,)
output = target[:, None] + 0.1 * rng.standard_normal((8, 1))  # (8, 1): nearly right
print(f"mean squared error {np.mean((output - target) ** 2):.2f}, expected about 0.01")

# %% [markdown]
# **A question.** What is the shape of `output - target`? (a) (8,), (b) (8, 1), (c) (8, 8), (d) none: NumPy
# refuses. Write the letter into the next cell, with quotation marks, and run both.

# %% tags=["answer"]
difference = None

# %%
check.difference(difference)

# %% [markdown]
# ## Exercise 3: the sum that undoes broadcasting
#
# `grad` has the broadcast shape. Return an array of the given shape. An axis of length 1 stays, with length 1.


# %% tags=["exercise"]
def sum_to(grad, shape):
    """grad, whose shape was broadcast from `shape` -> its sum over the repeated axes, of `shape`."""
    raise NotImplementedError


# %%
check.sum_to(sum_to)

# %% [markdown]
# ## Softmax: from numbers to probabilities
#
# The last layer of a classifier has a unit for each class. Its outputs $z_c$, the *logits*, may be any numbers.
# Softmax makes probabilities of them: positive, with the sum 1, and the larger the logit the larger its share.
#
# $$p_c = \frac{e^{z_c}}{\sum_j e^{z_j}}$$
#
# As it stands the formula breaks down at once: $e^{1000}$ is not a number that a computer has. In float32, the
# precision of most training, $e^{89}$ already is too large:

# %%
with np.errstate(over="ignore", invalid="ignore"):
    z = np.array([89.0, 0.0], "f4")
    print("exp(z):", np.exp(z), "  the formula:", np.exp(z) / np.exp(z).sum())

# %% [markdown]
# The way out: subtract the same number $m$ from all logits of an image. The factor $e^{-m}$ cancels,
#
# $$\frac{e^{z_c - m}}{\sum_j e^{z_j - m}} = \frac{e^{-m} e^{z_c}}{e^{-m} \sum_j e^{z_j}} = p_c ,$$
#
# so only the *differences* between logits count. With $m = \max_j z_j$ the largest exponent is 0: nothing
# overflows, and the sum is at least 1, so that nothing is divided by 0.
#
# ## Exercise 4: softmax


# %% tags=["exercise"]
def softmax(z):
    """z (N, C), a row for each image -> p (N, C), a distribution in each row."""
    raise NotImplementedError


# %%
check.softmax(softmax)

# %% [markdown]
# ## Cross-entropy: how wrong is that?
#
# The network gave the right class, the *label* $l$, the probability $p_l$. The loss of this image is
#
# $$L = -\ln p_l .$$
#
# It is 0 if the network was certain and right, and it grows without a limit the more certain it was of
# something else. (The name comes from information theory: it is the cross-entropy between $p$ and the "one-hot"
# distribution $t$, which is 1 at the label and 0 elsewhere: $L = -\sum_c t_c \ln p_c$.)

# %%
p = np.linspace(0.005, 1, 200)
plt.figure(figsize=(6.4, 3.2))
plt.plot(p, -np.log(p), color=BLUE, linewidth=2)
plt.plot(0.1, np.log(10), "o", color=ORANGE)
plt.annotate("one of ten classes, guessed", (0.1, np.log(10)), (0.2, 3.0))
plt.plot(0.5, np.log(2), "o", color=ORANGE)
plt.annotate("even odds", (0.5, np.log(2)), (0.54, 1.1))
plt.xlabel("probability of the right class")
plt.ylabel("loss")
plt.title("-ln p: being sure and wrong is what costs")
plt.show()

# %% [markdown]
# **The gradient.** Write the loss with the logits:
#
# $$L = -\ln \frac{e^{z_l}}{\sum_j e^{z_j}} = -z_l + \ln \sum_j e^{z_j} .$$
#
# Its derivative by $z_c$ has two parts. The first, $-z_l$, gives $-1$ if $c$ is the label, else 0: that is
# $-t_c$. The second gives, by the chain rule, $e^{z_c}$ over the sum: that is $p_c$. Together
#
# $$\frac{\partial L}{\partial z_c} = p_c - t_c .$$
#
# Nothing could be simpler: what the network said, less what is true. It is never larger than 1, and it goes to 0
# exactly as the network gets the image right. (Had we stopped at $p$, $\partial L / \partial p_l = -1 / p_l$ would
# have grown without a limit for a bad guess, and the slope of softmax would have become as small: two factors
# that only behave well together. Hence one function for both.)
#
# For a batch one takes the *mean* over its $N$ images, so that the size of a step does not depend on how many
# there are; every gradient is then divided by $N$.
#
# A last trap: for a network that is sure and wrong, $p_l$ is so small that the computer rounds it to 0, and
# $\ln 0$ is infinite. The form $-z_l + \ln \sum_j e^{z_j}$, with the shift, never takes the logarithm of a small
# number.
#
# ## Exercise 5: the loss and its gradient


# %% tags=["exercise"]
def cross_entropy(logits, labels):
    """logits (N, C), labels (N,) whole numbers -> the mean loss, and its gradient (N, C)."""
    raise NotImplementedError


# %%
check.cross_entropy(cross_entropy)

# %% [markdown]
# ## A classifier that learns
#
# That is a whole network: one linear layer and its loss. Its task is to tell digits apart, drawn here by a pen that
# trembles, 16×16 pixels each:

# %%
train_images, train_labels = digits(1500, seed=1)
test_images, test_labels = digits(1000, seed=2)
fig, axes = plt.subplots(3, 10, figsize=(8.4, 2.9))
for digit, column in enumerate(axes.T):
    for ax, image in zip(column, train_images[train_labels == digit], strict=False):
        ax.imshow(image, cmap="Greys", vmin=0, vmax=1)
        ax.axis("off")
plt.show()

# %% [markdown]
# 256 pixels in, ten classes out: 2,560 weights and ten biases. All of them begin at 0. **Predict before you run:**
# what is the first loss? Write a number into the next cell. The training tells whether it was so.

# %% tags=["answer"]
first_loss = None

# %% [markdown]
# Now train: take 100 images at random, forward, backward, and a step of the weights against their gradient. The
# functions are yours where they are right (and no loops over single numbers: there are hundreds of steps), and
# ready-made ones elsewhere:

# %%
forward, backward, loss_of = check.in_use(linear_forward, linear_backward, cross_entropy)

# %% [markdown]
# First a gradient check of the whole chain, as in notebook 2: each weight of a small layer is moved a little to both
# sides.

# %%
x, labels = rng.standard_normal((5, 4)), np.array([0, 2, 1, 2, 0])
weight, bias, step = rng.standard_normal((3, 4)), rng.standard_normal(3), 1e-5
_, dlogits = loss_of(forward(x, weight, bias), labels)
_, dweight, _ = backward(dlogits, x, weight)
slopes = np.zeros((3, 4))
for place in np.ndindex(3, 4):
    move = np.zeros((3, 4))
    move[place] = step
    up, down = (loss_of(forward(x, weight + m, bias), labels)[0] for m in (move, -move))
    slopes[place] = (up - down) / (2 * step)
print("dweight agrees with differences:", np.allclose(dweight, slopes, atol=1e-8))


# %%
def train(images, labels, steps=400, lr=0.5):
    """The layer's weight and bias, and the loss of each step."""
    weight, bias = np.zeros((10, 256)), np.zeros(10)
    rng, losses = np.random.default_rng(0), []
    for _ in range(steps):
        batch = rng.integers(0, len(images), 100)
        x = images[batch].reshape(100, 256)
        loss, dlogits = loss_of(forward(x, weight, bias), labels[batch])
        _, dweight, dbias = backward(dlogits, x, weight)
        weight -= lr * np.asarray(dweight)
        bias -= lr * np.asarray(dbias)
        losses.append(loss)
    return weight, bias, losses


def right_of(weight, bias, images, labels):
    """The share of images that get their own class."""
    logits = np.asarray(forward(images.reshape(-1, 256), weight, bias))
    return np.mean(logits.argmax(1) == labels)


weight, bias, losses = train(train_images, train_labels)
plt.plot(losses, color=BLUE)
plt.axhline(np.log(10), color=ORANGE, linestyle="--", label="ln 10")
plt.xlabel("step")
plt.ylabel("loss")
plt.title("A linear layer learns to tell drawn digits apart")
plt.legend()
plt.show()
right = right_of(weight, bias, test_images, test_labels)
check.first_loss(first_loss, losses[0])
print(f"right on new digits: more than 95%: {right > 0.95}")

# %% [markdown]
# What has it learned? The weights of a unit have the shape of the image, so we can look at them. Red says
# "ink here speaks for me", blue "against me":

# %%
fig, axes = plt.subplots(2, 5, figsize=(8.4, 3.8))
limit = np.abs(weight).max()
for digit, ax in enumerate(axes.flat):
    ax.imshow(weight[digit].reshape(16, 16), cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set(title=f"unit {digit}", xticks=[], yticks=[])
    ax.grid(False)
plt.show()

# %% [markdown]
# Each unit is a *template*, laid over the image. Unit 0 wants a ring and nothing in the middle. That works as
# long as every digit stands where the template expects it. So let us move the digits. In training they were up to
# one pixel off the middle; now up to two, three, four:

# %%
shifts = (1, 2, 3, 4)
moved = {shift: digits(1000, 2, shift) for shift in shifts}
shares = [100 * right_of(weight, bias, *moved[shift]) for shift in shifts]
again, bias_again, _ = train(*digits(1500, 1, 4))
anywhere = [100 * right_of(again, bias_again, *moved[shift]) for shift in shifts]
plt.plot(shifts, shares, "o-", color=BLUE, label="trained on digits in the middle")
plt.plot(shifts, anywhere, "s--", color=RED, label="trained on moved digits")
plt.axhline(10, color="grey", linestyle=":", label="guessing")
plt.xticks(shifts)
plt.ylim(0, 102)
plt.xlabel("test digits are moved by up to ... pixels")
plt.ylabel("right (%)")
plt.title("A template cannot follow a digit that moves")
plt.legend()
plt.show()
print("moved by up to 4 pixels, less than half are right:", max(shares[3], anywhere[3]) < 50)

# %% [markdown]
# Three pixels, and two thirds are wrong. To train on moved digits does not help much, either: one template would
# have to be the sum of the digit at all places, a smear. What is missing is a layer that looks for *the same thing
# at every place*. That is a convolution, the next notebook.
#
# ## Where AlexNet's weights are
#
# Even so AlexNet ends in three linear layers. How much of the network is in them? (The paper's network, with its
# two towers; a convolution's weights are counted in the same way.)

# %%
model = AlexNet(1000, "two-tower")
layers = [(n, layer) for n, layer in model.named_children() if hasattr(layer, "weight")]
sizes = {name: sum(p.data.size for p in layer.parameters()) for name, layer in layers}
total = sum(sizes.values())
plt.bar(sizes.keys(), [size / 1e6 for size in sizes.values()], color=[BLUE] * 5 + [ORANGE] * 3)
plt.ylabel("weights and biases (millions)")
plt.title("AlexNet's weights: five convolutions, three linear layers")
plt.show()
dense = sum(size for name, size in sizes.items() if name.startswith("fc"))
print(f"fc6, fc7, fc8: {dense:,} of {total:,}, {dense / total:.0%}")

# %% [markdown]
# fc6 reads 6×6 places of 256 maps, 9,216 numbers, and has 4,096 units: 37.7 million weights, each for one pair of
# an input and a unit. **Predict before you run:** how much of the *work* is in the three linear layers? Write down
# what percentage of all multiplications of one image you expect there.

# %% tags=["answer"]
work_share = None

# %%
SIDES = {"conv1": 55, "conv2": 27, "conv3": 13, "conv4": 13, "conv5": 13}  # of a map, figure 2
work = {name: layer.weight.data.size * SIDES.get(name, 1) ** 2 for name, layer in layers}
share = 100 * sum(work[name] for name in ("fc6", "fc7", "fc8")) / sum(work.values())
check.work_share(work_share, round(share, 1))

# %% [markdown]
# A linear layer uses each weight once for an image. A convolution uses each of its few weights at every place of the
# map, 55×55 times in conv1.
#
# ## Your code is the network
#
# The next cell puts your functions in the place of minigrad's, runs both on the same inputs and compares them. What is
# not right yet stays ready-made.

# %%
yours.plug("03_linear", globals())

# %% [markdown]
# ## What to remember
#
# - $Y = XW^\top + b$; backward is $dx = gW$, $dW = g^\top x$, $db = \sum_n g$. The shapes tell the order, if they
#   differ.
# - What is repeated in forward is summed in backward.
# - Softmax sees only differences: subtract each row's maximum. Softmax and cross-entropy together have the
#   gradient $(p - t) / N$, and the first loss of a network that knows nothing is $\ln C$.
# - A linear layer is one template for each class. It holds 96% of AlexNet's weights, and cannot follow what moves.
#
# ## Further
#
# No check, only for you. Put a second layer in front: `hidden = np.maximum(forward(x, w1, b1), 0)` with 100 units,
# and first weights from a normal distribution with a standard deviation of 0.1. Backward goes through the second
# `linear_backward`, then is set to 0 where `hidden` is 0, then through the first. Train it on digits moved by up to
# 4 pixels. You should see it do clearly better than the template, and still far from the 97% of digits that stand
# still. What happens if all weights of both layers begin at 0, and why did that do no harm here?
#
# [Solutions](solutions/03_linear.ipynb). Next: [notebook 4](04_convolution.ipynb), convolution.
