"""Notebook 06: right answers that are written in another way than the solution."""

RIGHT = {
    "relu_backward": [
        "return np.where(y > 0, grad, 0)",
        "dx = grad.copy()\ndx[y <= 0] = 0\nreturn dx",
        "return grad * np.sign(y)",
        "return [[g if a > 0 else 0.0 for g, a in zip(*rows)] for rows in zip(grad, y)]",
        "return (grad * np.heaviside(y, 0)).astype('f4')",
    ],
    "tanh_backward": [
        "return grad - grad * y * y",
        "return grad * (1 - y) * (1 + y)",
        "return grad / np.cosh(np.arctanh(y)) ** 2",
        "return (grad * (1 - np.square(y))).tolist()",
        "dx = np.empty(y.shape, 'f4')\n"
        "for i in np.ndindex(y.shape):\n    dx[i] = grad[i] * (1 - y[i] ** 2)\nreturn dx",
    ],
    "dead_maps": [
        "return (y == 0).all((0, 2, 3))",
        "return y.max(axis=(0, 2, 3)) == 0",
        "return [bool((y[:, c] <= 0).all()) for c in range(y.shape[1])]",
        "return np.abs(y).sum((0, 2, 3)) == 0",
        "return ~np.any(y.transpose(1, 0, 2, 3).reshape(y.shape[1], -1), axis=1)",
    ],
    "prelu_backward": [
        "slope = np.where(x > 0, 1, weight.reshape(1, -1, 1, 1))\n"
        "return [grad * slope, (grad * np.minimum(x, 0)).sum((0, 2, 3))]",
        """dx, dw = np.array(grad), np.zeros(len(weight))
for n, c, i, j in np.ndindex(x.shape):
    if x[n, c, i, j] <= 0:
        dx[n, c, i, j] *= weight[c]
        dw[c] += grad[n, c, i, j] * x[n, c, i, j]
return dx, dw""",
        "off = x <= 0\ndx = grad * (~off + off * weight[:, None, None])\n"
        "return dx, np.einsum('nchw,nchw->c', grad, x * off)",
        "g, a = np.moveaxis(grad, 1, -1), np.moveaxis(x, 1, -1)\n"
        "dx = np.where(a > 0, g, g * weight)\n"
        "return np.moveaxis(dx, -1, 1), np.where(a > 0, 0, g * a).sum((0, 1, 2))",
        "dx = np.where(x > 0, grad, weight[None, :, None, None] * grad)\n"
        "dw = [(grad[:, c] * x[:, c])[x[:, c] <= 0].sum() for c in range(len(weight))]\n"
        "return dx.astype('f4'), dw",
    ],
}
