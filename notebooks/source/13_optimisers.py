# %% [markdown]
# # 13. Momentum, decay, schedules, and going on to the bit
#
# **At the end you will know** what momentum does in a narrow valley, how the paper's update differs from PyTorch's,
# what a weight decay of 0.0005 is worth, how a plateau schedule decides, and what a run must keep so that it goes
# on, to the bit, as if it had never stopped. You will have trained an AlexNet.
#
# About 60 minutes to read, 25 for the two exercises; the last section, on Adam, is optional. You need notebook 12 (the
# network and its signal), and from school the derivative; the *curvature* of a loss is its second derivative.
# One passage uses Bayes' rule for conditional probabilities; it may be skipped. On a quiet machine the whole
# notebook computes for about two minutes, most of it in the training run, which says how long it has to go.

# %%
import contextlib
import io
import math
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, Markdown, display
from safetensors.numpy import load_file

import minigrad as mg
from alexnet_course import n13_optimisers as check
from alexnet_course import signals, small_run, yours
from alexnet_course.style import BLACK, BLUE, GREEN, RED, use_style
from alexnet_scratch.data import patterns
from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training.checkpoint import load_checkpoint
from alexnet_scratch.training.input import data_note, open_splits
from alexnet_scratch.training.schedule import RecipeLR
from alexnet_scratch.training.trainer import Trainer
from minigrad import optim

use_style()

# %% [markdown]
# ## Momentum
#
# Plain gradient descent, $w \leftarrow w - \mathrm{lr}\; \partial L / \partial w$, in a valley
# $L = \frac{1}{2} c\, w^2$ of curvature $c$:
#
# $$w \leftarrow (1 - \mathrm{lr}\, c)\, w, \qquad \text{which shrinks } w \text{ only if } \mathrm{lr} < 2 / c.$$
#
# A loss has many directions, and the *steepest* sets the limit. Along a direction that is 200 times flatter,
# one step with the largest possible rate removes only 1% of the way.
#
# Momentum keeps a *velocity* $v$ that forgets slowly. Let `momentum` be 0.9. Where gradients keep their sign,
# they add up: $1 + 0.9 + 0.9^2 + \dots = 10$ times as far per step. Where the path goes back and forth, they
# partly cancel, and $v$ stays small.
#
# ## Exercise 1: one step, by either rule
#
# Two ways to write it. `lr` is the rate; `weight_decay` $\lambda$ pulls each weight towards 0 (the next
# section says why).
#
# | the paper (section 5) | PyTorch |
# |---|---|
# | $v \leftarrow \mathrm{momentum} \cdot v - \lambda\, \mathrm{lr}\, w - \mathrm{lr}\, \mathrm{grad}$ | $v \leftarrow \mathrm{momentum} \cdot v + \mathrm{grad} + \lambda\, w$ |
# | $w \leftarrow w + v$ | $w \leftarrow w - \mathrm{lr}\, v$ |
#
# The paper's numbers are 0.9, $\lambda = 0.0005$, and $\mathrm{lr} = 0.01$ at the start; `grad` is the mean
# over the batch.


# %% tags=["exercise"]
def sgd_step(w, v, grad, lr, momentum, weight_decay, rule):
    """w, v, grad: arrays of one shape; rule: "paper" or "torch". Returns the new w and the new v."""
    raise NotImplementedError


# %%
check.sgd_step(sgd_step)

# %% [markdown]
# minigrad's `optim.SGD` has both rules. First the valley, two parameters, 200 times steeper along one of
# them:


# %%
curvature = np.array([1.0, 200.0])


def descend(lr, momentum, steps=120, rule="torch"):
    w = mg.tensor(np.array([-10.0, 0.6]), requires_grad=True)
    optimizer = optim.SGD([w], lr=lr, momentum=momentum, rule=rule)
    path = [w.detach().numpy().copy()]
    for _ in range(steps):
        loss = (mg.tensor(curvature / 2) * w * w).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.array(path)


fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.7), width_ratios=[3, 2])
first, second = np.meshgrid(np.linspace(-11, 5, 120), np.linspace(-0.8, 0.8, 120))
height = (curvature[0] * first**2 + curvature[1] * second**2) / 2
left.contour(first, second, height, levels=np.geomspace(0.3, 90, 9), colors="0.75", linewidths=0.8)
for momentum, colour, name in ((0.0, RED, "no momentum"), (0.9, BLUE, "momentum 0.9")):
    path = descend(0.0095, momentum)
    left.plot(*path.T, color=colour, marker=".", markersize=4, linewidth=1, label=name)
    right.plot((path**2 @ curvature) / 2, color=colour, label=name)
left.plot(0, 0, marker="*", markersize=13, color=BLACK)
left.set(xlabel="flat direction", ylabel="steep direction", title="120 steps towards the star")
left.legend(frameon=False, loc="upper right")
right.set(yscale="log", xlabel="step", ylabel="loss", title="The same rate")
plt.show()
print("limit of the rate without momentum:", 2 / curvature.max())

# %% [markdown]
# Both runs have the rate 0.0095, close to the limit of 0.01. *Along* the valley the steps of the blue path add up: it
# runs, even past the star, for a velocity has to be turned round; the red path creeps. *Across* the valley momentum
# brings nothing at this rate: both swing, and the blue one longer. But it moves the limit there, to
# $2\,(1 + \mathrm{momentum}) / c$:

# %%
for lr in (0.0095, 0.0105, 0.0185, 0.0195):
    ends = {momentum: abs(descend(lr, momentum, steps=1000)[-1, 1]) for momentum in (0.0, 0.9)}
    words = ["settles" if end < 0.6 else "runs away" for end in ends.values()]
    print(f"rate {lr}: without momentum it {words[0]}, with momentum it {words[1]}")

# %% [markdown]
# Now the two rules. While the rate is constant, $v_\text{paper} = -\mathrm{lr}\, v_\text{PyTorch}$ and the
# weights are the same. But the paper's velocity is made of *steps taken*, at the rates of their time, and
# PyTorch's of *gradients seen*. Let a weight feel a gradient of 1 all the time, divide the rate by 10, and
# raise it again.
#
# **Predict.** The weight has moved by the same distance in each step for some time. Now the rate is divided by 10.
# By the *paper's* rule with momentum 0.9, how far does the weight move in the very next step, as a share of the
# step before? (Use the formulas of exercise 1.)

# %% tags=["answer"]
next_step = None



# %%
def moves(rule, convert=False):
    """How far the weight moves in each step; convert: mend the velocity when the rate changes."""
    w = mg.tensor(np.zeros(1), requires_grad=True)
    optimizer = optim.SGD([w], lr=0.01, momentum=0.9, rule=rule)
    moved = []
    for step in range(150):
        old = optimizer.param_groups[0]["lr"]
        new = 0.001 if 50 <= step < 100 else 0.01
        optimizer.param_groups[0]["lr"] = new
        if convert and step:
            optimizer.state[0]["momentum_buffer"] *= old / new
        before = w.item()
        w.grad = mg.tensor(np.ones(1))
        optimizer.step()
        moved.append(before - w.item())
    return np.array(moved)


paper, torch, converted = moves("paper"), moves("torch"), moves("torch", convert=True)
plt.plot(paper, color=RED, label="paper: the rate inside the velocity")
plt.plot(torch, color=BLUE, linestyle="--", label="PyTorch: the rate outside")
plt.axvspan(50, 100, color="0.93")
plt.xlabel("step")
plt.ylabel("distance moved in the step")
plt.title("Rate 0.01, a tenth of it (grey), 0.01 again")
plt.legend(frameon=False, loc="upper right", fontsize=10)
plt.ylim(0, 0.135)
plt.show()
check.next_step(next_step, paper[50] / paper[49])
print("equal while the rate is constant:", np.allclose(paper[:50], torch[:50]))
print("equal over the change:           ", np.allclose(paper, torch))
print("equal if v is multiplied by the old rate / the new one:", np.allclose(paper, converted))

# %% [markdown]
# At the drop the paper's weight coasts on for $0.9 + 0.9^2 + \dots = 9$ old steps; PyTorch's scales its whole
# past at once. For three drops in 90 epochs this hardly matters. It matters for a schedule that changes the rate
# in every step, and when a run is resumed with another rate or in another program: a saved velocity means
# something else under the other rule, even its sign ($v_\text{PyTorch} = -v_\text{paper} / \mathrm{lr}$, with the
# rate of the last step). Within PyTorch's rule the last line above does it: when the rate changes, multiply $v$
# by the old rate / the new one.
#
# ## What 0.0005 is worth
#
# In this project all parameters decay, biases too. With `grad` = 0 the decay multiplies $w$ by
# $1 - \mathrm{lr}\, \lambda$ in each step; momentum makes the effect ten times as strong. In the paper's numbers:

