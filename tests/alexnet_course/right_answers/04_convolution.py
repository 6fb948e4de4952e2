"""Notebook 04: right answers that are written in another way than the solution."""

VIEW = """p = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
kh, kw = weight.shape[2:]
view = np.lib.stride_tricks.sliding_window_view(p, (kh, kw), (1, 2))[:, ::stride, ::stride]
"""
RIGHT = {
    "conv_forward": [
        VIEW + "return np.einsum('cijuv,ocuv->oij', view, weight) + bias[:, None, None]",
        VIEW + "return np.tensordot(weight, view, ((1, 2, 3), (0, 3, 4))) + bias.reshape(-1, 1, 1)",
        VIEW + "return (np.einsum('cijuv,ocuv->oij', view, weight).T + bias).T.astype('f4')",
        VIEW + """y = np.tile(bias[:, None, None], view.shape[1:3])
for c in range(len(x)):
    for u in range(kh):
        for v in range(kw):
            y += weight[:, c, u, v, None, None] * view[c, :, :, u, v]
return y.tolist()""",
        """C, H, W = x.shape
O, _, kh, kw = weight.shape
oh, ow = (H + 2 * padding - kh) // stride + 1, (W + 2 * padding - kw) // stride + 1
y = np.zeros((O, oh, ow))
for o, i, j in np.ndindex(O, oh, ow):
    y[o, i, j] = bias[o]
    for c, u, v in np.ndindex(C, kh, kw):
        r, q = i * stride + u - padding, j * stride + v - padding
        if 0 <= r < H and 0 <= q < W:
            y[o, i, j] += weight[o, c, u, v] * x[c, r, q]
return y""",
    ],
    "columns": [
        """view = np.lib.stride_tricks.sliding_window_view(x, (size, size), (0, 1))
return view[::stride, ::stride].transpose(0, 1, 3, 4, 2).reshape(-1, size * size * x.shape[2])""",
        """H, W, C = x.shape
return [x[i : i + size, j : j + size].ravel().tolist()
        for i in range(0, H - size + 1, stride) for j in range(0, W - size + 1, stride)]""",
        """H, W, C = x.shape
return np.stack([x[i : i + size, j : j + size].ravel()
        for i in range(0, H - size + 1, stride) for j in range(0, W - size + 1, stride)])""",
        """oh, ow = ((n - size) // stride + 1 for n in x.shape[:2])
col = np.empty((oh * ow, size * size * x.shape[2]), 'f4')
row = 0
for i in range(oh):
    for j in range(ow):
        k = 0
        for u in range(size):
            for v in range(size):
                for c in range(x.shape[2]):
                    col[row, k] = x[i * stride + u, j * stride + v, c]
                    k += 1
        row += 1
return col""",
        """oh, ow = ((n - size) // stride + 1 for n in x.shape[:2])
col = np.zeros((oh, ow, size, size, x.shape[2]))
for u, v in np.ndindex(size, size):
    col[:, :, u, v] = x[u:, v:][: (oh - 1) * stride + 1 : stride, : (ow - 1) * stride + 1 : stride]
return col.reshape(oh * ow, -1)""",
    ],
    "conv_backward": [
        VIEW + """dw = np.einsum('oij,cijuv->ocuv', grad, view)
dp = np.zeros_like(p)
for i, j in np.ndindex(grad.shape[1:]):
    dp[:, i * stride : i * stride + kh, j * stride : j * stride + kw] += np.tensordot(
        grad[:, i, j], weight, 1)
H, W = x.shape[1:]
return dp[:, padding : padding + H, padding : padding + W], dw, grad.sum((1, 2))""",
        """p = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
dp, dw, db = np.zeros_like(p), np.zeros_like(weight), np.zeros(len(weight))
for o, i, j in np.ndindex(grad.shape):
    r, q = i * stride, j * stride
    here = np.s_[:, r : r + weight.shape[2], q : q + weight.shape[3]]
    db[o] += grad[o, i, j]
    dw[o] += grad[o, i, j] * p[here]
    dp[here] += grad[o, i, j] * weight[o]
if padding:
    dp = dp[:, padding:-padding, padding:-padding]
return [dp, dw, db]""",
        VIEW + """dp = np.zeros_like(p)
oh, ow = grad.shape[1:]
for u, v in np.ndindex(kh, kw):
    dp[:, u : u + (oh - 1) * stride + 1 : stride, v : v + (ow - 1) * stride + 1 : stride] += (
        np.einsum('oij,oc->cij', grad, weight[:, :, u, v]))
end = [slice(None)] + [slice(padding, n - padding) for n in p.shape[1:]]
return dp[tuple(end)], np.tensordot(grad, view, ((1, 2), (1, 2))), np.einsum('oij->o', grad)""",
        """dx, dw = np.zeros_like(x), np.zeros_like(weight)
for o, i, j in np.ndindex(grad.shape):
    for c, u, v in np.ndindex(weight.shape[1:]):
        r, q = i * stride + u - padding, j * stride + v - padding
        if 0 <= r < x.shape[1] and 0 <= q < x.shape[2]:
            dx[c, r, q] += grad[o, i, j] * weight[o, c, u, v]
            dw[o, c, u, v] += grad[o, i, j] * x[c, r, q]
return dx.tolist(), dw.tolist(), [g.sum() for g in grad]""",
    ],
}
