"""Notebook 08: edits that make the solution wrong, and words of the hint that each must get."""

GRAD = "    grad = rng.uniform(-1, 1, forward(x).shape)\n"
COMPARE = "return abs(np.sum(v * dx) - numeric) <= 1e-9 * size"
V = "    v = rng.uniform(-1, 1, x.shape)"
SCALE = "<= 1e-6 * np.abs(slopes).max()"
WRONG = {
    "agrees": [
        (GRAD, "    grad = np.ones(forward(x).shape)\n", "gradient is all ones"),
        (GRAD, "    grad = rng.random(forward(x).shape)\n", "one sign only"),
        (GRAD, "    grad = -rng.random(forward(x).shape)\n", "one sign only"),
        (GRAD, "    grad = rng.uniform(-1, 1, x.shape)\n", "(8, 5), and forward(x) has (8, 3)"),
        ("dx = backward(grad, x)", "dx = backward(x, grad)", "grad comes first"),
        (V, "    v = np.ones(x.shape)", "direction v is all ones"),
        (V, "    v = np.zeros(x.shape)\n    v.flat[1] = rng.uniform(0.5, 1)", "every element"),
        (COMPARE, "return abs(np.sum(v * dx) - numeric) <= 1e-6", "relative"),
        (COMPARE, "return abs(np.sum(v * dx) - numeric) <= 1e-12", "Relative to what"),
        (COMPARE, "return np.isclose(np.sum(v * dx), numeric, rtol=1e-9, atol=1e-12)",
         "or a part of it"),
        (V, "    v = rng.uniform(-1, 1, grad.shape)", "x, v and dx have shape (8, 5)"),
        ("1e-9 * size", "1e-2 * size", "second term"),
        ("1e-9 * size", "1e-19 * size", "refuses"),
        (COMPARE, "return np.sum(v * dx) - numeric <= 1e-9 * size", "Do you need abs"),
        (COMPARE, "return True", "lets everything pass"),
        (COMPARE, "return abs(np.sum(v * dx) - numeric) > 1e-9 * size", "turned round"),
        (COMPARE, "return abs(abs(np.sum(v * dx)) - abs(numeric)) <= 1e-9 * size", "sizes only"),
        (COMPARE, "return abs(np.sum(v * dx) - numeric) <= 1e-9 * np.sum(v * dx)", "a positive"),
        (GRAD, "    grad = forward(x)\n", "is forward(x): it"),
        (COMPARE, "y = (forward(x + 1e-13 * v) - forward(x - 1e-13 * v)) / 2e-13\n"
         "    return abs(np.sum(v * dx) - np.sum(grad * y)) <= 1e-7 * size", "look at your step"),
        (COMPARE, "return False", "refuses every operation"),
        (COMPARE, "return np.abs(v * dx) <= 1", "expected True or False"),
        (COMPARE, "h = 1e-3\n    y = (forward(x + h * v) - forward(x - h * v)) / (2 * h)\n"
         "    return abs(np.sum(v * dx) - np.sum(grad * y)) <= 1e-5 * size", "jumps over the kink"),
    ],
    "agrees_by_differences": [
        ("sum(grad * forward(x)), x, 1e-6)", "sum(forward(x)), x, 1e-6)", "every operation"),
        ("    grad = np.random.default_rng().uniform(-1, 1, forward(x).shape)\n    slopes",
         "    grad = np.ones(forward(x).shape)\n    slopes", "gradient is all ones"),
        ("lambda x: np.sum(grad * forward(x)), x, 1e-6)", "forward, x, 1e-6)", "one number"),
        (SCALE, "<= 1e-6", "relative to the size"),
        (SCALE, "<= 1e-3 * np.abs(slopes).max()", "second term"),
        ("return " + "np.abs(backward(grad, x) - slopes).max() " + SCALE,
         "return np.all(np.abs(backward(grad, x) - slopes) <= 1e-4 * np.abs(slopes))",
         "Compare with the largest"),
        (SCALE, "<= 1e-14 * np.abs(slopes).max()", "tolerance is too fine"),
        ("np.abs(backward(grad, x) - slopes).max()", "(backward(grad, x) - slopes).max()",
         "Do you need abs"),
        ("x, 1e-6)", "x, 1e-3)", "jumps over the kink"),
        ("np.abs(backward(grad, x) - slopes).max()",
         "abs(np.linalg.norm(backward(grad, x)) - np.linalg.norm(slopes))", "sizes only"),
        ("np.abs(backward(grad, x) - slopes).max()", "abs((backward(grad, x) - slopes).sum())",
         "Does every element of dx count"),
        ("x, 1e-6)", "x, 1e-2)", "refuses right ones"),
    ],
    "pass_with_ones": [
        ("pass_with_ones = 5", f"pass_with_ones = {number}", words)
        for number, words in (
            (0, "gives, for ones, what"), (1, "not the only one"), (2, "The two softmaxes, yes"),
            (3, "Of the three others"), (4, "never meets one"), (15, "only five"),
            ("'all'", "is a text"),
        )
    ],
    "how_to_see_it": [
        ('how_to_see_it = "b"', f'how_to_see_it = "{letter}"', words)
        for letter, words in (
            ("a", "Each of the hundred"), ("c", "makes it worse"), ("d", "positive already"),
        )
    ],
}  # fmt: skip
