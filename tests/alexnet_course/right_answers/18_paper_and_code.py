"""Notebook 18: right answers that are written in another way than the solution."""

P = """p = np.exp(logits)
p = (p / p.sum(-1, keepdims=True)).mean(0)
"""
RIGHT = {
    "ensemble_error": [
        P + "above = (p > p[np.arange(len(labels)), labels][:, None]).sum(1)\n"
        "return float((above >= k).mean())",
        P + "best = np.argpartition(-p, k - 1, axis=1)[:, :k]\n"
        "return np.mean([label not in row for label, row in zip(labels, best)])",
        P + """wrong = 0
for row, label in zip(p, labels):
    likeliest = sorted(range(len(row)), key=lambda c: -row[c])[:k]
    if label not in likeliest:
        wrong += 1
return wrong / len(labels)""",
        P + "return 1 - (np.argsort(p, 1)[:, -k:] == labels.reshape(-1, 1)).sum() / len(labels)",
        P + "place = np.argsort(np.argsort(-p, 1), 1)\n"
        "return np.count_nonzero(np.take_along_axis(place, labels[:, None], 1) >= k) / labels.size",
    ],
    "into_pytorch": [
        "return dict(alpha=n * alpha, momentum_buffer=velocity / -lr, weight_decay=decay,\n"
        "            weight=(1 - p) * weight, bias=bias)",
        "return {'bias': bias.copy(), 'weight': weight - p * weight, 'weight_decay': decay,\n"
        "        'momentum_buffer': -1 / lr * velocity, 'alpha': sum([alpha] * n)}",
        "new = {}\nnew['alpha'] = float(n) * alpha\nnew['momentum_buffer'] = [-v / lr for v in velocity]"
        "\nnew['weight_decay'] = decay\nnew['weight'] = [[(1 - p) * w for w in row] for row in weight]"
        "\nnew['bias'] = list(bias)\nreturn new",
        "keep = np.float64(1) - p\nreturn {'alpha': np.array(alpha * n), 'weight': weight * keep,\n"
        "    'momentum_buffer': np.negative(velocity) / lr, 'weight_decay': np.float64(decay),\n"
        "    'bias': bias, 'note': 'more keys do no harm'}",
    ],
}
