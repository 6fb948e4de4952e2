"""Notebook 09: edits that make the solution wrong, and words of the hint that each must get."""

MASK = "    keep = u >= p\n    return x * keep / (1 - p)"
MEAN = "np.exp(np.log(probabilities).mean(axis=0))"
DRAWN = "dropout_mask(grad.shape, p, key)"
AGAIN = "grad * keep / (1 - p)"
WRONG = {
    "inverted_dropout": [
        ("x * keep / (1 - p)", "x * keep", "the inverted form scales"),
        ("x * keep / (1 - p)", "x * keep * (1 - p)", "gets smaller"),
        ("x * keep / (1 - p)", "x * keep / p", "the share of zeros"),
        ("x * keep / (1 - p)", "x * keep / 3", "divided by"),
        ("keep = u >= p", "keep = u < p", "keep an element with probability p"),
        ("x * keep / (1 - p)", "keep / (1 - p)", "where is x"),
        ("x * keep / (1 - p)", "keep", "where is x"),
        (MASK, "    return x * (u < p) / p", "means 'kept'"),
        (MASK, "    return x * (u < p)", "Two things"),
        ("keep = u >= p", "keep = u >= 0.5", "Which elements"),
    ],
    "to_inverted": [
        ("weight * keep,", "weight / keep,", "the wrong way"),
        ("weight * keep,", "weight,", "what is W'"),
        ("lr * keep**2,", "lr,", "must change, too"),
        ("lr * keep**2,", "lr * keep,", "once more"),
        ("lr * keep**2,", "lr / keep**2,", "rate goes the wrong way"),
        ("lr * keep**2,", "lr * keep**3,", "the step of W'"),
        ("decay / keep**2", "decay", "that share has to stay"),
        ("decay / keep**2", "decay / keep", "The product"),
        ("weight * keep, lr * keep**2, decay / keep**2", "weight * keep", "three things"),
        ("weight * keep, lr * keep**2, decay / keep**2", "lr, decay, weight", "in this order"),
    ],
    "geometric_mean": [
        (MEAN, "probabilities.mean(axis=0)", "arithmetic mean"),
        ("return mean / mean.sum()", "return mean", "less than 1"),
        (".mean(axis=0))", ".sum(axis=0))", "the M-th root"),
        (MEAN, "np.prod(probabilities, axis=0) ** (1 / len(probabilities))", "Add logarithms"),
        (MEAN, "np.log(probabilities).mean(axis=0)", "not the geometric mean"),
    ],
    "dropout_backward": [
        (AGAIN, "grad / (1 - p)", "where is the mask"),
        (AGAIN, "grad * keep", "has a factor"),
        (AGAIN, "grad * keep * (1 - p)", "does not undo"),
        (AGAIN, "grad * ~keep / (1 - p)", "upside down"),
        (
            DRAWN,
            "np.random.default_rng(0).random(grad.shape) >= p",
            "from this key",
        ),
        (AGAIN, "grad * ~keep", "upside down"),
        (DRAWN, "dropout_mask(grad.shape, 1 - p, key)", "another probability"),
        (DRAWN, "~dropout_mask(grad.shape, 1 - p, key)", "another probability"),
        (DRAWN, "dropout_mask(grad.shape, 0.5, key)", "another probability"),
        (AGAIN, "grad * keep / (1 - p) ** 2", "the factor is not"),
        (AGAIN, "grad - keep", "dx is grad where"),
    ],
}
