# %% [markdown]
# # Solutions to notebook 12, why AlexNet's loss sticks at 6.9
#
# [The notebook](../12_stuck_loss.ipynb)

# %%
import math

import numpy as np

from alexnet_course import n12_stuck_loss as check

# %% [markdown]
# ## The questions


# %% tags=["solution"]
stuck_at = math.log(200)
stays = "a"
diagnosis = "b"

# %%
check.stuck_at(stuck_at)
check.stays(stays)
check.diagnosis(diagnosis)

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
