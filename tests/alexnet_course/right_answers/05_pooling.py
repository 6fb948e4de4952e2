"""Notebook 05: right answers that are written in another way than the solution."""

VIEW = """view = np.lib.stride_tricks.sliding_window_view(x, (size, size))[::stride, ::stride]
flat = view.reshape(*view.shape[:2], -1)
"""
RIGHT = {
    "pool_forward": [
        VIEW + "return flat.max(2), flat.argmax(2)",
        VIEW + "return flat.max(2).astype('f4'), flat.argmax(2).astype('u1')",
        """oh, ow = ((n - size) // stride + 1 for n in x.shape)
y, won = np.empty((oh, ow)), np.empty((oh, ow))
for i in range(oh):
    for j in range(ow):
        best = -np.inf
        for u in range(size):
            for v in range(size):
                if x[i * stride + u, j * stride + v] > best:
                    best = x[i * stride + u, j * stride + v]
                    won[i, j] = u * size + v
        y[i, j] = best
return y, won""",
        """rows = range(0, x.shape[0] - size + 1, stride)
cols = range(0, x.shape[1] - size + 1, stride)
parts = [[x[r : r + size, c : c + size] for c in cols] for r in rows]
won = [[int(p.argmax()) for p in row] for row in parts]
return [[p.max() for p in row] for row in parts], won""",
        VIEW + "won = np.argmax(flat, -1)\n"
        "return np.take_along_axis(flat, won[..., None], -1)[..., 0], won",
    ],
    "pool_backward": [
        """dx = np.zeros(shape)
i, j = np.indices(grad.shape)
np.add.at(dx, (i * stride + winners // size, j * stride + winners % size), grad)
return dx""",
        """i, j = np.indices(grad.shape)
place = (i * stride + winners // size) * shape[1] + j * stride + winners % size
return np.bincount(place.ravel(), grad.ravel(), shape[0] * shape[1]).reshape(shape)""",
        """dx = np.zeros(shape)
oh, ow = grad.shape
for t in range(size * size):
    u, v = t // size, t % size
    part = dx[u : u + (oh - 1) * stride + 1 : stride, v : v + (ow - 1) * stride + 1 : stride]
    part += np.where(winners == t, grad, 0)
return dx""",
        """dx = [[0.0] * shape[1] for _ in range(shape[0])]
for i, (gs, ws) in enumerate(zip(grad, winners)):
    for j, (g, w) in enumerate(zip(gs, ws)):
        dx[i * stride + int(w) // size][j * stride + int(w) % size] += g
return dx""",
        """dx = np.zeros(shape, 'f4')
for i, j in np.ndindex(*grad.shape):
    one = np.zeros(size * size)
    one[winners[i, j]] = grad[i, j]
    dx[i * stride :, j * stride :][:size, :size] += one.reshape(size, size)
return dx""",
    ],
}
