# %% [markdown]
# # 16. The GPU
#
# **At the end you will know** what changes when a program goes from the processor to a graphics card and what
# does not, how a CUDA kernel is read, why its threads must not write where others write, how such mistakes
# are found without a GPU, and why neighbouring threads should read neighbouring numbers. You will have written one
# thread of a kernel.
#
# About 55 minutes to read, and 30 for the two exercises. You need notebook 5 (max-pooling); 7 (LRN) and 11
# (AlexNet) help. You need no GPU and no C. How fast a GPU is, and how large a batch fits, is the subject of
# notebook 17.
#
# **What ran where.** The committed outputs were made on a machine without a GPU. The kernels are the
# project's own CUDA C files. A C++ compiler compiled them for the CPU and ran their threads one after the
# other; the project tests its kernels in the same way. This shows *what* a kernel computes. It says nothing
# about how *fast* it is, and no speed of a GPU in this notebook is measured. With a GPU and CuPy the kernels
# run there. With neither a GPU nor a C++ compiler these cells print that they did not run; all others,
# and the exercises, work anywhere.

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from alexnet_course import n16_gpu as check
from alexnet_course.emulation import excerpt, near, on_pretended_gpu, run, same, where
from alexnet_course.style import BLUE, GREEN, ORANGE, RED, SKY, use_style
from minigrad import nn
from minigrad.arrays import array_module
from minigrad.kernels import cuda
from minigrad.kernels.activation import relu_backward
from minigrad.kernels.lrn import lrn_forward
from minigrad.kernels.pool import max_pool2d_backward, max_pool2d_forward
from minigrad.nn import functional as F

use_style()

# %% [markdown]
# The next cell says where kernels run on *your* machine (its output is not kept):

# %% tags=["machine"]
print(where())

# %% [markdown]
# ## What swaps
#
# CuPy is a library with NumPy's names whose arrays lie in the memory of a GPU. So most of minigrad is written
# once. A function asks an array for the module it belongs to:


# %%
def softplus(x):
    xp = array_module(x)  # numpy or cupy
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


x = np.linspace(-2, 2, 5).astype("f4")
print(array_module(x).__name__, softplus(x).round(3))

# %% [markdown]
# With a CuPy array the same lines run on the GPU. For this section we use a *pretended* GPU: the stand-in for
# CuPy from the project's tests. It has CuPy's names, computes with NumPy, and lets nobody mix arrays of
# the host (the processor) and of the device (the GPU). And it counts how often numbers cross.


# %%
def on_device(transfers):
    device = mg.tensor(x, device="cuda").data
    name = array_module(device).__name__
    try:
        device + x
        mixed = "works"
    except TypeError:
        mixed = "TypeError"
    equal = np.allclose(softplus(device).get(), softplus(x))
    return f"{name}: softplus equal: {equal}; device + host: {mixed}"


print(on_pretended_gpu(on_device))

# %% [markdown]
# ## What does not swap
#
# | | processor | GPU |
# |---|---|---|
# | threads | a few; each takes some images | thousands; each takes one *number* |
# | memory | one | its own: what the host has must be sent, and results fetched |
# | a call | returns when the work is done | *returns at once*; the work waits in a queue |
# | fast when | the data stays in the cache | each number crosses the memory once, neighbours together |
# | products | float32 | float32, or fewer digits on special units |
#
# The third line surprises most. NumPy comes back with the result. On a GPU the host only writes down what is
# to be done and goes on. It waits when it wants to *see* a number. So a harmless `loss.item()` stops the
# program until the GPU has emptied its queue. How often does a training loop do that? Count it for ten steps:


