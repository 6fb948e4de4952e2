# %% [markdown]
# # Solutions to notebook 13, optimisers
#
# [The notebook](../13_optimisers.ipynb)

# %%
import math

from alexnet_course import n13_optimisers as check

# %% [markdown]
# ## The questions


# %% tags=["solution"]
next_step = 0.9 + 0.1 * 0.1
halving_decay = math.log(2) / 750 * (1 - 0.9) / 0.01

# %%
check.next_step(next_step)
check.halving_decay(halving_decay)

# %% [markdown]
# ## Exercise 1: one step, by either rule


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
# ## Exercise 2: the plateau schedule
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
