"""Notebook 03: right answers that are written in another way than the solution."""

RIGHT = {
    "linear_forward": [
        "return np.einsum('ni,oi->no', x, weight) + bias",
        "return (weight @ x.T).T + bias[None]",
        "return (x[:, None] * weight).sum(2) + bias",
        "return [[float(row @ w + b) for w, b in zip(weight, bias)] for row in x]",
        "return (x @ weight.T + bias).astype('f4')",
        """y = np.zeros((len(x), len(weight)))
for n in range(len(x)):
    for o in range(len(weight)):
        y[n, o] = bias[o]
        for i in range(x.shape[1]):
            y[n, o] += x[n, i] * weight[o, i]
return y""",
    ],
    "linear_backward": [
        "return [grad @ weight, grad.T @ x, grad.sum(0)]",
        "return grad.dot(weight), (x.T @ grad).T, np.ones(len(grad)) @ grad",
        "return (np.einsum('no,oi->ni', grad, weight), np.einsum('no,ni->oi', grad, x),"
        " np.einsum('no->o', grad))",
        "return tuple(a.astype('f4') for a in (grad @ weight, grad.T @ x, grad.sum(0)))",
        """dx, dw, db = np.zeros_like(x), np.zeros_like(weight), np.zeros(len(weight))
for n in range(len(x)):
    for o in range(len(weight)):
        db[o] += grad[n, o]
        dw[o] += grad[n, o] * x[n]
        dx[n] += grad[n, o] * weight[o]
return dx, dw, db""",
        "return (grad @ weight).tolist(), sum(np.outer(g, r) for g, r in zip(grad, x)), sum(grad)",
    ],
    "sum_to": [
        """lead = grad.ndim - len(shape)
axes = [*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1)]
return grad.sum(tuple(axes), keepdims=True).reshape(shape)""",
        """out = np.zeros(shape)
view = np.broadcast_to(np.arange(out.size).reshape(shape), grad.shape)
np.add.at(out.reshape(-1), view.ravel(), grad.ravel())
return out""",
        """padded = (1,) * (grad.ndim - len(shape)) + tuple(shape)
for axis, n in enumerate(padded):
    if n != grad.shape[axis]:
        grad = grad.sum(axis, keepdims=True)
return grad.reshape(shape)""",
        """if grad.ndim > len(shape):
    return sum_to(sum(grad), shape)
return sum_to(grad.sum(0), shape[1:]).reshape(shape) if shape and shape[0] == 1 else (
    np.array([sum_to(g, shape[1:]) for g in grad]) if shape else grad)""",
        """extra = grad.ndim - len(shape)
grad = np.sum(grad, axis=tuple(range(extra)))
ones = tuple(i for i, n in enumerate(shape) if n == 1)
return np.sum(grad, axis=ones, keepdims=True).tolist()""",
    ],
    "softmax": [
        "z = z - z.max(1)[:, None]\nreturn np.exp(z) / np.exp(z).sum(1)[:, None]",
        "return np.array([np.exp(r - max(r)) / sum(np.exp(r - max(r))) for r in z])",
        "m = z.max(-1, keepdims=True)\n"
        "return np.exp(z - m - np.log(np.exp(z - m).sum(-1, keepdims=True)))",
        "return 1 / np.exp(z[:, None] - z[:, :, None]).sum(2)",
        "e = np.exp(z.T - z.max(1))\nreturn (e / e.sum(0)).T",
        "e = np.exp((z - z.max(1, keepdims=True)).astype('f4'))\nreturn (e / e.sum(1)[:, None])",
    ],
    "cross_entropy": [
        """n = len(labels)
t = np.eye(logits.shape[1])[labels]
z = logits - logits.max(1)[:, None]
log_p = z - np.log(np.exp(z).sum(1))[:, None]
return -(t * log_p).sum() / n, (np.exp(log_p) - t) / n""",
        """loss, d = 0.0, np.zeros_like(logits)
for n, (row, label) in enumerate(zip(logits, labels)):
    m = max(row)
    total = sum(np.exp(row - m))
    loss += m + np.log(total) - row[label]
    d[n] = np.exp(row - m) / total
    d[n, label] -= 1
return loss / len(logits), d / len(logits)""",
        """total = np.logaddexp.reduce(logits, axis=1)
p = np.exp(logits - total[:, None])
p[np.arange(len(p)), labels] -= 1
return [np.mean(total - logits[np.arange(len(p)), labels]), p / len(p)]""",
        """z = logits - logits.max(1, keepdims=True)
p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
t = (np.arange(z.shape[1]) == labels[:, None]) * 1.0
loss = np.log(np.exp(z).sum(1)) - z[t > 0]
return np.array([loss.mean()]), (p - t) / len(p)""",
        """z = logits - logits.max(1, keepdims=True)
lp = z - np.log(np.exp(z).sum(1, keepdims=True))
d = np.exp(lp)
np.subtract.at(d, (np.arange(len(d)), labels), 1)
loss = -np.take_along_axis(lp, labels[:, None], 1).mean()
return float(loss), (d / len(d)).tolist()""",
    ],
}
