# %% [markdown]
# # 1. Autograd
#
# **At the end you will know** how a program finds the slope of one number along millions of others in a
# single pass; why this pass must go in a certain order and must add; and why it must not be written with
# recursion. You will have written the pass yourself, and it will have trained a small network.
#
# About 60 minutes: 30 to read, 20 for the exercises, 10 for an appendix on memory. You need Python, and the
# chain rule from school: a small step of $x$ moves $f(g(x))$ by the slope of $f$ times the slope of $g$.

# %%
import gc
import heapq
import inspect
import itertools
import math
import weakref

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n01_autograd as check
from alexnet_course import yours
from alexnet_course.style import BLUE, GREEN, ORANGE, RED, use_style
from minigrad import nn
from minigrad.tools.graph import player, to_text

use_style()

# %% [markdown]
# ## A slope for every weight
#
# To train a network means: change its weights a little, again and again, so that one number, the *loss*,
# gets smaller. For that we need to know, for each weight, how the loss changes if that weight changes: the
# slope of the loss along it. All slopes together are the **gradient**.
#
# One could measure them. Move one weight a little, compute the loss again, look at the difference. The
# paper's network has 60 million parameters (abstract), so this takes 60 million computations of the
# loss for one step of training. Training took about 90 passes through 1.2 million images, a *batch* of 128 of
# them in a step (section 5):

# %%
print(f"steps: {90 * 1_200_000 / 128:,.0f}")

# %% [markdown]
# *Reverse mode*, also called backpropagation, finds all slopes together, in one pass back through the
# computation of the loss. This notebook builds it.
#
# ## The chain rule on a graph
#
# Take two numbers, $w = 2$ and $x = 3$, and three operations:
#
# $$u = w\,x, \qquad s = u\,u, \qquad loss = s + u.$$
#
# Every operation knows its own **local slopes**: how its result changes if one of its inputs changes. For
# $u = w x$ they are $\partial u / \partial w = x = 3$ and $\partial u / \partial x = w = 2$ ($\partial$, not $d$: the
# slope along one input, the others held fixed). No operation knows about the whole.
#
# How does the loss change if $u$ changes? $u$ is used in three places: twice in $s$, and once in the loss
# itself. A small step of $u$ moves the loss through each of them, and the small moves add up. That is the
# chain rule for several variables:
#
# $$\underbrace{\frac{\partial\, loss}{\partial v}}_{\text{gradient of } v} \;=\;
# \sum_{\text{uses of } v \text{, in } z} \underbrace{\frac{\partial\, loss}{\partial z}}_{\text{gradient of } z}
# \cdot \underbrace{\frac{\partial z}{\partial v}}_{\text{local slope}}$$
#
# There is one term for each use: an arrow that leaves $v$ in the picture below. $u\,u$ uses $u$ twice, so $z = s$
# comes twice, with a slope of 6 along each of the two inputs, the other held fixed.
#
# The gradient of a value follows from the gradients of the values that *use* it. So we begin at the end,
# where we know the gradient ($\partial\,loss / \partial\,loss = 1$), and go backwards. That is all.
# The rest of this notebook is about doing it right.
#
# ## Recording
#
# While Python computes the loss, we write down what it does. A `Value` is a number that remembers the
# values it was computed from and its slope along each of them. It also gets a running number.


# %%
class Value:
    """A number that remembers how it was computed."""

    count = itertools.count()

    def __init__(self, data, inputs=(), slopes=()):
        self.data = data
        self.inputs = inputs  # the values it was computed from,
        self.slopes = slopes  # and its slope along each of them
        self.number = next(Value.count)  # a value is newer than its inputs

    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def tanh(self):
        y = math.tanh(self.data)
        return Value(y, (self,), (1 - y * y,))


# %% [markdown]
# We compute as usual, and draw what was recorded. The blue numbers are the local slopes. (If you change the
# formula, give every value a name of its own, and an entry in `names`.)

# %%
w, x = Value(2.0), Value(3.0)
u = w * x
s = u * u
loss = s + u

