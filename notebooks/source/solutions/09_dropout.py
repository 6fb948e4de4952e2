# %% [markdown]
# # Solutions to notebook 9, dropout
#
# [The notebook](../09_dropout.ipynb)

# %%
import numpy as np

from alexnet_course import n09_dropout as check
from minigrad.kernels.dropout import dropout_mask

# %% [markdown]
# ## Exercise 1: the inverted form
#
# A number below $p$ comes with probability $p$: those are dropped.


# %% tags=["solution"]
def inverted_dropout(x, u, p):
    keep = u >= p
    return x * keep / (1 - p)


# %%
check.inverted_dropout(inverted_dropout)

# %% [markdown]
# ## Exercise 2: from one form to the other
#
# Let $q = 1 - p$. The same outputs need $W' = q W$. Then $W = W' / q$, and by the chain rule
# $\partial L / \partial W' = (\partial L / \partial W) / q$. A step of the paper's form, seen by $W'$:
#
# $$q\,W - q\,\mathrm{lr} \left( \frac{\partial L}{\partial W} + \lambda W \right)
#   = W' - q\,\mathrm{lr} \left( q \frac{\partial L}{\partial W'} + \frac{\lambda}{q} W' \right)
#   = W' - q^2\,\mathrm{lr} \left( \frac{\partial L}{\partial W'} + \frac{\lambda}{q^2} W' \right).$$


# %% tags=["solution"]
def to_inverted(weight, lr, decay, p):
    keep = 1 - p
    return weight * keep, lr * keep**2, decay / keep**2


# %%
check.to_inverted(to_inverted)

# %% [markdown]
# ## Exercise 3: the geometric mean
#
# The logarithm of a geometric mean is the arithmetic mean of the logarithms.


# %% tags=["solution"]
def geometric_mean(probabilities):
    mean = np.exp(np.log(probabilities).mean(axis=0))
    return mean / mean.sum()


# %%
check.geometric_mean(geometric_mean)

# %% [markdown]
# ## Exercise 4: backward without a stored mask
#
# Dropout multiplies each element by a constant, 0 or $1 / (1 - p)$. So backward is forward, applied to
# `grad`.


# %% tags=["solution"]
def dropout_backward(grad, p, key):
    keep = dropout_mask(grad.shape, p, key)
    return grad * keep / (1 - p)


# %%
check.dropout_backward(dropout_backward)

# %% [markdown]
# ## The question and the prediction
#
# $10 / 0.8$. And without dropout about 40% of the points are wrong when 30% of the units are gone.

# %% tags=["solution"]
kept_unit, error_without_units = 12.5, 40

# %%
check.kept_unit(kept_unit)
check.error_without_units(error_without_units)
