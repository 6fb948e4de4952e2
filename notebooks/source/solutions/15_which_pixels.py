# %% [markdown]
# # Solutions to notebook 15, which pixels matter
#
# [The notebook](../15_which_pixels.ipynb)

# %%
import numpy as np

import minigrad as mg
from alexnet_course import n15_which_pixels as check

# %% tags=["solution"]
two_maps = "b"

# %%
check.two_maps(two_maps)

# %% [markdown]
# ## Exercise 1: saliency
#
# The image is the tensor that needs a gradient. `mg.grad` returns it and leaves no gradients in the
# network's parameters, as `backward()` would.


# %% tags=["solution"]
def saliency(model, image, label):
    x = mg.tensor(image[None], requires_grad=True)
    logit = model(x)[0, label]
    (slopes,) = mg.grad(logit, [x])
    return np.abs(slopes.numpy()[0]).max(axis=0)


# %%
check.saliency(saliency)

# %% [markdown]
# ## Exercise 2: occlusion
#
# A fresh copy for each place. The last place is `size - patch`, so the range ends one later.


# %% tags=["solution"]
def occlusion(probability, image, patch, stride):
    size = image.shape[1]
    mean = image.mean(axis=(1, 2))[:, None, None]
    places = range(0, size - patch + 1, stride)
    found = np.zeros((len(places), len(places)))
    for row, i in enumerate(places):
        for column, j in enumerate(places):
            covered = image.copy()
            covered[:, i : i + patch, j : j + patch] = mean
            found[row, column] = probability(covered)
    return found


# %%
check.occlusion(occlusion)

# %% [markdown]
# ## Exercise 3: Grad-CAM


# %% tags=["solution"]
def grad_cam(maps, slopes):
    weights = slopes.mean(axis=(1, 2), keepdims=True)
    weighted = (weights * maps).sum(axis=0)
    return np.maximum(weighted, 0)


# %%
check.grad_cam(grad_cam)

# %% [markdown]
# ## The test

# %% tags=["solution"]
by_size = "a"

# %%
check.by_size(by_size)
