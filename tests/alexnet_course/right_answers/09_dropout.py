"""Notebook 09: right answers that are written in another way than the solution."""

RIGHT = {
    "inverted_dropout": [
        "return np.where(u < p, 0, x / (1 - p))",
        "y = x / (1 - p)\ny[u < p] = 0\nreturn y",
        "return (x * (u >= p) / (1 - p)).astype('f4')",
        "return [[a / (1 - p) if r >= p else 0.0 for a, r in zip(*rows)] for rows in zip(x, u)]",
        "scale = 1 / (1 - p)\nreturn scale * x * (1 - (u < p))",
    ],
    "to_inverted": [
        "return [weight * (1 - p), lr * (1 - p) ** 2, decay / (1 - p) ** 2]",
        "q = 1 - p\nreturn q * weight, np.float64(q * q * lr), decay / q / q",
        "return weight - p * weight, lr * (1 - 2 * p + p * p), decay * (1 - p) ** -2",
        "return ((1 - p) * weight).tolist(), np.array(lr) * (1 - p) ** 2, decay / (1 - p) ** 2",
        "new = lr * (1 - p) ** 2\nreturn weight * (1 - p), new, lr * decay / new",
    ],
    "geometric_mean": [
        "logs = np.log(probabilities).mean(0)\ne = np.exp(logs - logs.max())\nreturn e / e.sum()",
        "m = np.prod(probabilities ** (1 / len(probabilities)), axis=0)\nreturn m / m.sum()",
        "m = 2 ** np.log2(probabilities).mean(0)\nreturn (m / sum(m)).tolist()",
        """total = 0
for row in probabilities:
    total = total + np.log(row)
m = np.exp(total / len(probabilities))
return (m / m.sum()).astype('f4')""",
        "m = np.exp(np.einsum('mc->c', np.log(probabilities)) / probabilities.shape[0])\n"
        "return m / np.linalg.norm(m, 1)",
    ],
    "dropout_backward": [
        "return np.where(dropout_mask(grad.shape, p, key), grad / (1 - p), 0)",
        "dx = grad / (1 - p)\ndx[~dropout_mask(grad.shape, p, key)] = 0\nreturn dx",
        "return dropout_mask(np.shape(grad), p, key) * grad * (1 / (1 - p))",
        "return (grad * dropout_mask(grad.shape, p, key) / (1 - p)).tolist()",
        "return (grad * dropout_mask(grad.shape, p, key) / (1 - p)).astype('f4')",
    ],
}
