"""Notebook 07: right answers that are written in another way than the solution."""

PADDED = """half = n // 2
around = np.pad(x ** 2, half)
s = k + alpha * sum(around[j : j + len(x)] for j in range(n))
"""
RIGHT = {
    "normalise": [
        PADDED + "return x * s ** -beta, s",
        "s = k + alpha * np.convolve(x * x, np.ones(n))[n // 2 : n // 2 + len(x)]\n"
        "return [(x / s ** beta).tolist(), s.tolist()]",
        "near = abs(np.subtract.outer(range(len(x)), range(len(x)))) <= n // 2\n"
        "s = k + alpha * near @ x ** 2\nreturn np.array([x / s ** beta, s])",
        """y, s = [], []
for i in range(len(x)):
    total = 0
    for j in range(max(0, i - n // 2), min(len(x) - 1, i + n // 2) + 1):
        total += x[j] * x[j]
    s.append(k + alpha * total)
    y.append(x[i] / s[-1] ** beta)
return y, s""",
        PADDED + "return (x / np.exp(beta * np.log(s))).astype('f4'), s.astype('f4')",
    ],
    "turning_point": [
        "return (k / (alpha * n) / (2 * beta - 1)) ** 0.5",
        "return float(np.sqrt(k / alpha / n) / np.sqrt(2 * beta - 1))",
        "return np.exp(0.5 * (np.log(k) - np.log(alpha * n * (2 * beta - 1))))",
        "import math\nreturn math.sqrt(k) / math.sqrt(2 * alpha * beta * n - alpha * n)",
        "return np.array(k / (alpha * n * (2 * beta - 1)), 'f8') ** 0.5",
    ],
    "normalise_backward": [
        """near = abs(np.subtract.outer(range(len(x)), range(len(x)))) <= n // 2
return grad / s ** beta - 2 * alpha * beta * x * (near @ (grad * x / s ** (beta + 1)))""",
        """part = np.pad(grad * x * s ** (-beta - 1), n // 2)
total = sum(part[j : j + len(x)] for j in range(n))
return (grad * s ** -beta - 2 * alpha * beta * x * total).tolist()""",
        """dx = []
for i in range(len(x)):
    d = grad[i] * s[i] ** -beta
    for j in range(max(0, i - n // 2), min(len(x), i + n // 2 + 1)):
        d -= 2 * alpha * beta * x[i] * grad[j] * x[j] * s[j] ** (-beta - 1)
    dx.append(d)
return dx""",
        """near = abs(np.subtract.outer(range(len(x)), range(len(x)))) <= n // 2
jacobian = np.diag(s ** -beta) - 2 * alpha * beta * near * np.outer(x * s ** (-beta - 1), x)
return grad @ jacobian""",
        """dx = np.zeros_like(x)
for j in range(len(x)):
    for i in range(max(0, j - n // 2), min(len(x), j + n // 2 + 1)):
        dx[i] += grad[j] * -beta * x[j] * s[j] ** (-beta - 1) * 2 * alpha * x[i]
    dx[j] += grad[j] * s[j] ** -beta
return dx.astype('f4')""",
    ],
}
