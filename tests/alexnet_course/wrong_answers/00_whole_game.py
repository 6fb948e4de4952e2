"""Notebook 00: edits that make the solution wrong, and words of the hint that each must get."""

BEST = "best = np.argsort(scores, axis=1)[:, -k:]"
RIGHT = "right = (best == labels[:, None]).any(axis=1)"
ERROR = "return 1 - right.mean()"
WRONG = {
    "top_k_error": [
        (ERROR, "return right.mean()", "images that are right"),
        (ERROR, "return 100 * (1 - right.mean())", "not per cent"),
        (ERROR, "return (~right).sum()", "number of wrong images"),
        (ERROR, "return (~right).sum() / scores.shape[1]", "number of classes, not of images"),
        (ERROR, "return ~right", "it returns (211,) numbers"),
        (ERROR, "1 - right.mean()", "is there a `return`"),
        ("[:, -k:]", "[:, -1:]", "that is the top-1 error"),
        ("[:, -k:]", "[:, -5:]", "top-5 error: k is given"),
        ("[:, -k:]", "[:, -k - 1:]", "one class too many"),
        ("[:, -k:]", "[:, len(scores[0]) - k + 1:]", "one class too few"),
        ("[:, -k:]", "[:, :k]", "k smallest scores"),
        ("[:, -k:]", "[:, -k, None]", "in place 5 alone"),
        ("np.argsort(scores, axis=1)", "np.argsort(scores, axis=0)", "you sort each column"),
        ("[:, -k:]", "[-k:]", "Does each label meet its own row?"),
        (RIGHT, "right = best == labels", "Does each label meet its own row?"),
        (ERROR, "return 1 - right.any()", "no image counts as wrong"),
        ("[:, -k:]", "[::-1][:, :k]", "turns the order of the images round"),
        ("[:, -k:]", "[:, -k:-1]", "the likeliest class itself is left out"),
        (ERROR, "return (np.argsort(-scores)[np.arange(len(labels)), labels] >= k).mean()",
         "which class is in a place"),
        (BEST, "best = np.sort(scores, axis=1)[:, -k:]", "not among the scores themselves"),
        (RIGHT, "right = best == labels[:, None]", "divide by k"),
        (BEST, "scores *= 1\n    scores[:, 0] += 1\n    best = np.argsort(scores, axis=1)[:, -k:]",
         "work on a copy"),
    ],
    "top_k_error_by_counting": [
        ("larger >= k", "larger > k", "one class too many"),
        ("larger >= k", "larger < k", "images that are right"),
    ],
    "what_of_a_cat": [
        ('what_of_a_cat = "c"', f"what_of_a_cat = {letter!r}", words)
        for letter, words in (
            ("a", "no eleventh output"), ("b", "Equal shares need"), ("cat", "Answer with one of"),
        )
    ],
    "stuck_at": [
        ("stuck_at = -np.log(1 / 10)", f"stuck_at = {number}", words)
        for number, words in (
            (0.1, "minus its logarithm"), (1, "37%"), (0, "sure and right"),
            ("np.log(1000)", "for the 1000 classes"), ("np.log(0.1)", "the loss is minus that"),
            (10, "number of classes"), ("np.log2(10)", "base 2"),
            (2, "more than one share"), (4, "worse than not knowing"),
        )
    ],
    "fewer_connections": [
        ("(224 * 224 * 3) / (11 * 11 * 3)", number, words)
        for number, words in (
            ("224 * 224 * 3 / 121", "has a depth, too"), ("224 * 224 / 363", "three colours, too"),
            ("363", "How many times more is 150,528"), ("150528", "How many times 363"),
            ("363 / 150528", "other way round"), ("1254400", "A connection counts once"),
            ("1e6", "about how many times more weights"), ("3025", "number of windows"),
            ("10", "Divide all numbers"),
            ("150_528, 363", "is a tuple"),
        )
    ],
}  # fmt: skip