names = {w: "w", x: "x", u: "u", s: "s", loss: "loss"}
arrows = [
    (source, value, f"{slope:g}")
    for value in names
    for source, slope in zip(value.inputs, value.slopes, strict=True)
]
fig, axes = plt.subplots(figsize=(8.0, 2.8))
check.draw_graph(axes, {v: f"{name} = {v.data:g}" for v, name in names.items()}, arrows)
axes.set_title("What was recorded, with the local slopes")
plt.show()

# %% [markdown]
# Every arrow points from an older value to a newer one, so there is no circle: it is a directed acyclic
# graph. The objects point the other way: a value holds its inputs, and never its users.
#
# By hand: the gradient of $s$ is $1$. That of $u$ is $1 \cdot 6 + 1 \cdot 6$ by way of $s$, plus $1$
# directly: $13$. Then that of $w$ is $13 \cdot 3 = 39$, and that of $x$ is $13 \cdot 2 = 26$.
#
# ## Exercise 1: local slopes
#
# A new operation needs nothing but its local slopes. Here are four: $a - b$, $a / b$, the larger of $a$
# and $b$ (`max`; networks use it as ReLU, $\max(x, 0)$, and as pooling, the largest of a few pixels), and $a^b$ for
# $a > 0$.


# %% tags=["exercise"]
def local_slopes(operation, a, b):
    """The slopes along a and along b of "sub", "div", "max" or "pow" (a - b, a / b, ...).

    a and b are numbers, and not equal. Returns two numbers.
    """
    raise NotImplementedError


# %%
check.local_slopes(local_slopes)

# %% [markdown]
# ## Why the order matters
#
# The simplest walk: whenever a gradient arrives at a value, pass it on to the inputs at once.


# %%
def pass_on_at_once(value, grad, grads):
    grads[value] = grads.get(value, 0.0) + grad
    calls = 1
    for source, slope in zip(value.inputs, value.slopes, strict=True):
        calls += pass_on_at_once(source, grad * slope, grads)
    return calls


at_once = {}
calls = pass_on_at_once(loss, 1.0, at_once)
print({name: at_once[v] for v, name in names.items()}, " calls:", calls)

# %% [markdown]
# The gradients are right. But there are five values, and it took more calls than that: $u$ was visited
# three times, once for every way from the loss to it, and each time everything behind $u$ was visited
# again. Does it matter? Add a value to itself, again and again, $v \leftarrow v + v$.
#
# **Predict before you run.** After 20 such operations there are 21 values. How many calls will `pass_on_at_once`
# make?

# %% tags=["answer"]
calls_of_20 = None  # a number

# %%
depths = range(1, 15)
visits = []
for depth in depths:
    v = Value(1.0)
    for _ in range(depth):
        v = v + v
    visits.append(pass_on_at_once(v, 1.0, {}))
plt.semilogy(depths, visits, marker="o", color=RED, label="calls, each gradient passed on at once")
plt.semilogy(depths, [d + 1 for d in depths], marker="s", color=BLUE, label="values in the graph")
plt.xlabel("number of operations v = v + v")
plt.ylabel("number")
plt.title("Each operation doubles the number of ways")
plt.legend()
plt.show()
print("2^(n+1) - 1 calls in each run:", visits == [2 ** (n + 1) - 1 for n in depths])
check.calls_of_20(calls_of_20)

# %% [markdown]
# The number of *ways* through a graph can be huge. Each value takes one call, and twice the calls of the value
# before it: $2^{n+1} - 1$ for $n$ operations. So each value should be visited **once**. When? If $u$ has its turn as
# soon as the first gradient arrives, the share that comes through $s$ is still missing, and $u$ passes on a wrong
# number:

# %%
grads = dict.fromkeys(names, 0.0)
grads[loss] = 1.0
for value in (loss, u, s, w, x):  # u before s
    for source, slope in zip(value.inputs, value.slopes, strict=True):
        grads[source] += grads[value] * slope
print({name: grads[v] for v, name in names.items()})
print(f"right: w {at_once[w]:g}, x {at_once[x]:g}")

