# %% [markdown]
# # Solutions to notebook 17, where the time goes
#
# [The notebook](../17_gpu_time.ipynb)

# %%
import numpy as np

import minigrad as mg
from alexnet_course import n17_gpu_time as check
from alexnet_scratch.model import AlexNet
from minigrad.nn import functional as F

# %% [markdown]
# ## Exercise 1: the gradient in parts
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
# In minigrad it takes one factor: `backward` adds to `.grad` anyway (notebook 1), and each part's graph is freed when
# its backward is over. A narrow AlexNet on ten images, four at a time (`eval`, so that dropout draws nothing):

# %%
mg.manual_seed(0)
model = AlexNet(10, widths=(8,) * 5, fc_width=16, input_size=64).eval()
for weight in model.parameters():
    if weight.ndim > 1:
        weight.data *= np.float32(6**0.5)  # a scale at which something arrives in every layer
rng = np.random.default_rng(0)
images, labels = rng.standard_normal((10, 3, 64, 64)).astype("f4"), rng.integers(0, 10, 10)


def gradients(most):
    for weight in model.parameters():
        weight.grad = None
    for first in range(0, 10, most):
        x, y = images[first : first + most], labels[first : first + most]
        loss = F.cross_entropy(model(mg.tensor(x)), mg.tensor(y))
        (loss * (len(x) / 10)).backward()
    return [weight.grad.numpy() for weight in model.parameters()]


whole, parts = gradients(10), gradients(4)
print("the same, to rounding:",
      all(np.allclose(a, b, rtol=0, atol=1e-5 * np.abs(a).max())
          for a, b in zip(whole, parts, strict=True)))  # fmt: skip
