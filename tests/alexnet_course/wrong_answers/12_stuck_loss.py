"""Notebook 12: edits that make the solution wrong, and words of the hint that each must get."""

LN = "math.log(200)"
WRONG = {
    "stuck_at": [
        (LN, "2.30", "base 10"),
        (LN, "math.log2(200)", "base 2"),
        (LN, "1 / 200", "minus its logarithm"),
        (LN, "-math.log(200)", "is positive"),
        (LN, "6.91", "ImageNet's"),
        (LN, "0.693", "for two classes"),
        (LN, "200", "the number of classes"),
        (LN, "4.0", "Too low"),
        (LN, "6.0", "Too high"),
        (LN, "'5.30'", "is a text"),
    ],
    "stays": [
        ('stays = "a"', 'stays = "b"', "hides little"),
        ('stays = "a"', 'stays = "c"', "small is not gone"),
        ('stays = "a"', 'stays = "d"', "the first"),
    ],
    "diagnosis": [
        ('diagnosis = "b"', 'diagnosis = "a"', "nothing but dead units"),
        ('diagnosis = "b"', 'diagnosis = "c"', "Too large a rate"),
        ('diagnosis = "b"', 'diagnosis = "d"', "share would be small"),
    ],
    "image_part": [
        ("variances = outputs.var(axis=0)", "variances = outputs.var()", "differ from each other"),
        ("outputs.var(axis=0)", "outputs.var(axis=1)", "the other axis"),
        ("np.sqrt(variances.mean())", "np.sqrt(variances).mean()", "the root comes last"),
        ("np.sqrt(variances.mean())", "variances.mean()", "last root is missing"),
        ("outputs.var(axis=0)", "outputs.var(axis=0, ddof=1)", "by N - 1"),
        ("np.sqrt((outputs**2).mean())", "(outputs**2).mean()", "the mean square"),
        ("np.sqrt((outputs**2).mean())", "outputs.std()", "as they are"),
        ("return rms, image_rms", "return image_rms, rms", "rms comes first"),
        ("return rms, image_rms", "return image_rms / rms", "two numbers"),
        ("return rms, image_rms", "return rms, 2 * image_rms", "the variance of each unit"),
    ],
    "lsuv": [
        ("(target / y.std())", "y.std()", "wrong way round"),
        ("(target / y.std())", "(target / weight.std())", "You measure the weight"),
        ("(target / y.std())", "(target / y.var())", "by the variance"),
        ("(target / y.std())", "(1 / y.std())", "Right for a target of 1"),
        ("(target / y.std())", "(target / np.sqrt((y**2).mean()))", "about the mean"),
        ("(target / y.std())", "(target / y.std(axis=0)[:, None])", "one, for all its units"),
        ("y = x @ weight.T", "y = np.maximum(x @ weight.T, 0)", "behind the ReLU"),
        ("return weight * (target", "return (target", "return the weight"),
        ("(target / y.std())", "(3 * target / y.std())", "has standard deviation 3, expected 1"),
        ("return weight * (target / y.std())", "weight *= 2\n    return weight", "(weight)"),
        ("target / y.std()", "-target / y.std()", "times a positive number"),
        ("return weight * (target", "weight = weight - weight.mean(axis=1, keepdims=True)\n    "
         "y = x @ weight.T\n    return weight * (target", "times a positive number"),
        ("y.std()", "y.std(ddof=1)", "by N - 1"),
    ],
}  # fmt: skip
