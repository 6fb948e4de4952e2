# %% [markdown]
# # Solutions to notebook 14, looking inside
#
# [The notebook](../14_inside.ipynb)

# %%
import numpy as np

from alexnet_course import n14_inside as check

# %% [markdown]
# ## Before the filters
#
# About 750 steps at a rate of at most 0.01 leave $e^{-0.0005 \cdot 0.01 \cdot 750 / 0.1}$, 96%.

# %% tags=["solution"]
left_in_ours = "a"

# %%
check.left_in_ours(left_in_ours)

# %% [markdown]
# ## Exercise 1: how colourful is a filter?


# %% tags=["solution"]
def colour_share(filters):
    places = (1, 2, 3)
    grey = filters.mean(axis=1, keepdims=True)
    squares = (filters**2).sum(places)
    return ((filters - grey) ** 2).sum(places) / squares


# %%
check.colour_share(colour_share)

# %% tags=["solution"]
by_chance = "c"

# %%
check.by_chance(by_chance)

# %% [markdown]
# ## Exercise 2: neighbours
#
# Floats first, for bytes would wrap around. The root changes nothing in the order, so it can stay away.
# `alexnet_scratch.inside.nearest` uses
# $\lVert q - f \rVert^2 = \lVert q \rVert^2 - 2 \, q \cdot f + \lVert f \rVert^2$: one matrix product instead of a
# large array of differences.


# %% tags=["solution"]
def nearest(features, queries, count):
    found = []
    for query in queries.astype(float):
        distances = ((features.astype(float) - query) ** 2).sum(axis=1)
        found.append(np.argsort(distances)[:count])
    return np.array(found)


# %%
check.nearest(nearest)
