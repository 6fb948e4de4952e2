# %% [markdown]
# # Solutions to notebook 17, where the time goes
#
# [The notebook](../17_gpu_time.ipynb)

# %%
from alexnet_course import n17_gpu_time as check

# %% [markdown]
# ## The questions


# %% tags=["solution"]
simple_layers = 40
which_limit = "c"

# %%
check.simple_layers(simple_layers)
check.which_limit(which_limit)

# %% [markdown]
# ## Exercise 1: the least time of a fully connected layer
#
# The weights are read once, however many images there are: with a batch of one the layer is all bytes.


# %% tags=["solution"]
def least_time(inputs, outputs, batch, peak, bandwidth):
    operations = 2 * batch * inputs * outputs
    numbers = batch * inputs + inputs * outputs + outputs + batch * outputs
    return max(operations / peak, 4 * numbers / bandwidth)


# %%
check.least_time(least_time)

# %% [markdown]
# ## Exercise 2: the gradient in parts
#
# A mean over $n$ images is the sum of the parts' means, each times its share of the images.


# %% tags=["solution"]
def gradient_in_parts(gradient, x, labels, most):
    total = 0
    for first in range(0, len(x), most):
        part = slice(first, first + most)
        total += len(x[part]) / len(x) * gradient(x[part], labels[part])
    return total


# %%
check.gradient_in_parts(gradient_in_parts)

# %% [markdown]
# In minigrad it takes one factor: `backward` adds to `.grad` anyway (notebook 1), so `(loss * share).backward()` for each
# part is all, and each part's graph is freed when its backward is over.