# %%
def ten_steps(transfers, read):
    rng = np.random.default_rng(0)
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)).to("cuda")
    optimizer = mg.optim.SGD(model.parameters(), 0.1)
    total = mg.tensor(np.float32(0), device="cuda")
    transfers.clear()  # the weights have arrived
    for _ in range(10):
        images = mg.tensor(rng.standard_normal((4, 8)).astype("f4"), device="cuda")
        labels = mg.tensor(rng.integers(0, 3, 4), device="cuda")
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        if read == "each loss":
            loss.item()
        elif read == "is it a number?":
            if not bool(array_module(loss.data).isfinite(loss.data)):
                break
        else:
            total = total + loss.detach()
    if read == "the sum":
        total.item()
    return f"{read:16} to the device: {transfers['to device']}, to the host: {transfers['to host']}"


for read in ("each loss", "is it a number?", "the sum"):
    print(on_pretended_gpu(lambda transfers, read=read: ten_steps(transfers, read)))

# %% [markdown]
# Images and labels of each of the ten steps have to be sent: 20. But the results need not be fetched each
# time: the sum of the losses stays on the device and is fetched once. Any Python `if` on a number of the
# device is such a hidden wait, too. (minigrad's tests hold a training step to none at all.)

# %% [markdown]
# ## A kernel, line by line
#
# A *kernel* is a function in C that every thread runs. To read one you need this much C:
#
# | C | Python |
# |---|---|
# | `int c = 3, b = t;` | `c, b = 3, t`: each new name has a type before it (`const`: nobody changes it) |
# | `real* x`, then `x[i]` | `x[i]`, but `x` is only a place in memory: nobody knows its length or checks `i` |
# | `for (int u = 0; u < kh; ++u) { … }` | `for u in range(kh):` (begin; go on while; after each round) |
# | `p / q`, `p % q` of whole numbers ≥ 0 | `p // q`, `p % q` |
# | `a ? b : c` | `b if a else c` |
# | `&&`, <code>&#124;&#124;</code>, `!` | `and`, `or`, `not` |
# | `real(0)`, `(unsigned)(n)` | `np.float32(0)`, `np.uint32(n)` (`unsigned`: a whole number ≥ 0) |
# | `#define NAME(i) …` | none: the text after it takes the place of `NAME(i)`; `\` joins lines |
#
# Here is one of the project's kernels, whole. The backward of ReLU passes the gradient on where the output is
# positive, which for an output of ReLU is the same as "not 0":

# %%
print(excerpt("activation", "void relu_backward", "}"))
print()
print(excerpt("activation", "#define FOR_EACH(i", "         i +="))

# %% [markdown]
# - `extern "C" __global__`: a function that the host can start, and find by its plain name.
# - `real` is `float` or `double`; the launcher defines it. Every argument is a pointer to numbers in the GPU's
#   memory, or a number. Shapes are gone: memory is one long row. `n` is the number of elements.
# - `__restrict__` promises the compiler that no other pointer leads to the same memory.
# - There is no loop over the elements as you know it. `FOR_EACH` is a macro, and with it the line means: *my*
#   first element has the number
#
# $$i = \mathrm{blockIdx} \cdot \mathrm{blockDim} + \mathrm{threadIdx}$$
#
# Threads come in **blocks** of equal size (`blockDim`; minigrad takes 256); all blocks together are the
# **grid**, of `gridDim` blocks. (Both could have more dimensions: `.x` is the first, and here the only one.)
# Each thread knows the number of its block, its own number in the block, and the two sizes. Nothing else makes
# it different from the others. From these it finds its element.
#
# If blocks have 4 threads and there are $n = 10$ elements, three blocks are needed: $\lceil 10 / 4 \rceil$, which
# is `-(-10 // 4)` in Python. Two threads of the last block find $i \ge n$ and must do nothing: this is the
# condition `i < n`. Without it they would write into memory that belongs to somebody else.
#
# And if the grid is smaller than the work, a thread goes on after its first element, in steps of the whole
# grid, `blockDim * gridDim`:

