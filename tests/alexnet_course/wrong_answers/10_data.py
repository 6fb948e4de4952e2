"""Notebook 10: edits that make the solution wrong, and words of the hint that each must get."""

SHIFT = "eigenvectors @ (alpha * np.sqrt(eigenvalues))"
RANGE = "range(image_size - size + 1)"
SOFTMAX = "p = e / e.sum(axis=1, keepdims=True)\n    return p.mean(axis=0)"
PART = "mean_image[top : top + size, left : left + size]"
MIRROR, FROM_RIGHT = "mean = mean[:, ::-1]", "len(mean_image) - size - left"
WRONG = {
    "all_places": [
        (RANGE, "range(image_size - size)", "2048"),
        (RANGE, "range(image_size - size + 2)", "does not lie within"),
        (RANGE, "range(4)", "fixed numbers"),
        (RANGE, "range(1)", "one place only"),
        ("for m in (False, True)", "for m in (False,)", "mirrored or not"),
        ("for m in (False, True)", "for m in (False, True, True)", "twice"),
        ("for left in starts for m", "for left in [top] for m", "diagonal"),
        ("(top, left, m) for", "(top, left) for", "three numbers"),
        ("for m in (False, True)", 'for m in ("no", "yes")', "True or False"),
    ],
    "subtract_mean": [
        ("mean = mean[:, ::-1]", "pass", "Which mean belongs"),
        ("return crop - mean", "return crop - mean.astype(np.uint8)", "wrap around"),
        ("[top : top + size, left : left + size]", "[2 : 2 + size, 2 : 2 + size]", "the centre"),
        ("[top : top + size, left : left + size]", "[:size, :size]", "top left"),
        (
            "[top : top + size, left : left + size]",
            "[left : left + size, top : top + size]",
            "Rows",
        ),
        ("return crop - mean", "return mean - crop", "sign"),
        ("mean = mean[:, ::-1]", "crop = crop[:, ::-1]", "mirrors the crop back"),
        ("return crop - mean", "return crop - mean.round()", "rounded"),
        ("return crop - mean", "return crop - mean_image.mean((0, 1))", "each pixel"),
        ("if mirrored:", "if True:", "for a crop that is not mirrored"),
        ("if mirrored:", "if not mirrored:", "for a crop that is not mirrored"),
        (MIRROR, "mean = mean_image[:, ::-1][top : top + size, left : left + size]", "cut at left"),
        (MIRROR, f"left = {FROM_RIGHT}; mean = {PART}", "does not mirror it"),
        (MIRROR, "return (crop - mean)[:, ::-1]", "mirror the mean alone"),
        (MIRROR, "mean = mean[::-1]", "top and bottom"),
        (MIRROR, "mean = mean[..., ::-1]", "the colours"),
        (MIRROR, "mean = mean[::-1, ::-1]", "two axes"),
        (MIRROR, "mean = np.flip(mean)", "all three axes"),
        (
            "return crop - mean",
            "return crop.astype(int) - mean.round().astype(int)",
            "whole numbers",
        ),
        ("return crop - mean", "return np.clip(crop - mean, 0, 255)", "cut off at 0"),
        (
            "return crop - mean",
            "return (crop - mean.astype(np.uint8)).astype(float)",
            "wrap around",
        ),
        ("return crop - mean", "return crop - np.trunc(mean)", "less than a grey level"),
        ("return crop - mean", "return crop + mean", "not crop minus the part"),
    ],
    "colour_shift": [
        (SHIFT, "eigenvectors @ (alpha * eigenvalues)", "variances"),
        (SHIFT, "eigenvectors.T @ (alpha * np.sqrt(eigenvalues))", "by rows"),
        (SHIFT, "(alpha * np.sqrt(eigenvalues)) @ eigenvectors", "by rows"),
        (SHIFT, "(alpha * eigenvalues) @ eigenvectors", "units"),
        (SHIFT, "eigenvectors @ alpha", "same strength"),
        (SHIFT, "np.sqrt(eigenvalues) * (eigenvectors @ alpha)", "belong to the axes"),
        (SHIFT, "eigenvectors @ (alpha * 0.1 * np.sqrt(eigenvalues))", "a tenth"),
        (SHIFT, SHIFT + " / 255", "divided by 255"),
        (SHIFT, "eigenvectors[:, 0] * alpha[0] * np.sqrt(eigenvalues[0])", "one axis only"),
        (SHIFT, "eigenvectors @ alpha / np.sqrt(eigenvalues)", "You divide by the standard"),
        (SHIFT, SHIFT + " * np.random.normal()", "draw nothing"),
        (SHIFT, SHIFT + " * 2", "not the sum of the three axes"),
    ],
    "average_views": [
        (
            SOFTMAX,
            "e = e.prod(axis=0) ** (1 / len(e))\n    return e / e.sum()",
            "averages the logits",
        ),
        ("return p.mean(axis=0)", "return p.sum(axis=0)", "add up to 3, the number"),
        ("return p.mean(axis=0)", "return p.sum(axis=0) / 10", "You divide by 10"),
        ("return p.mean(axis=0)", "return p.sum(axis=0) / 3", "wrong for 2"),
        ("return p.mean(axis=0)", "return p.sum(axis=0) / p.shape[1]", "add up to 0.75"),
        (
            "p = e / e.sum(axis=1, keepdims=True)",
            "p = np.exp(logits) / np.exp(logits).sum(0)",
            "over the views",
        ),
        ("logits - logits.max(axis=1, keepdims=True)", "logits", "overflows"),
        ("logits - logits.max(axis=1, keepdims=True)", "logits - logits.max()", "of each view"),
        (SOFTMAX, "return logits.mean(axis=0)", "where is the softmax"),
        (SOFTMAX, "e = np.exp(logits)\n    return e.sum(axis=0) / e.sum()", "its own sum"),
        ("return p.mean(axis=0)", "return np.exp(np.log(p).mean(axis=0))", "geometric"),
    ],
}