# %% [markdown]
# $u$ has got its 13 in the end, but $w$ and $x$ have got only what $u$ had at its turn, which was 1. The rule:
#
# > **A value has its turn when all its users have had theirs.**
#
# An order in which this holds is called a *topological order*. There is always one, since the graph has
# no circle.
#
# ## Exercise 2: an order
#
# Find all values behind an output, each once, and put every value *before* its inputs. The graph may have
# a chain of 5000 operations, so do not let a function call itself for every input. (There are several ways.)


# %% tags=["exercise"]
def order(output):
    """A list of all values behind output, itself first: each once, and each before its inputs.

    A value has .inputs (a tuple of values) and a .number, as above.
    """
    raise NotImplementedError


# %%
check.order(order)

# %% [markdown]
# ## Exercise 3: backward
#
# Now the whole pass. Begin with the gradient 1 of the output, take the values in a right order, and let
# each send to its inputs its gradient times the local slope. Mind the `+=`: a value that is used twice
# gets two gradients, and needs their sum. This is called **accumulation**. (Do this before you read on: the
# next section gives one way away. Yours will train the network below, and be plugged into minigrad at the end.)


# %% tags=["exercise"]
def backward(output):
    """The gradient of output along every value behind it: a dictionary {value: gradient}.

    A value has .inputs and .slopes (one for each input).
    """
    raise NotImplementedError


# %%
check.backward(backward)

# %% [markdown]
# ## The whole engine
#
# One way to write it, which is minigrad's: a queue that always yields the **newest** value. Why is that
# a right order? A value's users are newer than itself. So while the newest value in the queue has its
# turn, none of its users can still be waiting, and none can come later, because what is put into the
# queue is always older than the value it comes from.


# %%
def gradients(output):
    """The gradient of output along every value behind it: {value: gradient}."""
    grads = {output: 1.0}
    queue = [(-output.number, output)]
    while queue:
        _, value = heapq.heappop(queue)  # the smallest, here the newest
        for source, slope in zip(value.inputs, value.slopes, strict=True):
            if source not in grads:
                grads[source] = 0.0
                heapq.heappush(queue, (-source.number, source))
            grads[source] += grads[value] * slope
    return grads


found = gradients(loss)
print({name: found[v] for v, name in names.items()})
functions = [f for f in vars(Value).values() if inspect.isfunction(f)] + [gradients]
lines = sum(len(inspect.getsource(f).splitlines()) for f in functions)
print(f"lines of the engine: {lines}, for {len(functions)} functions")

# %%
fig, axes = plt.subplots(figsize=(8.0, 2.8))
labels = {v: f"{name} = {v.data:g}\ngradient {found[v]:g}" for v, name in names.items()}
check.draw_graph(axes, labels, arrows, dict.fromkeys((w, x), "#e6f2fa"))
axes.set_title("Read from right to left: each gradient is a sum over the arrows that leave it")
plt.show()

# %% [markdown]
# ## It trains a network
#
# Is that enough to learn something? Here are points inside a circle, which the network is to give $+1$, and
# points in a ring around it, for $-1$. It has two inputs $p$ and $q$, six *hidden* units between input and output,
# $h_j = \tanh(a_j p + b_j q + c_j)$, and one output, $y = \sum_j d_j h_j + e$; the loss is the mean of
# $(y - target)^2$. Each step moves every weight against its gradient, which is found by *your* `backward` if the
# check calls it right, and by `gradients` otherwise.

# %%
yours_is_right = check.backward.verdict(backward) == "backward: right."
walk = backward if yours_is_right else gradients
print(
    "the gradients are found by", "your backward" if yours_is_right else "the notebook's gradients"
)

rng = np.random.default_rng(1)
angle, radius = rng.uniform(0, 2 * np.pi, 40), np.where(np.arange(40) < 20, 0.5, 1.4)
points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
points = points + 0.1 * rng.standard_normal((40, 2))
targets = np.where(np.arange(40) < 20, 1.0, -1.0)

