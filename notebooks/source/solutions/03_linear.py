# %% [markdown]
# # Solutions to notebook 3, a linear layer and its loss
#
# [The notebook](../03_linear.ipynb)

# %%
import numpy as np

from alexnet_course import n03_linear as check

# %% [markdown]
# ## Exercise 1: forward
#
# The bias (out,) is broadcast over the images.


# %% tags=["solution"]
def linear_forward(x, weight, bias):
    return x @ weight.T + bias


# %%
check.linear_forward(linear_forward)

# %% [markdown]
# ## Exercise 2: backward


# %% tags=["solution"]
def linear_backward(grad, x, weight):
    dx = grad @ weight
    dweight = grad.T @ x
    dbias = grad.sum(axis=0)
    return dx, dweight, dbias


# %%
check.linear_backward(linear_backward)

# %% [markdown]
# ## The question
#
# (8,) stands for a row (1, 8), and rows and columns are repeated until they fit: 64 numbers. Write `target[:, None]`,
# or take `output[:, 0]`.

# %% tags=["solution"]
difference = "c"

# %%
check.difference(difference)

# %% [markdown]
# ## Exercise 3: the sum that undoes broadcasting
#
# Axes that `shape` does not have stand in front; they are summed away. Axes of length 1 are summed and stay.


# %% tags=["solution"]
def sum_to(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


# %%
check.sum_to(sum_to)

# %% [markdown]
# ## Exercise 4: softmax


# %% tags=["solution"]
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# %%
check.softmax(softmax)

# %% [markdown]
# ## Exercise 5: the loss and its gradient
#
# `log_p` never takes the logarithm of a small number. Its `exp` is the softmax.


# %% tags=["solution"]
def cross_entropy(logits, labels):
    rows = np.arange(len(logits))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[rows, labels].mean()
    dlogits = np.exp(log_p)
    dlogits[rows, labels] -= 1
    return loss, dlogits / len(logits)


# %%
check.cross_entropy(cross_entropy)

# %% [markdown]
# ## The predictions
#
# Ten equal probabilities give $\ln 10$. The three linear layers have 96% of the weights and 8% of the multiplications.

# %% tags=["solution"]
first_loss, work_share = np.log(10), 8

# %%
check.first_loss(first_loss)
check.work_share(work_share)