# %%
lr, decay, momentum = 0.01, 0.0005, 0.9
per_step = lr * decay / (1 - momentum)
half_life = math.log(2) / per_step
epoch = 1.2e6 / 128  # steps: section 2 has "roughly 1.2 million" images, section 5 batches of 128
print(f"a weight that gets no gradient loses {per_step:.0e} of itself in a step")
print(f"and half of itself in {half_life:,.0f} steps, {half_life / epoch:.1f} epochs of ImageNet")
small = 1 - (1 - per_step) ** (75 * 10)
print(f"in the 750 steps of our own run below, at that rate: {small:.1%}")

# %% [markdown]
# (The run below has ten epochs of 75 steps, of 32 images each.) So on ImageNet a weight that no image needs is
# gone after some epochs, and on a run of 750 steps the decay does next to nothing. Copying "0.0005" from the
# paper to a small set copies the number and not the effect.
#
# **Question.** Which decay would take half of such a weight away within our 750 steps, at the same rate of 0.01 and
# the same momentum?

# %% tags=["answer"]
halving_decay = None

# %%
check.halving_decay(halving_decay)

# %% [markdown]
# What of the weights that images do need? Let the data want $w = w_0$, with curvature $c$, and add the decay.
# In the minimum the two gradients cancel:
#
# $$c\,(w - w_0) + \lambda w = 0 \quad\Rightarrow\quad w = \frac{c}{c + \lambda}\, w_0 .$$
#
# Where the data speak clearly ($c \gg \lambda$) the weight stays; where they hardly speak ($c \ll \lambda$)
# it vanishes. The line is the formula, the dots are `optim.SGD`:

# %%
curvatures = np.geomspace(1e-6, 0.1, 16)
w = mg.tensor(np.ones(16), requires_grad=True)
optimizer = optim.SGD([w], lr=1.0, momentum=0.9, weight_decay=decay)
for _ in range(3000):
    w.grad = mg.tensor(curvatures * (w.detach().numpy() - 1))  # the data want w = 1
    optimizer.step()
line = np.geomspace(1e-6, 0.1, 200)
plt.semilogx(line, line / (line + decay), color=BLUE, label="c / (c + λ)")
plt.semilogx(curvatures, w.detach().numpy(), "o", color=RED, label="where SGD ended")
plt.axvline(decay, color="0.5", linestyle=":", label="c = λ = 0.0005")
plt.xlabel("curvature c: how much the data care about this weight")
plt.ylabel("what is left of the weight")
plt.title("Decay takes what the data do not hold")
plt.legend(frameon=False)
plt.show()

# %% [markdown]
# There is a second reading (it uses Bayes' rule, and nothing below needs it). Say that, before any image was seen,
# we believe each weight to be normal with mean 0 and standard deviation $s$. By Bayes' rule the most probable
# weights minimise
#
# $$\underbrace{N L}_{-\ln P(\text{data} \mid w)} + \underbrace{\frac{w^\top w}{2 s^2}}_{-\ln P(w) + \dots}
# \quad\text{or, divided by } N, \quad L + \frac{\lambda}{2}\, w^\top w \quad\text{with}\quad \lambda = \frac{1}{N s^2},$$
#
# with $N$ images and their mean loss $L$. The gradient of $\frac{\lambda}{2} w^\top w$ is $\lambda w$: the
# decay. So a decay states a belief, and it depends on the number of images:

# %%
for name, images in (("ImageNet", 1.2e6), ("our run", 2400)):
    print(f"{name:9} 0.0005 says: weights of about {1 / math.sqrt(images * decay):.2f}")