units = 6
hidden = [[Value(n) for n in rng.standard_normal(3)] for _ in range(units)]  # a, b, c
last = [Value(n) for n in 0.5 * rng.standard_normal(units + 1)]  # the d of each unit, and e
weights = [weight for unit in [*hidden, last] for weight in unit]


def network(p, q):
    p, q = Value(p), Value(q)
    y = last[-1]
    for j, (a, b, c) in enumerate(hidden):
        y = y + last[j] * (a * p + b * q + c).tanh()
    return y


losses = []
for _ in range(150):
    total = Value(0.0)
    for (p, q), target in zip(points, targets, strict=True):
        error = network(p, q) + Value(-target)
        total = total + error * error
    mean = total * Value(1 / len(points))
    along = walk(mean)
    for weight in weights:
        weight.data -= 0.3 * along[weight]
    losses.append(mean.data)

fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.7))
left.plot(losses)
left.set(xlabel="step", ylabel="loss", ylim=(0, None), title="The loss falls")
grid = np.linspace(-2, 2, 41)
answer = np.array([[network(p, q).data for p in grid] for q in grid])
right.contourf(grid, grid, answer, levels=[-9, 0, 9], colors=["#fbe9d0", "#d6e9f5"])
for sign, colour, marker in ((1.0, BLUE, "o"), (-1.0, ORANGE, "s")):
    right.scatter(*points[targets == sign].T, color=colour, marker=marker, s=25)
right.set(aspect="equal", title="Blue: the network says +1")
right.grid(False)
plt.show()
signs = np.sign([network(p, q).data for p, q in points])
print(f"{len(weights)} weights, {np.sum(signs == targets)} of {len(points)} points are right")

# %% [markdown]
# ## Beside minigrad's
#
# minigrad does the same with arrays. The parts and where they are (`minigrad/core.py`):
#
# | here | minigrad |
# |---|---|
# | `Value` | `Tensor`: the array, and the `node` that made it |
# | `inputs` | `Node.edges`, an `Edge` for each argument |
# | `number` | `Node.number` |
# | `slopes` | a `Function`: its `backward` computes with what `ctx.save` kept |
# | `gradients` | `backward` and its `GradientSums`: the same queue, newest first |
#
# The same three operations. A tensor that no operation made, like a weight, is a *leaf*. `requires_grad=True` asks
# for its gradient, which `backward` puts into its `.grad`:

# %%
leaf_w, leaf_x = mg.tensor([2.0], requires_grad=True), mg.tensor([3.0], requires_grad=True)
product = leaf_w * leaf_x
(product * product + product).backward()
print("w", leaf_w.grad.item(), " x", leaf_x.grad.item())

# %% [markdown]
# Press the buttons below to go through the same three operations, forward and then backward, as minigrad does them:
# what comes in at each node, and what goes out to its inputs. (Where no scripts run, it is a table.) Change the
# function, or the numbers, and run the cell again.


# %%
def of_two(w, x):
    u = w * x
    s = u * u
    return s + u


player(of_two, 2.0, 3.0)

# %% [markdown]
# Only the slopes are different from ours. With arrays, the local slopes would be a table with a line for each
# output element and a column for each input element. Take the ReLU behind the network's first layer, which makes
# of a single image 96 *maps* of 55×55 numbers (paper, figure 2):

# %%
size = 96 * 55 * 55
print(f"{size:,} elements; the table in float32 has {4 * size**2 / 1e9:,.0f} GB")

# %% [markdown]
# Nearly all of it is zeros. So minigrad never keeps slopes, but a function that *multiplies by them*:
# `backward(ctx, grad)` gets the gradient of the output and returns those of the inputs. What it needs for
# that, `forward` saves. An operation of your own is these two functions:


