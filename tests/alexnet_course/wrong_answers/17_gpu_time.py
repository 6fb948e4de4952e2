"""Notebook 17: edits that make the solution wrong, and words of the hint that each must get."""

SCATTER = """
    if i >= grad.size:
        return
    y, x = divmod(i, grad.shape[1])
    u, v = divmod(winners[y, x], size)
    dx[(y * stride + u) * width + x * stride + v] += grad[y, x]
"""
SHARE = "len(x[part]) / len(x) * "
WRONG = {
    "gradient_in_parts": [
        (SHARE, "", "as if the learning rate"),
        (SHARE, "1 / -(-len(x) // most) * ", "What does a part weigh"),
        (SHARE, "most / len(x) * ", "What does a part weigh"),
        (SHARE, "len(x[part]) * ", "it is the sum over the images"),
        (SHARE, "1 / len(x) * ", "times what it should be"),
        (SHARE, "1 / max(len(x) // most, 1) * ", "What does a part weigh"),
        (SHARE, "len(x[part]) ** 2 / len(x) ** 2 * ", "times what it should be"),
        (SHARE, "(1 + first) / len(x) * ", "the numbers are wrong"),
        ("range(0, len(x), most)", "range(0, len(x), most - 1)", "and to no other"),
        ("gradient(x[part], labels[part])", "gradient(x[first], labels[part])", "it is called"),
        ("range(0, len(x), most)", "range(0, len(x) - most + 1, most)", "may be a short one"),
        ("range(0, len(x), most)", "range(0, len(x) + most, most)", "no images"),
        ("total += len", "total = len", "only the last part"),
        ("gradient(x[part], labels[part])", "gradient(x, labels)", "fit into the memory"),
        ("labels[part])", "labels)", "images and"),
        ("labels[part])", "labels[: len(x[part])])", "belong together"),
    ],
}
