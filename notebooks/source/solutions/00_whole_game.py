# %% [markdown]
# # Solutions to notebook 0, the whole game
#
# [The notebook](../00_whole_game.ipynb)

# %%
import numpy as np

from alexnet_course import n00_whole_game as check

# %% [markdown]
# ## Exercise 1: the top-k error
#
# The places of the k largest scores in each row; a row is right if the label is one of them.


# %% tags=["solution"]
def top_k_error(scores, labels, k):
    best = np.argsort(scores, axis=1)[:, -k:]
    right = (best == labels[:, None]).any(axis=1)
    return 1 - right.mean()


# %%
check.top_k_error(top_k_error)

# %% [markdown]
# Without sorting: the label is among the best k if fewer than k scores are larger than its own.


# %% tags=["solution"]
def top_k_error_by_counting(scores, labels, k):
    wrong = 0
    for row, label in zip(scores, labels, strict=True):
        larger = sum(score > row[label] for score in row)
        wrong += larger >= k
    return wrong / len(labels)


# %%
check.top_k_error(top_k_error_by_counting)

# %% [markdown]
# ## The predictions and the question

# %% tags=["solution"]
what_of_a_cat = "c"
stuck_at = -np.log(1 / 10)
fewer_connections = (224 * 224 * 3) / (11 * 11 * 3)

# %%
check.what_of_a_cat(what_of_a_cat)
check.stuck_at(stuck_at)
check.fewer_connections(fewer_connections)