# %%
class Square(mg.Function):
    """y = x^2, element by element."""

    @staticmethod
    def forward(ctx, x):
        ctx.save(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved
        return grad * 2 * x


three = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
Square.apply(three).sum().backward()
print(three.grad.numpy())

# %% [markdown]
# A recorded graph can be looked at. Two layers give three numbers (*logits*) for each of four inputs;
# `cross_entropy` makes a loss of them and the right answers. The loss also has the sum of the squares of the
# first weight in it (weight decay), so that this weight is used there, too. In the list, `·` is an argument that
# needs no gradient, and "keeps" is the memory that `forward` saved for backward. Parameters are not counted, since
# they stay in memory in any case; nor is what an earlier line keeps already.

# %%
mg.manual_seed(0)
fc1, fc2 = nn.Linear(8, 16), nn.Linear(16, 3)
parameters = {
    f"{name}.{kind}": getattr(layer, kind)
    for name, layer in (("fc1", fc1), ("fc2", fc2))
    for kind in ("weight", "bias")
}
logits = fc2(fc1(mg.randn(4, 8)).relu())
cost = nn.functional.cross_entropy(logits, mg.tensor([0, 1, 2, 0]))
cost = cost + 0.01 * (fc1.weight * fc1.weight).sum()
print(to_text(cost, parameters))

# %%
fig, axes = plt.subplots(figsize=(9.0, 3.2))
check.draw_recorded(axes, cost, parameters)
axes.set_title("The graph that minigrad recorded: fc1.weight is used three times")
plt.show()

# %% [markdown]
# A leaf keeps its gradient in `.grad`, and a second `backward` **adds** to it. This is the same
# accumulation, over calls: a batch too large for the memory can be done in two parts. It is also why a
# training loop clears the gradients before each step.

# %%
two = mg.tensor([1.0, 2.0], requires_grad=True)
(3 * two).sum().backward()
print("once: ", two.grad.numpy())
(3 * two).sum().backward()
print("twice:", two.grad.numpy())

# %% [markdown]
# `zero_grad` clears the parameters' gradients, and nobody clears those of the tensors between, like the result of
# fc1. **A question.** Why is that right?
#
# - (a) Their gradients are always 0.
# - (b) They are made anew in each step, and begin without a gradient.
# - (c) The optimizer's `step()` clears them.
# - (d) They hardly change from step to step.

# %% tags=["answer"]
why_only_parameters = None  # "a", "b", "c" or "d"

# %%
check.why_only_parameters(why_only_parameters)

# %% [markdown]
# During the pass minigrad keeps the gradient of a tensor between only until its node has had its turn, and its
# `.grad` stays empty unless `retain_grad()` asks for it:

# %%
between = 3 * two
between.sum().backward()
print("between:", between.grad, "  leaf:", two.grad.numpy())

# %% [markdown]
# ## Why no recursion
#
# Many short engines find their order with a function that calls itself for each input. It is elegant,
# and it works until the graph is deep: Python allows calls to nest only so deep (`sys.getrecursionlimit()` says
# how deep). A recurrent network (the same layer again and again, for every word of a text), or a sum in a loop,
# gets there at once.


# %%
def order_by_recursion(value, seen, result):
    if value not in seen:
        seen.add(value)
        for source in value.inputs:
            order_by_recursion(source, seen, result)
        result.append(value)
    return result


start = Value(1.0)
total = start
for _ in range(20_000):
    total = total + start
try:
    order_by_recursion(total, set(), [])
except RecursionError:
    print("by recursion: RecursionError")
else:
    print("by recursion: no error. Was the limit raised?")
print("with a queue:", gradients(total)[start])

# %% [markdown]
# ## Your code is the network
#
# Your `backward` was written for numbers. minigrad's nodes can be put before it as values whose "slope" is the
# node's own backward, and then it walks over arrays, and over any network. If it is right it does so here, beside
# minigrad's walk:

# %%
yours.plug("01_autograd", globals())

# %% [markdown]
# ## What to remember
#
# - The gradient of a value is a sum over its uses: gradient of the user times local slope.
# - A value has its turn after all its users. Newest first is such an order, and needs no recursion.
# - Gradients are added: within a pass, and in `.grad` over passes.
# - With arrays, a slope becomes a function: `backward(ctx, grad)`.
# - Only what lives longer than a step has gradients to be cleared: the parameters.
#
# ## Further
#
# Give `Value` a method `exp`, and write the loss of a softmax over three values with it, $-\ln$ of the share of the
# first. You would see that the gradients along the three add up to 0, and that each is the share, less 1 for the
# right one. (Lesson 3 proves it.) Then let `network` have two layers of six hidden units, and watch the loss: does it
# fall faster?
#
# [Solutions](solutions/01_autograd.ipynb). Next: [notebook 2](02_gradient_checking.ipynb), gradient checking: is a
# backward right?

# %% [markdown]
# ## Appendix: why no circle
#
# Python frees an object at the moment when the last reference to it goes. Two objects that refer to each
# other are never at that point, though nobody else can reach them. They wait for the *garbage collector*,
# which now and then looks for such circles.
#
# An engine gets circles very easily. In many short ones a result carries a small function, its
# backward, and this function mentions the result. Result → function → result:


# %%
class Circular:
    """A result that holds a function that holds the result."""

    def __init__(self, array):
        self.array = array
        self.backward = None

    def __mul__(self, factor):
        out = Circular(self.array * factor)

        def backward(grad):
            return grad * factor * np.ones_like(out.array)  # `out` is mentioned here

        out.backward = backward
        return out


class Straight(Circular):
    """The same, and nothing points forward."""

    def __mul__(self, factor):
        out = Straight(self.array * factor)
        out.backward = lambda grad: grad * factor
        return out


# %% [markdown]
# To see who is still there, we use a *weak* reference, which does not keep its object alive, and switch
# the collector off:

# %%
gc.collect()
gc.disable()
makers = {
    "circular": lambda: Circular(np.ones(10)) * 2.0,
    "straight": lambda: Straight(np.ones(10)) * 2.0,
    "Value": lambda: Value(1.0) * Value(2.0),
    "minigrad": lambda: mg.ones(10, requires_grad=True) * 2.0,
}
for name, make in makers.items():
    result = make()
    watcher = weakref.ref(result)
    del result
    print(f"{name:<9} still in memory after del: {watcher() is not None}")
found_some = gc.collect() > 0
print(f"the collector found something: {found_some}")
gc.enable()

# %% [markdown]
# Does it matter, if the collector comes some time later? The collector of CPython
# [counts objects](https://docs.python.org/3/library/gc.html#gc.set_threshold), not bytes. A network
# makes few objects, and each is large. The result of the paper's first convolution, for its batch of 128:

# %%
print(f"{128 * 96 * 55 * 55 * 4 / 1e6:.0f} MB in a single array")

# %% [markdown]
# Here are forty steps of a loop that makes three results of 1 MB in each, and keeps none. We count what
# is still alive after each step. The collector is off, as if it had not yet had a reason to come:


# %%
def alive_after_each_step(make, steps=40):
    watchers, held = [], []
    for _ in range(steps):
        value = make(np.ones(125_000))  # 1 MB
        for _ in range(3):
            value = value * 0.5
            watchers.append(weakref.ref(value))
        del value
        held.append(sum(watcher() is not None for watcher in watchers))
    return held


gc.disable()
for name, make, colour in (
    ("circular", Circular, RED),
    ("straight", Straight, GREEN),
    ("minigrad", lambda a: mg.tensor(a, requires_grad=True), BLUE),
):
    style = "--" if name == "minigrad" else "-"
    plt.plot(alive_after_each_step(make), color=colour, label=name, linestyle=style)
gc.enable()
gc.collect()
plt.xlabel("step")
plt.ylabel("results still in memory (MB)")
plt.title("Circles keep every result until the collector comes")
plt.legend()
plt.show()

# %% [markdown]
# In minigrad a tensor holds its node, and a node holds the nodes it came from. Nothing points back. And
# `backward` goes one step further: as soon as a node has had its turn, it lets go of all it had saved. That
# is why a second `backward` through the same graph is refused:

# %%
squares = (two * two).sum()
squares.backward()
try:
    squares.backward()
except RuntimeError as error:
    print(error)

# %% [markdown]
# References point from results to inputs, and never back: memory is free when the last name goes.