# %% [markdown]
# For ImageNet that is a sensible size (compare He's numbers in notebook 12). For 2,400 images the same 0.0005 says
# almost nothing. The paper reports that the decay "is not merely a regularizer: it reduces the model's
# training error" (section 5).
#
# ## The plateau schedule
#
# Near a minimum, the gradients of small batches are mostly noise, and the weights wander about the minimum
# the more, the higher the rate. A lower rate gives less wandering, but slower progress. So: stay high as long
# as there is progress, then go down. Section 5: the rate was divided by 10 when the validation error stopped
# improving, three times before the end. In 2012 a person watched the curve and did it. As a rule for a
# program it is a small machine with three numbers, looked at after each epoch:
#
# | | |
# |---|---|
# | `lowest` | the lowest validation error so far, 1 at first |
# | `waited` | epochs without a lower one (steps 2 and 3 say how it counts), 0 at first |
# | `drops` | how often the rate was divided by 10, 0 at first |
#
# 1. If the epoch's error is lower than `lowest`: `lowest` is this error, `waited` is 0.
# 2. Otherwise `waited` grows by 1. But not if the epoch was *at chance*, with a training loss of $\ln C$: the
#    network is still asleep.
# 3. If `waited` is now more than `patience` and `drops` less than `most_drops`: `drops` grows by 1, `waited`
#    is 0.
#
# The next epoch has the rate $\mathrm{lr} \cdot 0.1^\mathrm{drops}$. The exception in step 2 is in no paper.
# It comes from notebook 12.
#
# ## Exercise 2: the machine


# %% tags=["exercise"]
def plateau_rates(errors, at_chance, lr, patience, most_drops):
    """errors: validation error of each epoch; at_chance: for each, True or False.

    Returns a list with the rate that each of these epochs was trained with.
    """
    raise NotImplementedError


# %%
check.plateau_rates(plateau_rates)

# %% [markdown]
# Here is the project's schedule, `RecipeLR`, with the paper's rates and a patience of two epochs, on an error
# that we made up: the network sleeps for eight epochs; then what is left to learn shrinks in proportion to the rate,
# and on top of it comes the noise, which grows with the rate. With and without the exception:


# %%
def replay(count_chance):
    optimizer = optim.SGD([mg.tensor(np.zeros(1), requires_grad=True)], lr=0.01)
    schedule = RecipeLR(optimizer, RECIPES["paper"], steps_per_epoch=1)
    jitter = np.random.default_rng(5).normal(0, 0.004, 50)
    to_learn, errors, rates = 0.4, [], []
    for epoch in range(50):
        rate = optimizer.param_groups[0]["lr"] / 0.01
        asleep = epoch < 8
        to_learn *= 1 if asleep else math.exp(-0.3 * rate)
        errors.append(0.36 + to_learn + 0.14 * (1 if asleep else rate**0.5) + jitter[epoch])
        rates.append(0.01 * rate)
        schedule.end_epoch(errors[-1], asleep and not count_chance)
        schedule.step()
    return errors, rates


fig, (top, bottom) = plt.subplots(2, 1, figsize=(7.5, 4.8), sharex=True, height_ratios=[2, 1])
for count_chance, colour, line, name in (
    (False, BLUE, "-", "epochs at chance are not counted"),
    (True, RED, "--", "all epochs are counted"),
):
    errors, rates = replay(count_chance)
    top.plot(range(1, 51), np.multiply(errors, 100), color=colour, linestyle=line, label=name)
    bottom.step(range(1, 51), rates, color=colour, linestyle=line, where="mid")
top.axvspan(0.5, 8.5, color="0.93")
top.set(
    ylabel="validation error (%)", title="A made-up run that sleeps at first (grey)", ylim=(0, 100)
)
top.legend(frameon=False, loc="lower right")
bottom.set(yscale="log", xlabel="epoch", ylabel="rate")
plt.show()

# %% [markdown]
# In the blue run the first two drops are each followed by a fall of the error: the noise goes. (The third would
# win less than the jitter that we added.) In the red one most of the rate was gone before the network had begun to
# learn.
#
# ## Warm-up and cosine
#
# A run of ten epochs has no time to wait for a plateau. The recipe `small`, and with it ours, has a fixed
# course. With $T$ steps in all, of which $T_w$ are the warm-up, step $t$ (from 0) has the rate
#
# $$\mathrm{lr}_t = \mathrm{lr} \cdot \begin{cases} \dfrac{t + 1}{T_w + 1} & t < T_w \\[2ex]
# \dfrac{1}{2} \Big( 1 + \cos \pi \dfrac{t - T_w}{T - T_w} \Big) & \text{else.} \end{cases}$$
#
# A fresh network's gradients change quickly, and momentum collects them: so the first steps are kept small,
# until the velocity has an idea of where to go. The end comes down to 0, with the noise. The rate changes in
# each step, so the rule is PyTorch's, in which a step follows the new rate at once.

