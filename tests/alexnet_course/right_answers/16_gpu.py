"""Notebook 16: right answers that are written in another way than the solution."""

RIGHT = {
    "elements": [
        """blocks = min((n + block_dim - 1) // block_dim, most_blocks)
done = {}
for b in range(blocks):
    for t in range(block_dim):
        done[b, t] = []
        i = b * block_dim + t
        while i < n:
            done[b, t].append(i)
            i += block_dim * blocks
return done""",
        """import math
blocks = min(math.ceil(n / block_dim), most_blocks)
done = {(b, t): [] for b in range(blocks) for t in range(block_dim)}
for i in range(n):
    done[divmod(i % (blocks * block_dim), block_dim)].append(i)
return done""",
        """blocks = min(-(-n // block_dim), most_blocks)
size = blocks * block_dim
return {(k // block_dim, k % block_dim): range(k, n, size) for k in range(size)}""",
        """blocks = min(-(-n // block_dim), most_blocks)
every = np.arange(n)
return {(b, t): every[b * block_dim + t :: blocks * block_dim]
        for b in range(blocks) for t in range(block_dim)}""",
        """blocks = int(min(np.ceil(n / block_dim), most_blocks))
return {(b, t): tuple(i for i in range(n) if i % (blocks * block_dim) == b * block_dim + t)
        for b in range(blocks) for t in range(block_dim)}""",
    ],
    "pool_backward_thread": [
        """row, column, total = i // width, i % width, 0
for y in range(grad.shape[0]):
    for x in range(grad.shape[1]):
        u, v = divmod(winners[y, x], size)
        if y * stride + u == row and x * stride + v == column:
            total += grad[y, x]
dx[i] = total""",
        """y, x = np.indices(grad.shape)
u, v = np.divmod(np.asarray(winners), size)
mine = (y * stride + u) * width + x * stride + v == i
dx[i] = np.asarray(grad)[mine].sum()""",
        """row, column = i // width, i % width
dx[i] = 0
for y in range(max(0, -(-(row - size + 1) // stride)), min(grad.shape[0] - 1, row // stride) + 1):
    for x in range(max(0, -(-(column - size + 1) // stride)),
                   min(grad.shape[1] - 1, column // stride) + 1):
        if winners[y, x] == (row - y * stride) * size + column - x * stride:
            dx[i] = dx[i] + grad[y, x]""",
        """row, column = divmod(i, width)
dx[i] = sum(grad[y, x] for y in range(grad.shape[0]) for x in range(grad.shape[1])
            if winners[y, x] == (row - y * stride) * size + column - x * stride
            and 0 <= row - y * stride < size and 0 <= column - x * stride < size)""",
    ],
}
