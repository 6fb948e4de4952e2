# %% [markdown]
# # Solutions to notebook 18, the paper and the code
#
# [The notebook](../18_paper_and_code.ipynb)

# %%
import numpy as np

from alexnet_course import n18_paper_and_code as check

# %% [markdown]
# ## Ten sentences


# %% tags=["solution"]
sentences = [False, False, False, False, True, False, True, False, True, False]

# %%
check.sentences(sentences)

# %% [markdown]
# ## Exercise 1: the error of several networks
#
# The order of the classes is that of the averaged probabilities. (`np.argsort` sorts upwards, hence the minus.)


# %% tags=["solution"]
def ensemble_error(logits, labels, k):
    powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    p = powers / powers.sum(axis=2, keepdims=True)
    best = np.argsort(-p.mean(axis=0), axis=1)[:, :k]
    known = (best == labels[:, None]).any(axis=1)
    return 1 - known.mean()


# %%
check.ensemble_error(ensemble_error)

# %% [markdown]
# ## Exercise 2: translate
#
# Only three of the five change. The decay is the same number in both updates, and the bias is never multiplied.


# %% tags=["solution"]
def into_pytorch(n, alpha, velocity, lr, decay, weight, bias, p):
    return {
        "alpha": alpha * n,
        "momentum_buffer": -velocity / lr,
        "weight_decay": decay,
        "weight": weight * (1 - p),
        "bias": bias,
    }


# %%
check.into_pytorch(into_pytorch)
