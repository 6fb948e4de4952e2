"""Notebook 10: right answers that are written in another way than the solution."""

RIGHT = {
    "all_places": [
        """places = []
for mirrored in (0, 1):
    for left in range(image_size - size + 1):
        for top in range(image_size - size + 1):
            places.append([top, left, bool(mirrored)])
return places""",
        "n = image_size - size + 1\nreturn list(np.ndindex(n, n, 2))",
        "import itertools\nn = range(image_size - size + 1)\n"
        "return list(itertools.product(n, n, (True, False)))",
        "n = image_size - size + 1\nreturn np.indices((n, n, 2)).reshape(3, -1).T",
        "last = image_size - size\n"
        "return tuple((t, l, m) for t in range(last + 1) for l in range(last + 1) for m in (0, 1))",
    ],
    "subtract_mean": [
        """s = len(crop)
part = mean_image[top : top + s, left : left + s]
return crop - (np.fliplr(part) if mirrored else part)""",
        """s = crop.shape[0]
step = -1 if mirrored else 1
return crop.astype(float) - mean_image[top:, left:][:s, :s][:, ::step]""",
        """if mirrored:
    return subtract_mean(crop[:, ::-1], mean_image, top, left, False)[:, ::-1]
s = len(crop)
return (crop - mean_image[top : top + s, left : left + s]).astype('f4')""",
        """out = np.empty(crop.shape)
s = len(crop)
for i in range(s):
    for j in range(s):
        out[i, j] = crop[i, j] - mean_image[top + i, left + (s - 1 - j if mirrored else j)]
return out""",
        """s = len(crop)
whole = mean_image[:, ::-1] if mirrored else mean_image
begin = len(mean_image) - s - left if mirrored else left
return (crop - whole[top : top + s, begin : begin + s]).tolist()""",
    ],
    "colour_shift": [
        "return sum(eigenvectors[:, i] * alpha[i] * eigenvalues[i] ** 0.5 for i in range(3))",
        "return (eigenvectors * np.sqrt(eigenvalues)) @ alpha",
        "return np.einsum('ci,i,i->c', eigenvectors, alpha, np.sqrt(eigenvalues))",
        "return eigenvectors.dot(np.diag(eigenvalues ** 0.5)).dot(alpha).tolist()",
        "return ((alpha * np.sqrt(eigenvalues)) @ eigenvectors.T).astype('f4')",
    ],
    "average_views": [
        "e = np.exp((logits.T - logits.max(1)))\nreturn np.mean(e / e.sum(0), axis=1)",
        """total = 0
for row in logits:
    e = np.exp(row - max(row))
    total = total + e / sum(e)
return total / len(logits)""",
        "log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]\n"
        "return np.exp(log_p).sum(0) / logits.shape[0]",
        "e = np.exp(logits - logits.max(1, keepdims=True))\n"
        "return np.einsum('vc,v->c', e, 1 / e.sum(1)) / len(e)",
        "p = [np.exp(r - r.max()) / np.exp(r - r.max()).sum() for r in logits]\n"
        "return np.mean(p, axis=0).tolist()",
    ],
}