# %%
recipe = small_run.RECIPE  # the AlexNet of notebook 12
optimizer = optim.SGD([mg.tensor(np.zeros(1), requires_grad=True)], lr=recipe.lr)
schedule = RecipeLR(optimizer, recipe, steps_per_epoch=75)
rates = []
for _ in range(750):
    rates.append(optimizer.param_groups[0]["lr"])
    schedule.step()
plt.figure(figsize=(7, 2.8))
plt.plot(rates, color=GREEN)
plt.axvline(recipe.warmup_steps, color="0.5", linestyle=":")
plt.text(recipe.warmup_steps + 8, 0.001, "end of the warm-up", color="0.35")
plt.xlabel("step")
plt.ylabel("rate")
plt.title("Our run: 10 epochs of 75 steps")
plt.show()

# %% [markdown]
# ## The run
#
# `small_run` holds the recipe, which is `small` with narrow layers, smaller images, less dropout and more
# epochs. It draws the images into a folder and trains; the curves below are drawn anew after each epoch. To keep
# the run, give `begin` a new folder of your own in place of the temporary one; from a terminal,
# `alexnet train --resume FOLDER/run` goes on with it.
#
# You can **interrupt** it with the square button (interrupt the kernel): the trainer ends the step it is in,
# saves everything, and returns. The cell after it goes on.



# %%
def watch(trainer):
    """Train; show the run's curves, anew after each epoch, and how long it has to go."""
    curves, left = display(display_id=True), display(display_id=True)
    first, started = trainer.at.epoch, perf_counter()
    for metrics in small_run.epochs(trainer):
        pace = (perf_counter() - started) / (metrics.epoch - first)
        seconds = pace * (trainer.recipe.epochs - metrics.epoch)
        curves.update(Image(trainer.folder / "curves.png", width=850))
        left.update(Markdown(f"about {seconds:.0f} seconds to go" if seconds else "trained"))


workshop = tempfile.TemporaryDirectory()
trainer = small_run.begin(Path(workshop.name))
watch(trainer)


# %%
def resumed(trainer):
    """A new trainer that goes on where the last checkpoint of this one stands."""
    checkpoint = load_checkpoint(trainer.folder / "last.safetensors")
    return Trainer(trainer.folder, trainer.recipe, trainer.splits, trainer.data, resume=checkpoint)


if trainer.at.epoch < trainer.recipe.epochs:  # you have interrupted it
    trainer = resumed(trainer)
    watch(trainer)
small_run.keep(trainer)  # a copy, for notebook 14

# %% [markdown]
# Read the curves. The loss begins at the dotted line, at $\ln 10$, and leaves it within the first epochs. For
# most of the run it is *higher* in training than in validation. That is no mistake: the training loss is the
# mean over an epoch in which the network still gets better, with dropout on and with shifted and mirrored
# crops; validation comes after the epoch, with the whole network. (*Top-5* counts an image as known if its class
# is among the five most probable.)

# %%
history = trainer.at.metrics
print("training loss of epoch 1 at or near ln 10: ", history[0]["train_loss"] > 0.85 * math.log(10))
print("validation: above eight of ten new images:", history[-1]["val_top1"] > 0.8)
print(
    "the last validation loss is the smaller:  ", history[-1]["val_loss"] < history[0]["val_loss"]
)

# %% [markdown]
# And the signal meter of notebook 12, before the run and after it. Training has done what it had to: the image moves
# the logits far, and nearly all that they say is about the image.

# %%
(paper_net, paper_x), (lsuv_net, x) = signals.begun("paper"), signals.begun("lsuv")
before, trained = signals.signal(lsuv_net, x), signals.signal(trainer.model, x)
signals.draw_signals(
    {"paper": signals.signal(paper_net, paper_x), "LSUV": before, "trained": trained},
    "Before the run (paper, LSUV) and after it",
)
farther = trained[-1].image_rms / before[-1].image_rms
print("moves the logits over ten times as far as before:", farther > 10)

