# %% [markdown]
# # 0. The whole game
#
# **At the end you will know** what a network like AlexNet does with an image, and how it errs; what it looks like
# when training is stuck; what ImageNet and "top-5" are; why the year 2012 mattered, and what came after it; and
# which lesson of this course takes which part of the network apart.
#
# About 22 minutes: 17 to read, 5 for the exercise. You need Python, and nothing about networks. What is said
# quickly here, the lessons say slowly.

# %%
import matplotlib.pyplot as plt
import numpy as np

import alexnet_scratch
import minigrad as mg
from alexnet_course import n00_whole_game as check
from alexnet_course.photographs import photograph
from alexnet_course.style import BLUE, ORANGE, use_style
from alexnet_scratch.data import patterns
from alexnet_scratch.initialise import initialise
from alexnet_scratch.model import AlexNet
from minigrad import nn, optim

use_style()

# %% [markdown]
# ## A network that names what it sees
#
# A trained network comes with this project. It has AlexNet's eight layers, made narrower, and was shown 9,469
# photographs of ten kinds of thing, about forty times over. It has never seen the two pictures below: the first is
# computed, a sphere with dimples on a photograph of grass, and so is the second.

# %%
trained = alexnet_scratch.load("boxed")
classes = check.names_of(trained)
print("It knows:", ", ".join(classes))
check.show(trained, [check.golf_ball(), check.parachute()])

# %% [markdown]
# Nobody wrote down what a golf ball is. There is no line in the program about dimples. There are 1.4 million
# numbers, the *weights*, and training has moved them until photographs of golf balls gave "golf ball".
#
# ## A wrong answer
#
# **Predict before you run.** None of the ten classes is a cat. What will the network say to a photograph of one?
#
# - (a) that it does not know
# - (b) about the same share, 10%, for each of the ten
# - (c) one of its ten, with a large share

# %% tags=["answer"]
what_of_a_cat = None  # "a", "b" or "c"

# %%
check.show(trained, [photograph(name) for name in ("cat", "rocket", "clock", "bricks")])
check.what_of_a_cat(what_of_a_cat)

# %% [markdown]
# These four photographs are free for everyone (who took them: alexnet_course/photographs/README.md), and the
# network is wrong about all of them, but not at random: a tower before the sky is a *church*, so is a wall of
# bricks, and something white and round is a *golf ball*. (Why the cat is a French horn is anybody's guess.) To see
# what it went by, cover a part of the rocket's picture with grey, ask again, and repeat for all places. The share of
# "church" falls where the rocket stands and at the feet of the masts, and hardly anywhere in the sky:

# %%
check.show_covered(trained, photograph("rocket"), "church")

# %% [markdown]
# A photograph of your own, beside this notebook? (Lesson 19 does more with it.)

# %%
my_photograph = None  # for example "holiday.jpg"

if my_photograph is not None:
    check.show(trained, [trained.image(my_photograph)])

# %% [markdown]
# ## How good is it? Top-1 and top-5
#
# For a fair mark, photographs are held back and used for the test alone. They belong to others, so here are only
# the numbers that the network gave for them: ten scores (*logits*) for each of 3,925, and the right class. (The
# shares above were made of such scores, by the *softmax*: $e$ to the power of each, divided by the sum of all ten.)
#
# ImageNet, which this is a small part of, has more than 15 million photographs in some 22,000 classes, labelled by
# people on the web (paper, section 2). Its yearly contest, ILSVRC, took 1000 classes and 1.2 million photographs.
# Each has *one* label, though many show several things: a dog on a sofa may be labelled "studio couch". So the
# contest counts an answer as right if the label is among the five likeliest classes. The share of wrong ones is the
# **top-5 error**.
#
# ### Exercise 1: the top-k error


# %% tags=["exercise"]
def top_k_error(scores, labels, k):
    """The share, from 0 to 1, of images whose label is not among the k classes with the largest scores.

    scores is an array (images, classes), labels an array (images,) of whole numbers.
    (np.argsort sorts the smallest first, and gives places.)
    """
    raise NotImplementedError


