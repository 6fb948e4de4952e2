# %% [markdown]
# # Solutions to notebook 10, data
#
# [The notebook](../10_data.ipynb)

# %%
import numpy as np

from alexnet_course import n10_data as check

# %% [markdown]
# ## Exercise 1: all crops
#
# The last place is `image_size - size`, so the range ends one later.


# %% tags=["solution"]
def all_places(image_size, size):
    starts = range(image_size - size + 1)
    return [(top, left, m) for top in starts for left in starts for m in (False, True)]


# %%
check.all_places(all_places)

# %% [markdown]
# ## Exercise 2: subtract the mean
#
# The trap: the mean must be mirrored with the crop. Bytes less floats are floats, so nothing wraps around.


# %% tags=["solution"]
def subtract_mean(crop, mean_image, top, left, mirrored):
    size = len(crop)
    mean = mean_image[top : top + size, left : left + size]
    if mirrored:
        mean = mean[:, ::-1]
    return crop - mean


# %%
check.subtract_mean(subtract_mean)

# %% [markdown]
# ## Exercise 3: the shift
#
# A matrix times a vector adds up its columns: $\sum_i p_i \, \alpha_i \sqrt{\lambda_i}$.


# %% tags=["solution"]
def colour_shift(eigenvectors, eigenvalues, alpha):
    return eigenvectors @ (alpha * np.sqrt(eigenvalues))


# %%
check.colour_shift(colour_shift)

# %% [markdown]
# ## Exercise 4: average the views
#
# Each view's largest logit is subtracted first. That changes nothing in the quotient, and nothing overflows.


# %% tags=["solution"]
def average_views(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p.mean(axis=0)


# %%
check.average_views(average_views)

# %% [markdown]
# ## The question and the prediction
#
# Test with what you trained with. And $(1 - 11 / 224)^2 = 0.904$.

# %% tags=["solution"]
mean_at_test, shared_area = "b", 90

# %%
check.mean_at_test(mean_at_test)
check.shared_area(shared_area)