# %% [markdown]
# And the paper's start, does it sleep here or die? Find out, if you have another minute:
#
# ```python
# ill = replace(recipe, init="paper", dropout="paper", input_std=(1.0, 1.0, 1.0), epochs=4)
# paper_run = small_run.begin(Path(tempfile.mkdtemp()), ill)
# watch(paper_run)
# for row in signals.signal(paper_run.model, paper_x):
#     print(row.name, row.dead, row.image_rms)
# ```
#
# When we did it, the loss stayed at $\ln 10$, and in fc7 most units were 0 for all pictures, while the layers below
# were open: it was dying, from the top.
#
# ## Going on, to the bit
#
# A run of the 2012 network took five to six days (section 1). Something will stop it. What does it have to keep?
# More than its weights. A checkpoint of this project is one file of named arrays (the safetensors format),
# written after each epoch, at an interrupt, and every ten minutes (`TEN_MINUTES` in
# `alexnet_scratch/training/saver.py`):

# %%
checkpoint = load_checkpoint(trainer.folder / "last.safetensors")
for name in ("conv1.weight", "conv1.bias"):
    print([key for key in checkpoint.tensors if name in key])
print("position:", ", ".join(vars(checkpoint.position)))

# %% [markdown]
# The position holds the place in the data, the state of the generator and of the schedule; `totals`, `best` and
# `metrics` are what the log has so far, `precision` and `scaler` belong to training in 16 bits on a GPU, and
# `micro_batch` to one with too little memory for a whole batch. A tiny run
# shows what happens without some of them: 60 images, narrower layers, two epochs of three steps. It is
# trained once without a stop, and once stopped after step 4, in the middle of its second epoch, and resumed
# by a new trainer from the file. Then we compare all tensors of the two last files, byte by byte: weights
# *and* velocities.
#
# `forget` leaves one thing out when the run is resumed.

# %%
tiny = replace(recipe, widths=(8,) * 5, fc_width=16, batch_size=20, epochs=2)
place = tempfile.TemporaryDirectory()  # a new one whenever the cell runs
data = Path(place.name) / "tiny patterns"
patterns.generate(data, 6, 1, size=tiny.image_size, progress=False)
splits = open_splits(data, tiny)


def run(name, **options):
    """A trainer works in folder `name`; the tensors of its last checkpoint, as bytes."""
    folder = Path(place.name) / name
    folder.mkdir(exist_ok=True)
    trainer = Trainer(folder, tiny, splits, data_note(data, splits), **options)
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.run()
    tensors = load_file(folder / "last.safetensors")
    return {key: array.tobytes() for key, array in tensors.items()}


def forget(checkpoint, what):
    """Leave one thing out of what a run is resumed from."""
    position = checkpoint.position
    if what == "the velocities":
        for key, tensor in checkpoint.tensors.items():  # a file without them would be refused
            if key.startswith("optimizer."):
                tensor.data[...] = 0
    if what == "how far the schedule is":
        position.schedule["last_epoch"] = 0
    if what == "the random generator":
        position.generator[1] = 0  # the number of draws so far: dropout's masks begin again
    if what == "the place in the epoch":
        position.batch = 0


whole = run("whole")
run("stopped", max_steps=4)
results = []
for what in (
    "nothing",
    "the velocities",
    "how far the schedule is",
    "the random generator",
    "the place in the epoch",
):
    folder = shutil.copytree(Path(place.name) / "stopped", Path(place.name) / what)
    checkpoint = load_checkpoint(folder / "last.safetensors")
    forget(checkpoint, what)
    same = run(what, resume=checkpoint) == whole
    results += [f"stopped, resumed, and forgot {what + ':':26} the same bytes: {same}"]
print("\n".join(results))

# %% [markdown]
# Only the first is the same run. The others train, too, and nothing warns. That is why a
# resume is compared by bytes.
#
# What makes it possible: the order of the images and each crop follow from the seed, the epoch and the image,
# so that none of it has to be saved; dropout masks come from a counter (notebook 9); and sums over threads
# have a fixed order. With another number of threads, or another library for matrix products, sums are rounded
# in another way, and the bytes differ. On the command line it is `alexnet train --resume RUN`.

# %%
workshop.cleanup()  # the run is deleted,
place.cleanup()  # and the tiny ones

