"""Notebook 14: right answers that are written in another way than the solution."""

RIGHT = {
    "colour_share": [
        """out = []
for w in filters:
    grey = (w[0] + w[1] + w[2]) / 3
    out.append(sum(((c - grey) ** 2).sum() for c in w) / (w**2).sum())
return out""",
        "return 3 * filters.var(axis=1).sum(axis=(1, 2)) / (filters**2).sum(axis=(1, 2, 3))",
        "flat = filters.reshape(len(filters), 3, -1)\n"
        "return 1 - 3 * (flat.mean(1) ** 2).sum(1) / np.einsum('fcp,fcp->f', flat, flat)",
        "rest = filters - filters.mean(axis=1)[:, None]\n"
        "return tuple(np.linalg.norm(r) ** 2 / np.linalg.norm(w) ** 2 for r, w in "
        "zip(rest, filters))",
    ],
    "nearest": [
        "d = np.linalg.norm(queries.astype(float)[:, None] - features.astype(float), axis=2)\n"
        "return np.argsort(d, axis=1)[:, :count]",
        "f, q = features.astype('f8'), queries.astype('f8')\n"
        "return ((f**2).sum(1) - 2 * q @ f.T).argsort(axis=1)[:, :count].tolist()",
        """found = []
for q in queries:
    d = [sum((float(a) - float(b)) ** 2 for a, b in zip(f, q)) for f in features]
    found.append(sorted(range(len(d)), key=d.__getitem__)[:count])
return found""",
        """d = ((queries[:, None] / 1.0 - features) ** 2).sum(axis=2)
some = np.argpartition(d, count - 1, axis=1)[:, :count]
order = np.argsort(np.take_along_axis(d, some, 1), axis=1)
return np.take_along_axis(some, order, 1)""",
    ],
}
