# %% [markdown]
# # Solutions to notebook 4, convolution
#
# [The notebook](../04_convolution.ipynb)

# %%
import numpy as np

from alexnet_course import n04_convolution as check
from minigrad.kernels.im2col import Window, col2im, im2col

# %% [markdown]
# ## Exercise 1: forward
#
# The loops over $c$, $u$ and $v$ are one `sum`: `weight[o]` and the window have the same shape
# (C, kh, kw).


# %% tags=["solution"]
def conv_forward(x, weight, bias, stride, padding):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    out, _, kh, kw = weight.shape
    rows = (padded.shape[1] - kh) // stride + 1
    columns = (padded.shape[2] - kw) // stride + 1
    y = np.zeros((out, rows, columns))
    for o, i, j in np.ndindex(*y.shape):
        top, left = i * stride, j * stride
        window = padded[:, top : top + kh, left : left + kw]
        y[o, i, j] = (weight[o] * window).sum() + bias[o]
    return y


# %%
check.conv_forward(conv_forward)

# %% [markdown]
# ## Exercise 2: im2col
#
# A window of an (H, W, C) image has the axes u, v, c already in this order: it only has to be
# flattened.


# %% tags=["solution"]
def columns(x, size, stride):
    height, width, channels = x.shape
    oh, ow = (height - size) // stride + 1, (width - size) // stride + 1
    col = np.zeros((oh * ow, size * size * channels))
    for i, j in np.ndindex(oh, ow):
        top, left = i * stride, j * stride
        col[i * ow + j] = x[top : top + size, left : left + size].reshape(-1)
    return col


# %%
check.columns(columns)

# %% [markdown]
# ## Exercise 3: backward
#
# The same windows as in forward. Each of them adds to `dweight` what it saw, and to the pixels that it
# saw what it multiplied them with. Both additions run over all filters at once: `g` holds the gradients
# of all filters at pixel (i, j).
#
# `[padding : padding + height]`, not `[padding : -padding]`: the second is empty when padding is 0.


# %% tags=["solution"]
def conv_backward(grad, x, weight, stride, padding):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    _, _, kh, kw = weight.shape
    dpadded, dweight = np.zeros_like(padded), np.zeros_like(weight)
    for i, j in np.ndindex(*grad.shape[1:]):
        rows = slice(i * stride, i * stride + kh)
        cols = slice(j * stride, j * stride + kw)
        g = grad[:, i, j]
        dweight += g[:, None, None, None] * padded[:, rows, cols]
        dpadded[:, rows, cols] += (g[:, None, None, None] * weight).sum(0)
    dx = dpadded[:, padding : padding + x.shape[1], padding : padding + x.shape[2]]
    dbias = grad.sum((1, 2))
    return dx, dweight, dbias


# %%
check.conv_backward(conv_backward)

# %% [markdown]
# The same with the two matrix products, im2col and col2im (minigrad's, since the kernels of the check are
# not all square):


# %%
def backward_by_columns(grad, x, weight, stride, padding):
    padded = np.pad(x.transpose(1, 2, 0), ((padding, padding), (padding, padding), (0, 0)))[None]
    window, out = Window(weight.shape[2:], (stride, stride)), grad.shape[1:]
    last = weight.transpose(2, 3, 1, 0)  # (u, v, c, o)
    W = last.reshape(-1, len(weight))
    g = grad.reshape(len(weight), -1).T  # a row for each pixel, a column for each filter
    col = im2col(padded, window, out, np.empty((len(g), len(W))))
    dweight = (col.T @ g).reshape(last.shape).transpose(3, 2, 0, 1)
    whole = col2im(g @ W.T, window, out, np.empty_like(padded))[0].transpose(2, 0, 1)
    height, width = x.shape[1:]
    dx = whole[:, padding : padding + height, padding : padding + width]
    return dx, dweight, g.sum(0)


check.conv_backward(backward_by_columns)

# %% [markdown]
# ## The question and the prediction
#
# $96 \cdot 55 \cdot 55$ units with $224 \cdot 224 \cdot 3$ weights each.

# %% tags=["solution"]
weights_of_linear, windows_of_a_pixel = (96 * 55 * 55) * (224 * 224 * 3), "c"

# %%
check.weights_of_linear(weights_of_linear)
check.windows_of_a_pixel(windows_of_a_pixel)