# %%
fig, axes = plt.subplots(2, 1, figsize=(8.6, 3.8), height_ratios=[1, 1.02])
for ax, n, blocks, title in (
    (axes[0], 10, 3, "3 blocks of 4 threads, n = 10: two threads have nothing to do"),
    (axes[1], 19, 2, "2 blocks of 4 threads, n = 19: the grid goes round"),
):
    for i in range(max(n, 4 * blocks)):
        b, t = divmod(i % (4 * blocks), 4)
        idle = i >= n
        colour = "white" if idle else (BLUE, ORANGE, GREEN)[b]
        box = {"facecolor": colour, "edgecolor": "0.4", "linestyle": "--" if idle else "-"}
        ax.add_patch(plt.Rectangle((i, 0), 0.92, 1, alpha=0.45, **box))
        ax.text(i + 0.46, 0.66, "idle" if idle else f"{i}", ha="center", va="center", fontsize=11)
        ax.text(i + 0.46, 0.26, f"({b},{t})", ha="center", va="center", fontsize=9)
    ax.set(xlim=(-0.2, 20), ylim=(-0.1, 1.1))
    ax.set_title(title, loc="left")
    ax.axis("off")
fig.supxlabel("above: the element i; below: (block, thread)", fontsize=10)
plt.show()

# %% [markdown]
# ## Exercise 1: who does what
#
# (Should a cell not come to its end, as with a loop that has none: the square button above interrupts it.)
#
# Write `FOR_EACH` down in Python, for the whole grid: which elements does each thread do, in which order? There
# are as many blocks as are needed for one element a thread, but at most `most_blocks`.


# %% tags=["exercise"]
def elements(n, block_dim, most_blocks):
    """-> a dictionary {(block, thread): [its elements, upwards]}, idle threads included."""
    raise NotImplementedError


# %%
check.elements(elements)

# %% [markdown]
# ## Run it
#
# `run("FILE.KERNEL", n, *arguments)` compiles the file and starts a thread for each of `n` elements, in blocks
# of 256. The kernel gets the arguments, and `n` as the last; `run` returns the first, into which the kernel
# has written. We compare with minigrad's NumPy version, byte by byte:

