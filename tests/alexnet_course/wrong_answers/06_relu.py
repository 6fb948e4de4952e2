"""Notebook 06: edits that make the solution wrong, and words of the hint that each must get."""

WRONG = {
    "relu_backward": [
        ("grad * (y > 0)", "grad * (y >= 0)", ">= that should be >"),
        ("grad * (y > 0)", "grad * y", "multiplies by y"),
        ("grad * (y > 0)", "(y > 0) * 1.0", "grad"),
        ("grad * (y > 0)", "np.maximum(grad, 0)", "Which sign decides"),
        ("grad * (y > 0)", "grad * (y > 0) * (grad > 0)", "also cuts the negative"),
        ("grad * (y > 0)", "y * (grad > 0)", "changed places"),
        ("grad * (y > 0)", "grad * np.where(y > 0, 1, 0.5)", "at the corner, too"),
        ("grad * (y > 0)", "grad * np.where(y > 0, 1, 0.01)", "right where y > 0"),
        ("grad * (y > 0)", "-grad * (y > 0)", "finite differences"),
    ],
    "tanh_backward": [
        ("grad * (1 - y**2)", "grad * (1 - y)", "Which power"),
        ("grad * (1 - y**2)", "1 - y**2", "is missing"),
        ("grad * (1 - y**2)", "grad * (1 - np.tanh(y)**2)", "once more"),
        ("grad * (1 - y**2)", "grad * y * (1 - y)", "sigmoid"),
        ("grad * (1 - y**2)", "grad * (1 + y**2)", "finite differences"),
    ],
    "dead_maps": [
        ("~(y > 0).any(axis=(0, 2, 3))", "(y == 0).any(axis=(0, 2, 3))", "every map dead"),
        (
            "axis=(0, 2, 3))\n\n\n# %%\ncheck.dead",
            "axis=(2, 3))\n\n\n# %%\ncheck.dead",
            "each image",
        ),
        ("~(y > 0).any(axis=(0, 2, 3))", "~(y[0] > 0).any(axis=(1, 2))", "which images"),
        ("~(y > 0).any", "(y > 0).any", "the opposite"),
        ("~(y > 0).any", "~(y > 0.01).any", "threshold"),
        ("~(y > 0).any(axis=(0, 2, 3))", "(y[:, :, 0, 0] == 0).all(0)", "do not look at"),
        ("~(y > 0).any(axis=(0, 2, 3))", "(y[:, :, 0] == 0).all((0, 2))", "do not look at"),
        ("~(y > 0).any(axis=(0, 2, 3))", "(y == 0).all()", "one answer"),
        ("~(y > 0).any(axis=(0, 2, 3))", "y.sum(axis=(0, 2, 3))", "expected bool"),
        ("~(y > 0).any(axis=(0, 2, 3))", "(y < 0).all(axis=(0, 2, 3))", "misses"),
    ],
    "prelu_backward": [
        ("weight[:, None, None]", "weight", "lines up"),
        ("grad * slope)", "0)", "plain ReLU"),
        ("np.where(x > 0, grad,", "np.where(np.where(x > 0, x, slope * x) > 0, grad,", "Ask x"),
        ("np.where(x > 0, 0, x), axis", "x, axis", "counts all places"),
        (
            "np.where(x > 0, 0, x), axis=(0, 2, 3)",
            "np.where(x > 0, 0, x), axis=(2, 3)",
            "images too",
        ),
        ("np.where(x > 0, 0, x), axis=(0, 2, 3)", "np.where(x > 0, 0, x)", "one number"),
        ("np.where(x > 0, 0, x), axis", "np.where(x > 0, 0, 1), axis", "the gradients alone"),
        ("np.where(x > 0, 0, x), axis", "np.where(x > 0, 0, slope * x), axis", "dy/da"),
        ("np.sum(", "np.mean(", "a mean"),
        ("return dx, dweight", "return dx", "expected two"),
    ],
}
