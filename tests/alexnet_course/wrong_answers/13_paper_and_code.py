"""Notebook 13: edits that make the solution wrong, and words of the hint that each must get."""

UPDATE = "v = momentum * v - decay * lr * w - lr * grad"
WRONG = {
    "paper_dropout": [
        ("uniform >= p", "uniform < p", "p is the probability to drop"),
        ("x * (uniform >= p)", "x * (uniform >= p) / (1 - p)", "the inverted form"),
        ("(uniform >= p)", "(np.random.default_rng(9).random(x.shape) >= p)", "not by `uniform`"),
        ("if training:", "if True:", "is `training` looked at"),
        ("return x * (1 - p)", "return x * p", "the chance that an output was kept"),
        ("return x * (1 - p)", "return x", "unscaled"),
    ],
    "paper_update": [
        (UPDATE, "v = momentum * v + decay * w + grad", "PyTorch's rule"),
        (UPDATE, UPDATE.replace("decay", "2 * decay"), "twice the paper's"),
        (UPDATE, "v = momentum * v - decay * w - lr * grad", "lacks the learning rate"),
        (UPDATE, "v = momentum * v + decay * lr * w + lr * grad", "uphill"),
        (UPDATE, UPDATE.replace("- lr * grad", "+ lr * grad"), "gradient is added"),
        (UPDATE, UPDATE.replace("- decay", "+ decay"), "decay is added"),
        (UPDATE, UPDATE.replace("momentum", "0.9"), "`momentum` here"),
        (UPDATE, UPDATE.replace("decay", "0.0005"), "`decay` here"),
        (UPDATE, "v = 0.9 * v - 0.0005 * lr * w - lr * grad", "`momentum` and `decay`"),
        (UPDATE, "v = momentum * v - lr * grad", "is not momentum * v - decay * lr * w"),
        ("return w + v, v", "return v, w + v", "exchanged"),
        ("return w + v, v", "return w + v", "expected two"),
        ([("v = momentum", "new = momentum"), ("return w + v, v", "return w + v, new")],
         "the old velocity"),
        ("return w + v, v", "return w - v, v", "v is right, w is not"),
    ],
    "noise_sizes": [
        ("[::-1]", "", "largest first"),
        ("np.linalg.eigvalsh(np.cov(pixels.T))[::-1]", "np.linalg.eig(np.cov(pixels.T))[0]",
         "largest first"),
        ("else np.sqrt(eigenvalues)", "else eigenvalues", "are exchanged"),
        ('scale == "eigenvalue"', 'scale != "eigenvalue"', "are exchanged"),
        ("else np.sqrt(eigenvalues)", "else 0.1 * np.sqrt(eigenvalues)", "alpha = 0.1"),
        ("return eigenvalues", "return 0.1 * eigenvalues", "alpha = 0.1"),
        ("np.cov(pixels.T)", "np.cov(pixels.T) * len(pixels)", "divided by their number"),
        ("np.cov(pixels.T)", "np.cov(pixels.T / 255)", "from 0 to 1"),
        ("np.cov(pixels.T)", "np.corrcoef(pixels.T)", "correlation"),
        ("np.cov(pixels.T)", "np.cov(pixels.T) ** 2", "not those of the covariance"),
        ("np.cov(pixels.T)", "pixels.T @ pixels / len(pixels)", "about the mean"),
    ],
}