# %%
rng = np.random.default_rng(12)
y = np.maximum(rng.standard_normal((8, 6, 6, 96)), 0).astype("f4")
g = rng.standard_normal(y.shape).astype("f4")
out = run("activation.relu_backward", y.size, np.empty_like(g), g, y)
print("threads:", f"{y.size:,}", "  blocks:", -(-y.size // cuda.BLOCK))
print("same bytes as NumPy:", same(out, relu_backward(g, y)))

# %% [markdown]
# In which order did the threads run? On a GPU **nobody knows**. Thousands run at the same time, in an order that
# changes from run to run. A kernel is right only if every order gives the same result. The emulation can
# choose the order, so it can test this. (A cell that names an order is emulated on a machine with a GPU, too.)

# %%
for order in ("forward", "reversed", "shuffled"):
    again = run("activation.relu_backward", y.size, np.empty_like(g), g, y, order=order)
    print(f"{order:9} same bytes: {same(again, relu_backward(g, y))}")

# %% [markdown]
# The reason is in the code: thread $i$ writes `out[i]` and nothing else, and no thread reads what another one
# writes. Then no order can matter. This is the rule by which nearly all kernels of this project are written:
# **one thread for each element of the output**.
#
# ## Gather, do not scatter
#
# For the backward of max-pooling the rule is not so easy to keep. In notebook 5 each *window* passed its
# gradient to the pixel that won it:
#
# $$dx_{\,\mathrm{winner}(w)} \mathrel{+}= g_w \qquad \text{for each window } w$$
#
# One thread for each window: this form is called *scatter*. Windows overlap, so two threads may add to the same
# pixel. And `+=` is not one step. A thread loads the old number, adds, and stores the new one. Two threads,
# A adding 1 and B adding 2, each with a load and a store; what can come out?
#
# **Predict.** The four steps, two of A and two of B, can come in six orders (A's load is before A's store, B's
# before B's). In how many of the six is a gradient lost?

# %% tags=["answer"]
lost_in = None

# %%
for order in sorted(set(itertools.permutations("AABB"))):
    memory, held = 0, {}
    for thread in order:
        if thread not in held:
            held[thread] = memory  # load
        else:
            memory = held[thread] + {"A": 1, "B": 2}[thread]  # store
    print(" ".join(order), " ->", memory, "" if memory == 3 else "  one gradient is lost")
check.lost_in(lost_in)

# %% [markdown]
# Where the two overlap, one is lost. Such a mistake is called a *race*. It shows on some days only:
# two windows must share their winner, and their two threads must meet.
#
# GPUs have *atomic* additions, which nobody can interrupt. With them nothing is lost. But the order of the
# additions stays open, and in float32 the order of a sum matters:

# %%
big, one = np.float32(2**24), np.float32(1)
print(
    "(big + 1) + 1 =", f"{(big + one) + one:.0f}", "   big + (1 + 1) =", f"{big + (one + one):.0f}"
)

# %% [markdown]
# So a training run with atomics can give other bytes every time. Here is that form in CUDA C, written for this
# notebook. `place[w]` is the place of the winner in memory, and `&dx[…]` is the place of that element, not
# its number. (The emulation runs one thread after the other: there a plain `+=` would lose nothing, either.)
#
# You can change the code and run it again. `run` compares number and types of the arguments with the kernel's,
# and gives the compiler's errors with the numbers of this cell's lines. But nobody checks the places: a wrong
# index changes other numbers, or ends Python without a word. Then, and after an endless loop in C, restart
# Python (in the notebook's menu: "Kernel", in another sense of the word).

# %%
SCATTER = """
extern "C" __global__ void scatter(real* dx, const real* dy, const int* place, int n)
{
    FOR_EACH(w, n) atomicAdd(&dx[place[w]], dy[w]);
}
"""
x = rng.standard_normal((2, 96, 55, 55)).astype("f4")  # as pool1 of AlexNet
p, won = max_pool2d_forward(x, (3, 3), (2, 2))
dy = rng.standard_normal(p.shape).astype("f4")

b, c, i, j = np.indices(p.shape)
u, v = np.divmod(won, 3)
place = ((b * 96 + c) * 55 + 2 * i + u) * 55 + 2 * j + v  # channels first, here
place = np.ascontiguousarray(place, np.int32)
scattered = {
    order: run("own.scatter", p.size, np.zeros_like(x), dy, place, code=SCATTER, order=order)
    for order in ("forward", "shuffled")
}
expected = max_pool2d_backward(dy, won, x.shape, (3, 3), (2, 2))
print("near minigrad's:", *(near(s, expected, 1e-6) for s in scattered.values()))
print("same bytes in both orders:", same(*scattered.values()))

# %% [markdown]
# The cure is to turn the question around. Do not ask "where does the gradient of my window go?" Take **one
# thread for each pixel** and ask "which windows could I have won, and did I?" This form is called *gather*.

# %%
windows, winner = [0, 2, 4], [2, 2, 6]  # three windows of 3 pixels at step 2, and who won
fig, axes = plt.subplots(1, 2, figsize=(9, 3.3))
for ax, title in (
    (axes[0], "scatter: a thread for each window"),
    (axes[1], "gather: a thread for each pixel"),
):
    thread_row = 1 if ax is axes[0] else 0
    for pixel in range(7):
        face = SKY if thread_row == 0 else "0.9"
        ax.add_patch(
            plt.Rectangle((pixel - 0.42, -0.2), 0.84, 0.4, facecolor=face, edgecolor="0.3")
        )
        ax.text(pixel, 0, f"dx{pixel}", ha="center", va="center")
    for w, first in enumerate(windows):
        face = SKY if thread_row == 1 else "0.9"
        ax.add_patch(plt.Rectangle((first + 0.3, 1.8), 1.4, 0.4, facecolor=face, edgecolor="0.3"))
        ax.text(first + 1, 2, f"window {w}", ha="center", va="center", fontsize=10)
        for pixel in range(first, first + 3):
            won_it = pixel == winner[w]
            if thread_row == 1 and not won_it:
                continue
            clash = thread_row == 1 and winner.count(pixel) > 1
            style = {"color": (RED if clash else BLUE) if won_it else "0.65", "shrinkA": 0,
                     "shrinkB": 0, "lw": 2.2 if won_it else 1.1,
                     "ls": "-" if won_it else "--"}  # fmt: skip
            top, bottom = (first + 1 + (pixel - first - 1) * 0.5, 1.78), (pixel, 0.24)
            ax.annotate("", bottom, top, arrowprops={"arrowstyle": "->", **style})
    ax.set(xlim=(-0.6, 6.6), ylim=(-0.75, 2.4), title=title)
    ax.axis("off")
axes[0].text(2, -0.5, "two threads write here", color=RED, ha="center")
axes[1].text(3, -0.5, "each thread reads several windows, writes one number", ha="center")
plt.show()

# %% [markdown]
# Light blue boxes have a thread. On the left, two arrows end at the same number. On the right nobody shares an
# output; the grey dashed arrows are windows that a pixel asked and had not won. The price is a little more
# reading; the gain is a fixed order of the sum and no atomics. Here is the project's kernel:

# %%
print(excerpt("pool", "void backward(", "}"))
print()
print(excerpt("pool", "void windows_of(", "}"))

# %% [markdown]
# - `__device__ __forceinline__`: a function for kernels, put where it is called. `Number` is the type of `won`, here
#   of one byte.
# - `take(t, C)` returns `t % C` and leaves `t / C` in `t`. It undoes the index arithmetic: memory is `((b * H + row) *
#   W + column) * C + c`; dividing by `C`, then by `W`, then by `H` gives the four numbers back.
# - `windows_of` calls its last argument, `visit`, for each window that sees the pixel: a function written on the spot,
#   like Python's `lambda`; `[&]` means that it sees the names around it. Tap $u$ of window $y$ lies at
#   $\mathrm{row} = y s + u - p$ (`dh` and `dw`, gaps between the taps, are 1 here). So
#   $y = (\mathrm{row} + p - u) / s$, *if* that is a whole number between 0 and $o_h - 1$. The lines with
#   `continue` ask whether it is.
# - Without `down < 0` a thread could ask for window −1. C does not complain: it reads whatever lies in memory before.
# - `sum` is a variable of the thread, in a register. Memory is written once, at the end.

# %%
channels_last = [np.ascontiguousarray(a.transpose(0, 2, 3, 1)) for a in (dy, won)]
dx = np.empty((2, 55, 55, 96), "f4")
numbers = (55, 55, 96, 3, 3, 2, 2, 0, 0, 1, 1, 27, 27)  # H W C, kh kw, sh sw, ph pw, dh dw, oh ow
gathered = {
    order: run("pool.max_backward8", dx.size, dx.copy(), *channels_last, *numbers, order=order)
    for order in (None, "reversed", "shuffled")
}
first, *others = gathered.values()
print("same bytes as NumPy:", same(first, expected.transpose(0, 2, 3, 1)))
print("same bytes in every order:", *(same(first, other) for other in others))

# %% [markdown]
# ## Exercise 2: one thread of max-pooling's backward
#
# Write what *one thread* does, for one map without padding. `i` is the number of its pixel, `row * width +
# column`. `dx` is memory: one row of numbers, in which this thread may write `dx[i]` and nothing else, and in
# which there is rubbish before. `grad` and `winners` are as in notebook 5. The check runs the threads in shuffled
# order and watches what they touch.


# %% tags=["exercise"]
def pool_backward_thread(i, dx, grad, winners, width, size, stride):
    """Write dx[i]: the sum of grad (oh, ow) over the windows that pixel i won."""
    raise NotImplementedError


# %%
check.pool_backward_thread(pool_backward_thread)

# %% [markdown]
# ## Mistakes, planted
#
# A kernel can be wrong in two ways: it computes something else, or it depends on the order. Do the tests that we
# have find both? We plant four mistakes.
#
# 1. **A wrong index**: pool's backward reads the channels from the wrong end.
# 2. **Two writers**: ReLU's backward writes `out[i / 2]`.
# 3. **ReLU in place**: `out` and `y` are the same memory, to save some.
# 4. **LRN in place**: the same saving. (Both break the promise of `__restrict__`.)


# %%
def wrong_index(order):
    edit = ("+ x) * C + c;", "+ x) * C + C - 1 - c;")
    args = (np.zeros_like(dx), *channels_last, *numbers)
    return run("pool.max_backward8", dx.size, *args, edit=edit, order=order)


def two_writers(order):
    edit = ("out[i] = y[i]", "out[i / 2] = y[i]")
    args = (np.zeros_like(g), g, y)
    return run("activation.relu_backward", y.size, *args, edit=edit, order=order)


def relu_in_place(order):
    both = y.copy()
    return run("activation.relu_backward", y.size, both, g, both, order=order)


def lrn_in_place(order):
    a = maps.copy()  # (pixels, 96 channels)
    args = (a, a, a, 96, 2.0, 1e-4, 0.75, 0)  # output, denominators, input, C, k, alpha, beta, keep
    return run("lrn.lrn_forward", a.size, *args, order=order, WINDOW=5, RUN=1)  # RUN: channels


maps = (0.3 * rng.standard_normal((400, 96))).astype("f4")
normalised = lrn_forward(maps[:, :, None, None])[0][:, :, 0, 0]
print(f"{'':16}{'near NumPy':>12}{'same in every order':>22}")
for name, kernel, wanted in (
    ("wrong index", wrong_index, expected.transpose(0, 2, 3, 1)),
    ("two writers", two_writers, relu_backward(g, y)),
    ("ReLU in place", relu_in_place, relu_backward(g, y)),
    ("LRN in place", lrn_in_place, normalised),
):
    results = [kernel(order) for order in ("forward", "reversed", "shuffled")]
    orders = same(results[0], results[1]) and same(results[0], results[2])
    print(f"{name:16}{near(results[0], wanted, 1e-4)!s:>12}{orders!s:>22}")

# %% [markdown]
# - The wrong index is wrong in the same way in every order. Only the comparison finds it.
# - Two writers: both tests find it.
# - ReLU in place comes out right: a thread reads `y[i]` before it writes `out[i]`, and nobody else reads it. (A
#   kernel that relies on it must not promise `__restrict__`, or must take one pointer only, as `bias_relu` does.)
# - **LRN in place passes the comparison** with a usual tolerance, and is a race all the same. Each thread reads
#   four neighbours, and some of these have already been overwritten: multiplied by $(2 + 10^{-4} \sum a^2)^{-0.75}$,
#   about 0.6. But a neighbour counts only inside that sum, where $10^{-4}$ makes it small beside the 2; notebook 7
#   tells how that hides mistakes. The order finds it, since it asks for the same *bytes*.
#
# So one needs both. The project's tests do both for every kernel, with a wrong index planted in each
# (`tests/cuda_emulation/test_cuda_kernels.py`), and run the kernels under a thread sanitiser, too
# (`test_compilers.py` there), which reports two threads at the same memory even if the result is the same. For a
# kernel of your own, `mg.testing.check_orders` does both.
#
# **Question.** You write a kernel for max-pooling's forward, a thread for each output, and test it. In every order the
# bytes are the same. Compared with NumPy, a few of the outputs of the last row and the last column are wrong; the
# other thousands are right. What do you look for?
#
# - (a) A race: two threads write the same output.
# - (b) A window that reads beyond the edge of its map, where memory holds something else.
# - (c) Rounding: float32 sums depend on their order.
# - (d) A wrong number of threads: the last outputs have no thread.

# %% tags=["answer"]
suspect = None

# %%
check.suspect(suspect)

# %% [markdown]
# ## Neighbours side by side
#
# 32 threads with neighbouring numbers form a *warp*: they do the same instruction at the same time. When they
# load a number each, the memory delivers whole pieces of 32 bytes, 8 floats. The cost is the number of pieces
# that the warp touches (NVIDIA, *CUDA C++ Best Practices Guide*, "Coalesced Access to Global Memory").
#
# Take max-pooling of 96 maps of 55×55 at step 2. At its first tap, thread $i$ reads one pixel. How many
# pieces does one warp touch? It depends on two things: in which order memory is (notebook 4), and
# how threads are numbered.

# %%
t = np.arange(32)  # the first warp
row, x_out = np.divmod(t, 27)  # of the window of thread t
places = {
    "memory (H, W, C), neighbours differ in c": t,
    "memory (C, H, W), neighbours differ in x": (2 * row) * 55 + 2 * x_out,
    "memory (H, W, C), neighbours differ in x": ((2 * row) * 55 + 2 * x_out) * 96,
}
for way, at in places.items():
    pieces = len(np.unique(at * 4 // 32))
    print(f"{way}: {pieces:2} pieces, {100 * 32 * 4 / (pieces * 32):3.0f}% of them used")

# %% [markdown]
# The third way is what you get if you take an (H, W, C) array and number the threads as for (C, H, W). It is
# *right*, and each piece of 32 bytes is fetched for 4 bytes of it. Channels last is a good order for this
# network: where windows move by 2 or 4, neighbouring windows do not begin at neighbouring pixels, but
# neighbouring channels always lie side by side. So all kernels here are "channels fastest".

# %% [markdown]
# ## Your code is the network
#
# Here is your thread in the place of a kernel: it runs once for each pixel of each map, in shuffled order, as
# the backward of a pooling layer in a small network. (Until it is right, ours runs.) The gradients of the weights
# must be those that minigrad computes.


# %%
class YourPool(mg.Function):
    """Max-pooling whose backward runs your thread for every pixel."""

    @staticmethod
    def forward(ctx, x):
        y, ctx.won = max_pool2d_forward(x, (3, 3), (2, 2))
        ctx.shape = x.shape
        return y

    @staticmethod
    def backward(ctx, grad):
        dx = np.empty(ctx.shape, grad.dtype)
        for image, channel in np.ndindex(*ctx.shape[:2]):
            memory, at = np.empty(dx[0, 0].size), (image, channel)
            for i in np.random.default_rng(0).permutation(memory.size):
                thread(i, memory, grad[at], ctx.won[at].astype(int), ctx.shape[3], 3, 2)
            dx[at] = memory.reshape(ctx.shape[2:])
        return dx


thread, whose = check.whose_thread(pool_backward_thread)
images = mg.tensor(rng.standard_normal((2, 3, 13, 13)))
mg.manual_seed(0)
conv = nn.Conv2d(3, 4, 3).to(np.float64)
gradients = []
for pool in (YourPool.apply, lambda x: F.max_pool2d(x, 3, 2)):
    conv.zero_grad()
    (pool(conv(images)) ** 2).sum().backward()
    gradients.append(conv.weight.grad.numpy())
print(f"the threads are {whose}")
print("gradients as minigrad's:", np.allclose(*gradients, rtol=1e-12))

# %% [markdown]
# ## What to remember
#
# - Expressions swap; threads, transfers and waiting do not. A number that Python looks at is a wait.
# - One thread for each output. It writes its own element, and nobody reads what another writes. Then every order
#   gives the same bytes.
# - If several threads would add to one number, turn the question round: gather, do not scatter.
# - Comparing with NumPy finds wrong numbers; changing the order finds races. One needs both.
# - A warp should touch few pieces of memory: neighbouring threads, neighbouring numbers.
#
# ## Further
#
# Write the *forward* of max-pooling as a kernel in CUDA C: one thread for each output, channels fastest, one loop over
# rows and one over columns of the window. Run it with `run("own.NAME", count, ..., code=...)`, compare it with
# `max_pool2d_forward`, and hold it to every order. You will see that it needs no atomics and no condition beyond
# `i < n` as long as there is no padding, and that with padding both ends have to be checked.
#
# [Solutions](solutions/16_gpu.ipynb). Next: [notebook 17](17_gpu_time.ipynb), where the time goes.