# %%
check.top_k_error(top_k_error)

# %% [markdown]
# If yours is right, the next cell prints both errors of the network. (With ten classes, five guesses are
# generous; with a thousand they are not.) Then come its most frequent mistakes.

# %%
logits, labels = check.answers()
if check.top_k_error.verdict(top_k_error) == "top_k_error: right.":
    for k in (1, 5):
        print(f"top-{k} error: {top_k_error(logits, labels, k):.1%}")
check.print_mistakes(logits, labels, classes)

# %% [markdown]
# ## It learns, or it is stuck
#
# How do the weights get there? They start as random numbers. The network names a few images, the *loss* says how
# far off it was (minus the natural logarithm of the share that it gave the right class), and every weight moves a
# little in the direction in which the loss falls. Again, and again: that is all of training.
#
# Sometimes not even that happens. Below, a tiny AlexNet learns ten drawn patterns, twice. Both times everything is the
# same, except how large the random numbers are at the start: as in the paper, with a standard deviation of 0.01,
# and scaled layer by layer until the signal keeps its size, as has been done since.
#
# **Predict before you run.** A network that has learnt nothing gives each of ten classes the same share. What is
# its loss?

# %% tags=["answer"]
stuck_at = None  # a number

# %%
rng = np.random.default_rng(0)
labels = np.arange(400) % 10
drawn = np.stack([patterns.draw(patterns.CLASSES[label], rng, 67) for label in labels])
x = (drawn.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 64
loss_of = nn.CrossEntropyLoss()

for start, colour, name in (("paper", ORANGE, "paper's start"), ("lsuv", BLUE, "scaled by layer")):
    mg.manual_seed(0)
    rng = np.random.default_rng(1)  # the same images in the same order
    network = AlexNet(10, input_size=67, widths=(16, 24, 24, 24, 16), fc_width=64, dropout_p=0.0)
    initialise(network, start, mg.tensor(x[:40]))
    optimizer = optim.SGD(network.parameters(), lr=0.015, momentum=0.9)
    losses = []
    for _ in range(200):
        few = rng.integers(0, 400, 32)
        loss = loss_of(network(mg.tensor(x[few])), mg.tensor(labels[few]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    plt.plot(losses, color=colour, label=name)
plt.axhline(np.log(10), color="0.4", linestyle=":")
plt.text(165, 1.04 * np.log(10), "ln 10", color="0.4")
plt.xlabel("step")
plt.ylabel("loss")
plt.ylim(0, 2.9)
plt.title("The same network, twice")
plt.legend(loc="lower left")
plt.show()
check.stuck_at(stuck_at)

# %% [markdown]
# The orange line is one of the most asked questions about AlexNet. Nothing is broken there: every gradient is
# right, but hardly anything of the image reaches the last layer, and hardly anything of the loss comes back to the
# first. Lesson 12 finds out why, and how the paper's own network escaped.
#
# ## How it came to this
#
# Until 2011, a program that named photographs had two parts. The first was written by people: it described
# small patches by the directions of their edges (**SIFT**, 1999, and **HOG**, 2005), and summed these descriptions
# up for the image (by **Fisher vectors**, for instance). The second was learnt: a **support vector machine**, a
# plane between the descriptions of one class and the others. Only the plane came from data.
#
# Networks in which *everything* comes from data existed. **LeNet-5** (LeCun and others, 1998) read digits with
# 60,000 weights, and has the convolutions, the pooling and the fully connected layers that AlexNet has. But it
# was not known to work for photographs of a thousand kinds: there were neither enough of them, nor machines to
# learn from them. ImageNet (2009) brought the photographs, and cards made for computer games the computing: two of
# them took five to six days.
#
# Alex Krizhevsky, Ilya Sutskever and Geoffrey Hinton put both together. On the classes of 2010, where the test
# labels are public, the paper compares (table 1), top-1 and top-5 error:
#
# | | top-1 | top-5 |
# |---|---|---|
# | sparse coding | 47.1% | 28.2% |
# | SIFT and Fisher vectors | 45.7% | 25.7% |
# | AlexNet | 37.5% | 17.0% |
#
# (On a larger set, the 10,184 classes of fall 2009, it had 67.4% and 40.9%.) And in the contest of 2012, five such
# networks together had a top-5 error of 16.4%, and with two more that had been trained on all of ImageNet before,
# 15.3%. The second best, with features by hand, had 26.2%:

# %%
check.show_top_5()

# %% [markdown]
# Two years later nearly every entry was a network. **ZFNet** (2013) looked into AlexNet and improved what it saw;
# **VGG** (2014) replaced large filters by stacks of 3×3 ones; **GoogLeNet** (2014) had 22 layers and a twelfth of
# the weights; **ResNet** (2015) had 152 layers, in blocks that add to their input. What the networks had learnt
# turned out to help with other tasks (finding objects, medical images), which is called *transfer*. Since 2020 the
# largest are often *transformers*, which were made for text and are trained by the same loop. The year 2012 did
# not invent the convolution. It showed that data, computing and depth were what had been missing.
#
# ### Why convolutions?
#
# A fully connected layer gives each output a weight for every number of the image. A convolution assumes two
# things about pictures (paper, section 1): what belongs together is *close together*, and what is worth finding may be
# *anywhere*. So an output reads a small window only, and all windows share their weights. AlexNet's first layer
# reads windows of 11×11 pixels in three colours, and puts out 96 maps of 55×55 numbers; the image has 224×224
# pixels.
#
# **A question.** A connection is one input that one output reads. If a fully connected layer put out as many numbers,
# how many times more connections would it have? (You may compute it in the cell.)

# %% tags=["answer"]
fewer_connections = None  # a number

# %%
check.fewer_connections(fewer_connections)

# %%
image, window, outputs = 224 * 224 * 3, 11 * 11 * 3, 96 * 55 * 55
print(f"{'':<18}{'reads':>9}{'connections':>17}{'weights':>17}")
print(f"{'convolution':<18}{window:>9,}{outputs * window:>17,}{96 * window:>17,}")
print(f"{'fully connected':<18}{image:>9,}{outputs * image:>17,}{outputs * image:>17,}")

# %% [markdown]
# The convolution has a millionth of the weights, so that it can be learnt from a million photographs.
#
# ## The map
#
# This is the network in the box from top to bottom. A bar is a layer, as long as the logarithm of how many
# numbers it puts out for an image; beside it is the lesson that takes this layer apart.

# %%
check.show_map(trained)

# %% [markdown]
# And around it:
#
# - **1** how a program finds the slope of the loss along every weight, **2** and **8** how one proves it right;
# - **12** how it starts, and **13** how it moves; **11** the network as a whole, and why 224 gives 55;
# - **14** and **15** what is inside when it is trained; **16** and **17** how a graphics card computes it;
# - **18** what the paper says and its program does; **19** what came after;
# - **20** your own AlexNet, from the functions that you will have written.
#
# ## What to remember
#
# - A network turns an image into a score for each class it knows, and knows no others.
# - Top-5: the label is among the five likeliest classes. 26.2% without networks in 2012, 15.3% with AlexNet.
# - A loss that stays at ln C is that of a network that gives all C classes the same share.
# - Before 2012, people wrote what to look for. Since then it is learnt.
#
# ## Further
#
# Take ten photographs of one thing that the network knows (a church, a golf ball), from near and far, upright and
# upside down, and count how often it is right. You would see that it minds the distance little and the orientation a
# great deal: nobody showed it a church upside down.
#
# [Solutions](solutions/00_whole_game.ipynb). Next: [notebook 1](01_autograd.ipynb), autograd: the slope of the loss
# along every weight.
