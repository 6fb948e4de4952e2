# %% [markdown]
# # Solutions to notebook 1, autograd
#
# [The notebook](../01_autograd.ipynb)

# %%
import math

from alexnet_course import n01_autograd as check

# %% [markdown]
# ## Exercise 1: local slopes
#
# With $a^b = e^{b \ln a}$, the slope along $b$ is $a^b \ln a$. For `max`, the smaller one may move a little
# and nothing changes.


# %% tags=["solution"]
def local_slopes(operation, a, b):
    if operation == "sub":
        return 1.0, -1.0
    if operation == "div":
        return 1 / b, -a / b**2
    if operation == "max":
        return (1.0, 0.0) if a > b else (0.0, 1.0)
    return b * a ** (b - 1), a**b * math.log(a)


# %%
check.local_slopes(local_slopes)

# %% [markdown]
# ## Exercise 2: an order
#
# Find everything with a list of what is waiting, then sort: the newest first.


# %% tags=["solution"]
def order(output):
    found, waiting = {output}, [output]
    while waiting:
        for source in waiting.pop().inputs:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return sorted(found, key=lambda value: value.number, reverse=True)


# %%
check.order(order)

# %% [markdown]
# Without the numbers, count how many users of each value have not had their turn yet. A value is ready
# when none is left.


# %% tags=["solution"]
def order_by_counting(output):
    users = {output: 0}
    waiting = [output]
    while waiting:
        for source in waiting.pop().inputs:
            if source not in users:
                users[source] = 0
                waiting.append(source)
            users[source] += 1
    ready, result = [output], []
    while ready:
        value = ready.pop()
        result.append(value)
        for source in value.inputs:
            users[source] -= 1
            if users[source] == 0:
                ready.append(source)
    return result


# %%
check.order(order_by_counting)

# %% [markdown]
# ## Exercise 3: backward


# %% tags=["solution"]
def backward(output):
    values = order(output)
    grads = dict.fromkeys(values, 0.0)
    grads[output] = 1.0
    for value in values:
        for source, slope in zip(value.inputs, value.slopes, strict=True):
            grads[source] += grads[value] * slope
    return grads


# %%
check.backward(backward)

# %% [markdown]
# ## The prediction and the question

# %% tags=["solution"]
calls_of_20 = 2**21 - 1
why_only_parameters = "b"

# %%
check.calls_of_20(calls_of_20)
check.why_only_parameters(why_only_parameters)
