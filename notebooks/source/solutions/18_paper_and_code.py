# %% [markdown]
# # Solutions to notebook 18, the paper and the code
#
# [The notebook](../18_paper_and_code.ipynb)

# %%
import numpy as np

from alexnet_course import n18_paper_and_code as check

# %% [markdown]
# ## Exercise 1: the paper's dropout
#
# An output is kept with probability $1 - p$, in training by the mask, at test by the factor.


# %% tags=["solution"]
def paper_dropout(x, p, uniform, training):
    if training:
        return x * (uniform >= p)
    return x * (1 - p)


# %%
check.paper_dropout(paper_dropout)

# %% [markdown]
# ## Exercise 2: the paper's update
#
# The rate stands in both terms that are added to the velocity, and nowhere else.


# %% tags=["solution"]
def paper_update(w, v, grad, lr, momentum, decay):
    v = momentum * v - decay * lr * w - lr * grad
    return w + v, v


# %%
check.paper_update(paper_update)

# %% [markdown]
# ## Exercise 3: the size of the noise
#
# The eigenvalues of a covariance are variances; their roots are in the pixels' own unit.


# %% tags=["solution"]
def noise_sizes(pixels, scale):
    eigenvalues = np.linalg.eigvalsh(np.cov(pixels.T))[::-1]
    return eigenvalues if scale == "eigenvalue" else np.sqrt(eigenvalues)


# %%
check.noise_sizes(noise_sizes)
