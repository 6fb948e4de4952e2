# %% [markdown]
# # Solutions to notebook 11, AlexNet
#
# [The notebook](../11_alexnet.ipynb)

# %%
import numpy as np

from alexnet_course import n11_alexnet as check
from minigrad import nn
from minigrad.kernels.conv import conv2d_backward

# %% [markdown]
# ## The questions


# %% tags=["solution"]
most_work = "b"
which_change = "b"

# %%
check.most_work(most_work)
check.which_change(which_change)

# %% [markdown]
# ## Exercise 1: build it
#
# The groups are in conv2, conv4 and conv5. conv3 has none: there the towers meet.


# %% tags=["solution"]
def build(widths, fc_width, num_classes):
    w1, w2, w3, w4, w5 = widths
    return nn.Sequential(
        {
            "conv1": nn.Conv2d(3, w1, 11, stride=4, padding=2),
            "relu1": nn.ReLU(),
            "lrn1": nn.PaperLRN(groups=2),
            "pool1": nn.MaxPool2d(3, 2),
            "conv2": nn.Conv2d(w1, w2, 5, padding=2, groups=2),
            "relu2": nn.ReLU(),
            "lrn2": nn.PaperLRN(groups=2),
            "pool2": nn.MaxPool2d(3, 2),
            "conv3": nn.Conv2d(w2, w3, 3, padding=1),
            "relu3": nn.ReLU(),
            "conv4": nn.Conv2d(w3, w4, 3, padding=1, groups=2),
            "relu4": nn.ReLU(),
            "conv5": nn.Conv2d(w4, w5, 3, padding=1, groups=2),
            "relu5": nn.ReLU(),
            "pool5": nn.MaxPool2d(3, 2),
            "flatten": nn.Flatten(),
            "fc6": nn.Linear(w5 * 6 * 6, fc_width),
            "relu6": nn.ReLU(),
            "drop6": nn.Dropout(0.5),
            "fc7": nn.Linear(fc_width, fc_width),
            "relu7": nn.ReLU(),
            "drop7": nn.Dropout(0.5),
            "fc8": nn.Linear(fc_width, num_classes),
        }
    )


# %%
check.build(build)

# %% [markdown]
# ## Exercise 2: parameters and multiply-adds
#
# A filter sees `inputs / groups` maps. Every number of the output is a sum over one filter.


# %% tags=["solution"]
def conv_cost(inputs, maps, size, groups, side):
    filter_size = inputs // groups * size * size
    parameters = maps * filter_size + maps
    macs = maps * side * side * filter_size
    return parameters, macs


# %%
check.conv_cost(conv_cost)

# %% [markdown]
# ## Exercise 3: the way back through conv3
#
# Each card can do one half of the sum over filters, with the filters that it holds. The half that
# belongs to the other card's maps is sent there and added.


# %% tags=["solution"]
def dx_of(grad, weight):
    if grad.shape[1] != len(weight):
        raise ValueError(f"a gradient of {grad.shape[1]} maps does not fit {len(weight)} filters")
    x = np.zeros((len(grad), weight.shape[1], *grad.shape[2:]))
    return conv2d_backward(grad, x, weight, padding=(1, 1), needs=(True, False, False))[0]


def conv3_backward(grad_a, grad_b, weight):
    filters, maps = len(weight) // 2, weight.shape[1] // 2
    from_a = dx_of(grad_a, weight[:filters])  # on card A
    from_b = dx_of(grad_b, weight[filters:])  # on card B
    dx_a = from_a[:, :maps] + from_b[:, :maps]
    dx_b = from_b[:, maps:] + from_a[:, maps:]
    return dx_a, dx_b


# %%
check.conv3_backward(conv3_backward)
