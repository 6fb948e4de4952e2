"""Notebook 14: edits that make the solution wrong, and words of the hint that each must get."""

COPY = """            covered = image.copy()
"""
WRONG = {
    "nearest": [
        ("np.argsort(distances)", "np.argsort(-distances)", "farthest"),
        ("np.argsort(distances)[:count]", "np.sort(distances)[:count] ** 0.5", "the distances"),
        ("[:count])", "[:count][::-1])", "not in order"),
        ("[:count])", "[1 : count + 1])", "leaves out"),
        ("np.argsort(distances)", "np.argpartition(distances, count - 1)", "in order"),
        ("((features.astype(float) - query) ** 2)", "abs(features - query)", "their squares"),
        ("((features.astype(float) - query) ** 2)", "-(features * query)", "largest products"),
        ("** 2).sum(axis=1)", ").sum(axis=1) ** 2", "before squaring"),
        ("np.array(found)", "np.array(found).T", "a row for each query"),
        ([("queries.astype(float)", "queries"), ("(features.astype(float)", "(features")],
         "wraps around"),
    ],
}
