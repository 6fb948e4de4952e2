"""Notebook 07: edits that make the solution wrong, and words of the hint that each must get."""

WINDOW = "x[max(0, i - half) : i + half + 1]"
S = "k + alpha * np.sum(window**2)"
RETURN = "return x / s**beta, s"
ROOT = "np.sqrt(k / (alpha * n * (2 * beta - 1)))"
TOTAL = "np.sum(part[max(0, i - half) : i + half + 1])"
POWER = "s ** (-beta - 1)"


def _taken(array, where, mode="raise"):
    """The window of `array` written with a range."""
    return f"np.take({array}, {where}, mode='{mode}')"


AROUND = "range(i - half, i + half + 1)"
TO_THE_LAST_BUT_ONE = "range(max(0, i - half), min(len(x) - 1, i + half + 1))"
SHORT_AT_BOTH = "range(max(0, i - half), min(len(x) - 1, i + half))"
FLOORED = "range(max(0, i + -n // 2), min(len(x), i + half + 1))"
WRONG = {
    "normalise": [
        ("k + alpha * np.sum", "k + alpha / n * np.sum", "what PyTorch and Caffe mean"),
        ("alpha * np.sum(window**2)", "alpha * np.mean(window**2)", "the mean of the window"),
        ("k + alpha * np.sum", "alpha * np.sum", "lacks the constant k"),
        ("k + alpha * np.sum", "np.sum", "where are k and alpha"),
        ("k + alpha * np.sum", "k + np.sum", "lacks alpha"),
        (S, "np.sum(k + alpha * window**2)", "k once for each channel"),
        ("np.sum(window**2)", "np.sum(window)", "adds their squares"),
        ("np.sum(window**2)", "np.sum(window) ** 2", "square each channel first"),
        (WINDOW, "x[max(0, i - half) : i + half]", "ends one channel too early"),
        (WINDOW, _taken("x", TO_THE_LAST_BUT_ONE), "ends one channel too early"),
        (WINDOW, _taken("x", SHORT_AT_BOTH), "ends one channel too early"),
        (WINDOW, _taken("x", FLOORED), "begins one channel too early: -n // 2 is -3"),
        (WINDOW, "x[max(0, i - n) : i + n + 1]", "too wide"),
        (WINDOW, "x[max(0, i - half - 1) : i + half + 2]", "too wide"),
        (WINDOW, "x[i : i + n]", "i is in its middle"),
        (WINDOW, "x[max(0, i - n + 1) : i + 1]", "i is in its middle"),
        ("np.sum(window**2)", "np.sum(abs(window))", "the sizes |x|"),
        (WINDOW, "x[max(0, i - 2) : i + 3]", "are arguments"),
        (WINDOW, "x", "runs over all channels"),
        (WINDOW, "x[i]", "only channel i itself"),
        (WINDOW, _taken("x", AROUND, "wrap"), "see each other"),
        (WINDOW, "np.delete(x, i)[max(0, i - half) : i + half]", "leaves out channel i"),
        (WINDOW, _taken("x", AROUND, "clip"), "wrong at the ends"),
        (WINDOW, "x[i - half : i + half + 1]", "wrong at the ends"),
        (RETURN, "s = k + np.cumsum(s - k); " + RETURN, "begin at 0 for each i"),
        ("k + alpha * np.sum", "2 + 1e-4 * np.sum", "are arguments"),
        ("k + alpha * np.sum", "2 + alpha * np.sum", "are arguments"),
        ("x / s**beta", "x / s**0.75", "are arguments"),
        ("np.empty_like(x)", "np.empty(len(x), int)", "whole numbers"),
        (S, "(k + alpha) * np.sum(window**2)", "brackets too many"),
        (S, "k + np.sum((alpha * window) ** 2)", "alpha is squared"),
        (RETURN, "return (x / s) ** beta, s", "to s alone"),
        (RETURN, "return 1 / s**beta, s", "y lacks x"),
        (RETURN, "return x / s, s", "power beta"),
        (RETURN, "return x * s**beta, s", "divide by the power"),
        (RETURN, "return x / s**beta, s**beta", "before the power"),
        (RETURN, "return x / s**beta", "Two things are expected"),
        (RETURN, "return s, x / s**beta", "swapped"),
        (RETURN, "return x / s**-beta / 2, s", "channel by channel"),
        (S, "k - alpha * np.sum(window**2)", "a single 2"),
    ],
    "turning_point": [
        (" * (2 * beta - 1)", "", "where the sum equals k"),
        (ROOT, "np.sqrt(1 / (alpha * n * (2 * beta - 1)))", "k is missing"),
        (ROOT, "np.sqrt(2 * k / (alpha * n))", "beta 0.75 alone"),
        (ROOT, "k / (alpha * n * (2 * beta - 1))", "square of the turning point"),
        (ROOT, "-" + ROOT, "not negative"),
        (ROOT, f"round({ROOT}, 1)", "a formula is expected"),
        (ROOT, f"[{ROOT}]", "expected one number"),
        ("(2 * beta - 1)", "(1 - 2 * beta)", "square root of a negative number"),
        (ROOT, "(k / (alpha * n * (1 - 2 * beta))) ** 0.5", "square root of a negative number"),
        ("(2 * beta - 1)", "(beta - 1)", "the derivative of r ** 2"),
        (ROOT, "np.sqrt(k * (2 * beta - 1) / (alpha * n))", "on the wrong side"),
        ("alpha * n * (2", "alpha * (2", "one channel alone"),
        ("(2 * beta - 1)", "2 * beta", "both terms"),
        ("(2 * beta - 1)", "(2 * beta + 1)", "smaller on both"),
    ],
    "normalise_backward": [
        ("dx[i] -= 2", "dx[i] -= 0", "Only the first term"),
        ("dx[i] -= 2", "dx[i] += 2", "wrong sign"),
        ("dx[i] -= 2 *", "dx[i] -=", "half of what"),
        ("dx[i] -= 2 * alpha", "dx[i] -= 2", "lacks alpha"),
        ("dx[i] -= 2 * alpha", "dx[i] -= 2 * alpha / n", "not alpha / n"),
        ("dx[i] -= 2 * alpha", "dx[i] -= 2 * 1e-4", "are arguments"),
        ("alpha * beta * x[i]", "alpha * x[i]", "lacks beta"),
        ("half = n // 2\n    part", "half = 2\n    part", "are arguments"),
        ("beta * x[i]", "beta", "lacks x_i"),
        (TOTAL, TOTAL.replace("part", "(part / x)"), "lacks x_j"),
        (TOTAL, TOTAL.replace("part", "(part / grad)"), "lacks grad"),
        (TOTAL, "part[i]", "only channel i itself"),
        (TOTAL, TOTAL + " - part[i]", "leaves out channel i"),
        (TOTAL, "np.sum(part)", "runs over all channels"),
        (TOTAL, "np.sum(part[max(0, i - half - 1) : i + half + 2])", "too wide"),
        (TOTAL, "np.sum(part[i : i + n])", "i is in its middle"),
        (POWER, "s**-beta", "power of s"),
        (POWER, "s ** (1 - beta)", "power of s"),
        (TOTAL, TOTAL.replace("part", "(grad * x)") + " * s[i] ** (-beta - 1)", "own s_j"),
        (TOTAL, TOTAL.replace("part", "(part / grad)") + " * grad[i]", "grad belongs to j"),
        ("x[i] * total", TOTAL.replace("part", "(part * x)"), "one x is x_i"),
        (TOTAL, TOTAL.replace("part", "(part / x)") + " * x[i]", "one x is x_i"),
        (
            TOTAL,
            TOTAL.replace("part", f"(x**2 * {POWER})") + " * grad[i] / x[i]",
            "grad belongs to j; one x",
        ),
        ("x[i] * total", "part[i] * " + TOTAL.replace("part", "x"), "those of j"),
        (TOTAL, "np.sum(part[max(0, i - half) : i + half])", "ends one channel too early"),
        (TOTAL, f"np.sum({_taken('part', FLOORED)})", "-n // 2 is -3"),
        (TOTAL, f"np.sum({_taken('part', AROUND, 'wrap')})", "see each other"),
        (TOTAL, f"np.sum({_taken('part', AROUND, 'clip')})", "wrong at the ends"),
        ("dx = grad * s**-beta", "dx = grad * s**beta", "first term: at alpha = 0"),
        ("dx[i] -= 2", "dx[i] -= 3", "even for a window of one channel"),
        (TOTAL, "part[0] * (n > 1) + part[i]", "wrong for a larger one"),
        ("dx = grad * s**-beta", "dx = np.zeros(len(x), int)", "whole numbers"),
    ],
    "alpha_for_tensorflow": [
        ("1e-4 / 5, ", "1e-4, ", "TensorFlow does not"),
        ("1e-4 / 5, ", "5e-4, ", "other way round"),
        ("1e-4 / 5, ", "5e-5, ", "the size, 5"),
        ("1e-4 / 5, ", "1e-4 / 25, ", "Divided twice"),
        ("1e-4 / 5, ", "1e-4 / 11, ", "default window"),
        ("1e-4 / 5, ", "1e-3, ", "by as much"),
        ("1e-4 / 5, ", "1e-6, ", "by as much"),
    ],
    "twice_as_loud": [
        ('5, "d"', '5, "a"', "the constant k"),
        ('5, "d"', '5, "b"', "faster than r"),
        ('5, "d"', '5, "c"', "beta = 1/2"),
    ],
}
