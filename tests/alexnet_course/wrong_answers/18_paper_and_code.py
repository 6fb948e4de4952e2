"""Notebook 18: edits that make the solution wrong, and words of the hint that each must get."""

TEN = "[False, False, False, False, True, False, True, False, True, False]"


def _flipped(place):
    answers = eval(TEN)
    answers[place] = not answers[place]
    return str(answers)


MEAN, KNOWN = "-p.mean(axis=0)", "1 - known.mean()"
WRONG = {
    "sentences": [
        *((TEN, _flipped(place), f"9 of 10. Sentence {place + 1}: ") for place in range(10)),
        (TEN, "[True] * 10", "3 of 10. Sentence 1"),
        (TEN, "[False] * 9", "has 9 answers"),
        (TEN, "'nnnnynynyn'", "A list of True and False"),
        (TEN, "[0, 0, 0, 0, 1, 0, 1, 0, 1, 0]", "A list of True and False"),
    ],
    "ensemble_error": [
        (KNOWN, "known.mean()", "the share of hits"),
        (KNOWN, "100 - 100 * known.mean()", "in percent"),
        (KNOWN, "len(labels) - known.sum()", "the number of errors"),
        (MEAN, "-logits.mean(axis=0)", "You average the logits"),
        (MEAN, "-p[0]", "Only the first network"),
        (MEAN, "-p.max(axis=0)", "the largest probability"),
        (MEAN, "p.mean(axis=0)", "sorts upwards"),
        (MEAN, "-p.prod(axis=0)", "multiply the probabilities"),
        ([("logits - logits.max(axis=2, keepdims=True)", "logits"), (MEAN, "-powers.mean(axis=0)")],
         "divided by their sum"),
        (MEAN, "-powers.mean(axis=0)", "divided by their sum"),
        ("[:, :k]", "[:, : k - 1]", "You look at k - 1"),
        ("(best == labels[:, None]).any(axis=1)", "np.isin(labels, best)", "of any image"),
        ("(best == labels[:, None]).any(axis=1)", "best == labels[:, None]", "one answer"),
        ("[:, :k]", "[:, :1]", "k is not looked at"),
        ("[:, :k]", "[:, : k + 1]", "You look at k + 1"),
        ("[:, :k]", "[:, k - 1 : k]", "the k-th class only"),
        ([("logits.max(axis=2, keepdims=True)", "logits.max()"),
          ("powers.sum(axis=2, keepdims=True)", "powers.sum(axis=1, keepdims=True)")],
         "over the images"),
        ([("    best =", "    all_best ="), (MEAN + ", axis=1)[:, :k]", "-p, axis=2)[:, :, :k]"),
          ("(best == labels[:, None]).any(axis=1)", "(all_best == labels[:, None]).any(axis=2)")],
         "the errors of the networks"),
        ([("    best =", "    all_best ="), (MEAN + ", axis=1)[:, :k]", "-p, axis=2)[:, :, :k]"),
          ("(best == labels[:, None]).any(axis=1)",
           "(all_best == labels[:, None]).any(axis=2).any(axis=0)")], "not one answer"),
        ([("    best =", "    all_best ="), (MEAN + ", axis=1)[:, :k]", "-p, axis=2)[:, :, :k]"),
          ("(best == labels[:, None]).any(axis=1)",
           "(all_best == labels[:, None]).any(axis=2).mean(axis=0) > 0.5")], "networks vote"),
        (KNOWN, "1 - known", "one number"),
        (KNOWN, "2 - known.mean()", "expected"),
        ("    return " + KNOWN, "    print(" + KNOWN + ")", "returns None"),
    ],
    "into_pytorch": [
        ("alpha * n", "alpha", "PyTorch divides it by n"),
        ("alpha * n", "alpha / n", "The wrong way round: PyTorch divides by n itself"),
        ("alpha * n", "alpha * 5", "5 is the paper's n"),
        ("alpha * n", "alpha * n**2", '"alpha" is not right.'),
        ("-velocity / lr", "-0.9 * velocity / lr", "What comes before it"),
        ("-velocity / lr", "velocity", "holds steps"),
        ("-velocity / lr", "velocity / lr", "The sign"),
        ("-velocity / lr", "-velocity", "The rate"),
        ("-velocity / lr", "-velocity * lr", "in the paper's velocity already"),
        ("-velocity / lr", "velocity * lr", "and the sign"),
        ("-velocity / lr", "-velocity / 0.01", "at the start"),
        ("-velocity / lr", "np.zeros_like(velocity)", "Without its velocity"),
        ('"weight_decay": decay', '"weight_decay": 2 * decay', "The factor 2"),
        ('"weight_decay": decay', '"weight_decay": decay / 2', "The half"),
        ('"weight_decay": decay', '"weight_decay": decay * lr', "by the rate itself"),
        ('"weight_decay": decay', '"weight_decay": decay / lr', "once"),
        ('"weight_decay": decay', '"weight_decay": 0.0005', "0.0005 is the paper's"),
        ('"weight_decay": decay', '"weight_decay": 0', "left out"),
        ("weight * (1 - p)", "weight", "PyTorch does not"),
        ("weight * (1 - p)", "weight * p", "probability to drop"),
        ("weight * (1 - p)", "weight / (1 - p)", "inputs are larger"),
        ("weight * (1 - p)", "weight * 0.5", "0.5 is the paper's p"),
        ("weight * (1 - p)", "weight * 3", "is not right"),
        ('"bias": bias', '"bias": bias * (1 - p)', "does not reach it"),
        ('"bias": bias', '"bias": bias / (1 - p)', "does not reach it"),
        ('"bias": bias', '"b": bias', 'has no "bias"'),
        ('"weight": weight * (1 - p)', '"weight": (weight * (1 - p)).T', "has the shape"),
        ([("return {", "return list({"), ('"bias": bias,\n    }', '"bias": bias,\n    })')],
         "a dictionary"),
    ],
}  # fmt: skip