# %% [markdown]
# ## Your code is the network
#
# Your step and your schedule in the place of minigrad's, on the weights of a layer and on a made-up course of errors.
# (Times are of your machine; a whole network trains with your step in notebook 20.)

# %%
yours.plug("13_optimisers", globals())

# %% [markdown]
# ## Optional: Adam, and whose decay it is
#
# Adam (2015) came after AlexNet, and you will meet it everywhere. For each weight it keeps two running means:
# $m$ of the gradient, as momentum does, and $v$ of its *square*. The step is
#
# $$w \leftarrow w - \mathrm{lr}\, \frac{m}{\sqrt{v} + \varepsilon},$$
#
# (with both means corrected for their start at 0; $\varepsilon = 10^{-8}$ avoids a division by 0). Where gradients
# agree, $m / \sqrt{v}$ is about 1: **the rate is the length of a step, in the unit of the weights**, however steep
# the loss is. Back to the valley. We make its flat direction flatter still, or multiply the whole loss by 1000:


# %%
def descend_adam(curvature, steps=200):
    w = mg.tensor(np.array([-10.0, 0.6]), requires_grad=True)
    optimizer = optim.Adam([w], lr=0.1)
    for _ in range(steps):
        loss = (mg.tensor(curvature / 2) * w * w).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return w.detach().numpy()


valley = descend_adam(curvature)
for name, other in (("200 times flatter", [0.005, 200.0]), ("1000 times the loss", [1e3, 2e5])):
    print(f"{name:20} ends where the first one did:", np.allclose(descend_adam(np.array(other)), valley))
print("after 200 steps, flat and steep:", np.abs(valley).round(3))

# %% [markdown]
# The price is one more number to keep for each weight ($m$ and $v$, where momentum has $v$), and this: whatever is
# *added* to the gradient is divided by $\sqrt{v}$, too. Weight decay is added to the gradient. So a weight with
# large, noisy gradients hardly decays, though its gradients say nothing. AdamW (2019) does not add the decay to the
# gradient: it takes it straight off the weight, $w \leftarrow (1 - \mathrm{lr}\,\lambda)\, w$. Here are weights of 1 that get
# nothing but noise, of three sizes. By the decay alone, $(1 - \mathrm{lr}\, \lambda)^{1000} = 0.37$ of them should
# be left:


# %%
def left_of_weights(kind, noise):
    rng = np.random.default_rng(3)
    w = mg.tensor(np.ones(1000), requires_grad=True)
    optimizer = kind([w], lr=0.01, weight_decay=0.1)
    for _ in range(1000):
        w.grad = mg.tensor(noise * rng.standard_normal(1000))
        optimizer.step()
    return w.detach().numpy().mean()


print("noise      Adam   AdamW")
for noise in (1.0, 10.0, 100.0):
    adam, adamw = (left_of_weights(kind, noise) for kind in (optim.Adam, optim.AdamW))
    print(f"{noise:5.0f}  {adam:8.2f} {adamw:7.2f}")

# %% [markdown]
# Both train our network as well, for instance with `alexnet train --optimizer adamw --lr 0.0003`. The rate of SGD,
# 0.01, would be a step of 0.01 for each weight, which is the size of the weights themselves.
#
# ## What to remember
#
# - Momentum adds up what keeps its sign. The paper's velocity holds steps, PyTorch's holds gradients: they
#   differ when the rate changes.
# - A weight decay works through rate × steps, and states a belief that depends on the number of images.
# - Lower the rate when progress stops, but do not count the sleep.
# - A run is its weights, velocities, generator, schedule and place in the data.
#
# ## Further
#
# Give the run a bad schedule on purpose: `replace(recipe, lr=...)` ten times smaller, five times larger and ten times
# larger, or `warmup_steps=0`, with `epochs=4`. Write down before each what the curves will look like. Too small a rate
# and too large a one can end at almost the same loss; the signal meter, with `row.dead`, helps to tell them apart. (At
# five times the rate our network still learnt, with nine of ten units of conv2 dead.) The largest may also end in an
# error, `Diverged`: the trainer stops when the loss is no longer a number, and names the step and the first layer whose
# output was not finite. Other first weights (`seed=1`) have another fate.
#
# [Solutions](solutions/13_optimisers.ipynb). Next: [notebook 14](14_inside.ipynb), inside the network.
