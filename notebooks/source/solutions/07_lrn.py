# %% [markdown]
# # Solutions to notebook 7, local response normalisation
#
# [The notebook](../07_lrn.ipynb)

# %%
import numpy as np

from alexnet_course import n07_lrn as check

# %% [markdown]
# ## Exercise 1: forward
#
# `max(0, ...)` keeps the window from reaching below channel 0. At the upper end a slice stops by itself.


# %% tags=["solution"]
def normalise(x, n, k, alpha, beta):
    half = n // 2
    s = np.empty_like(x)
    for i in range(len(x)):
        window = x[max(0, i - half) : i + half + 1]
        s[i] = k + alpha * np.sum(window**2)
    return x / s**beta, s


# %%
check.normalise(normalise)

# %% [markdown]
# ## Exercise 2: the turning point
#
# With $s = k + \alpha n r^2$ and $y = r\, s^{-\beta}$,
#
# $$\frac{dy}{dr} = s^{-\beta} - 2 \alpha \beta n\, r^2 s^{-\beta-1}
#   = s^{-\beta-1} \left( k + \alpha n r^2 - 2 \alpha \beta n\, r^2 \right).$$
#
# It is 0 where $k = (2\beta - 1)\, \alpha n\, r^2$. For $\beta \le 1/2$ there is no such $r$.


# %% tags=["solution"]
def turning_point(n, k, alpha, beta):
    return np.sqrt(k / (alpha * n * (2 * beta - 1)))


# %%
check.turning_point(turning_point)

# %% [markdown]
# ## Exercise 3: backward
#
# `part[j]` is what channel $j$ sends to all channels of its window; it is worked out once.


# %% tags=["solution"]
def normalise_backward(grad, x, s, n, alpha, beta):
    half = n // 2
    part = grad * x * s ** (-beta - 1)
    dx = grad * s**-beta
    for i in range(len(x)):
        total = np.sum(part[max(0, i - half) : i + half + 1])
        dx[i] -= 2 * alpha * beta * x[i] * total
    return dx


# %%
check.normalise_backward(normalise_backward)

# %% [markdown]
# ## The question and the prediction
#
# PyTorch's $\alpha / n$ is TensorFlow's $\alpha$: $10^{-4} / 5$. And $100 / 7^{0.75} = 23.2$, but
# $200 / 22^{0.75} = 19.7$.

# %% tags=["solution"]
alpha_for_tensorflow, twice_as_loud = 1e-4 / 5, "d"

# %%
check.alpha_for_tensorflow(alpha_for_tensorflow)
check.twice_as_loud(twice_as_loud)
