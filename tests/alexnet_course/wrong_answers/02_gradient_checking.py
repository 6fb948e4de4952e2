"""Notebook 02: edits that make the solution wrong, and words of the hint that each must get."""

DIFFERENCE = "(f(x + step) - f(x - step)) / (2 * eps)"
SLOPE = "f(x + 1j * h * v).imag / h"
WRONG = {
    "numeric_gradient": [
        (DIFFERENCE, "(f(x + step) - f(x)) / eps", "one-sided"),
        (DIFFERENCE, "(f(x) - f(x - step)) / eps", "one-sided"),
        (DIFFERENCE, "(f(x + step) - f(x - step)) / eps", "Twice too large"),
        (DIFFERENCE, "(f(x + step) - f(x - step)) / (4 * eps)", "Half"),
        (DIFFERENCE, "f(x + step) - f(x - step)", "divide it by the distance"),
        (DIFFERENCE, "(f(x - step) - f(x + step)) / (2 * eps)", "sign"),
        (DIFFERENCE, "(f(x + eps) - f(x - eps)) / (2 * eps)", "All elements move at once"),
        ("        step = np.zeros(x.shape)\n        step[place]",
         "        step = locals().get('step', np.zeros(x.shape))\n        step[place]",
         "has an element moved back"),
        (DIFFERENCE, "(f(x + step) - f(x - step)) / 2 * eps", "Mind the brackets"),
        (DIFFERENCE, "f(step) - f(step)", "`p = x` makes no copy"),
        (DIFFERENCE, "(f(x + step / 1e4) - f(x - step / 1e4)) / (2 * eps / 1e4)", "use eps, and"),
        (DIFFERENCE, "(8 * (f(x + step) - f(x - step)) - f(x + 2 * step) + f(x - 2 * step))"
         " / (12 * eps)", "two points"),
        ("        slopes[place] = " + DIFFERENCE, "        slopes[place] = " + DIFFERENCE
         + "\n        return slopes", "inside the loop"),
        ("    return slopes", "    slopes.flat[-1] = 0\n    return slopes", "end too early"),
        (DIFFERENCE, "(f((x + step).astype('f4')) - f((x - step).astype('f4'))) / (2 * eps)",
         "float32 numbers"),
        ("    return slopes", "    return slopes.T.copy()", "interchanged"),
        (DIFFERENCE, "(f((x + step)[None]) - f((x - step)[None])) / (2 * eps)", "argument has x"),
        (DIFFERENCE, "f(x + step)", "For f(x) = (x**3).sum() + x.prod()"),
        ("np.ndindex(*x.shape)", "range(len(x))", "Whole rows move"),
        ("return slopes\n", "return slopes.ravel()[:2]\n", "of shape (2,), expected (3,)"),
        ("return slopes\n", "return slopes.tolist()\n", "list or tuple"),
        ("return slopes\n", "return slopes.astype('f4')\n", "keep float64"),
    ],
    "complex_slope": [
        (SLOPE, "f(x + 1j * h * v) / h", "in the imaginary part"),
        (SLOPE, "f(x + 1j * h * v).real / h", "It is huge"),
        (SLOPE, "f(x + 1j * h * v).imag", "divide it by h"),
        (SLOPE, "f(x + 1e-8 * v) - f(x)", "a difference of real numbers"),
        (SLOPE, "f(x + 1j * h).imag / h", "v belongs into the step"),
        (SLOPE, "f(x + 1j * h).imag / h * v", "v belongs into the step"),
        (SLOPE, "(f(x) + 1j * h * v).imag / h", "That is v itself"),
        (SLOPE, "f(x + 1j * h * v).imag / (2 * h)", "It is 0.5 times"),
        (SLOPE, "f(x + 1j * h * v / np.linalg.norm(v)).imag / h", "keeps the length"),
        (SLOPE, "f(np.add(x, 1j * h * v, out=x)).imag / h", "make a new array"),
        (SLOPE, "list(f(x + 1j * h * v).imag / h)", "list or tuple"),
        (SLOPE, "f(x + h * v).imag / h", "is the step imaginary"),
        (SLOPE, "f(x - 1j * h * v).imag / h", "sign"),
        (SLOPE, "f(2 * x + 1j * h * v).imag / h", "what do you take"),
        ("h = 1e-30", "h = 1e-4", "as small as 1e-30"),
        (SLOPE, "(f(x + 1e-6 * v) - f(x - 1e-6 * v)) / 2e-6", "as small as 1e-30"),
    ],
    "best_step": [
        ("best_step = 1e-5", f"best_step = {number}", words)
        for number, words in (
            ("1e-30", "x - h are the same"), ("1e-16", "That is the rounding itself"),
            ("2**-52", "spacing"), ("1e-8", "one-sided"), ("1e-12", "Too small"),
            ("-5", "exponent"),
            ("0.01", "Too large"), ("'1e-5'", "without quotation marks"), ("(1, 5)", "a tuple"),
        )
    ],
    "what_backward_is": [
        ('what_backward_is = "b"', f"what_backward_is = {letter!r}", words)
        for letter, words in (
            ("a", "the shapes do not fit"), ("c", "never built"), ("d", "That is grad"),
            ("e", "Answer with one of"), (2, "Answer with one of"),
        )
    ],
}  # fmt: skip
