# %% [markdown]
# # Solutions to notebook 10, training
#
# [The notebook](../10_training.ipynb)

# %%
import numpy as np

from alexnet_course import n10_training as check

# %% [markdown]
# ## Exercise 1: how far an image moves a unit
#
# `axis=0`: a unit is compared with itself on other images, never with another unit.


# %% tags=["solution"]
def image_part(outputs):
    variances = outputs.var(axis=0)
    rms = np.sqrt((outputs**2).mean())
    image_rms = np.sqrt(variances.mean())
    return rms, image_rms


# %%
check.image_part(image_part)

# %% [markdown]
# ## Exercise 2: LSUV
#
# Without a bias the layer is linear: a weight times $s$ gives an output times $s$, and a standard deviation
# times $s$. One division is exact.


# %% tags=["solution"]
def lsuv(weight, x, target):
    y = x @ weight.T
    return weight * (target / y.std())


# %%
check.lsuv(lsuv)

# %% [markdown]
# ## Exercise 3: one step, by either rule


# %% tags=["solution"]
def sgd_step(w, v, grad, lr, momentum, weight_decay, rule):
    pull = grad + weight_decay * w
    if rule == "paper":
        v = momentum * v - lr * pull
        w = w + v
    else:
        v = momentum * v + pull
        w = w - lr * v
    return w, v


# %%
check.sgd_step(sgd_step)

# %% [markdown]
# ## Exercise 4: the plateau schedule
#
# The rate is noted before the epoch's error is looked at: nobody knows the error of an epoch that has
# not been trained.


# %% tags=["solution"]
def plateau_rates(errors, at_chance, lr, patience, most_drops):
    lowest, waited, drops = 1.0, 0, 0
    rates = []
    for error, chance in zip(errors, at_chance, strict=True):
        rates.append(lr * 0.1**drops)
        if error < lowest:
            lowest, waited = error, 0
        elif not chance:
            waited += 1
        if waited > patience and drops < most_drops:
            drops, waited = drops + 1, 0
    return rates


# %%
check.plateau_rates(plateau_rates)
