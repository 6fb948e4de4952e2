"""Notebook 15: right answers that are written in another way than the solution."""

RIGHT = {
    "saliency": [
        "x = mg.tensor(image[None], requires_grad=True)\n"
        "model(x)[0, label].backward()\n"
        "return np.abs(x.grad.numpy()).max(axis=1)[0]",
        """x = mg.tensor(image[None], requires_grad=True)
logits = model(x)
chosen = np.zeros(logits.shape)
chosen[0, label] = 1
slopes = mg.grad((logits * mg.tensor(chosen)).sum(), [x])[0].numpy()[0]
return np.maximum(slopes.max(axis=0), -slopes.min(axis=0))""",
        "x = mg.tensor(image[None], requires_grad=True)\n"
        "r, g, b = np.abs(mg.grad(model(x)[0, label], [x])[0].numpy()[0])\n"
        "return np.maximum(np.maximum(r, g), b).tolist()",
        "x = mg.tensor(image[None], requires_grad=True)\n"
        "slopes = mg.grad(model(x)[0, label], [x])[0].numpy()[0]\n"
        "return np.sqrt(slopes**2).max(0)",
    ],
    "occlusion": [
        """n = (image.shape[1] - patch) // stride + 1
out = []
for a in range(n):
    out.append([])
    for b in range(n):
        covered = np.array(image)
        for c in range(3):
            covered[c, a * stride :, b * stride :][:patch, :patch] = image[c].mean()
        out[a].append(probability(covered))
return out""",
        """size, mean = image.shape[1], image.mean(axis=(1, 2), keepdims=True)
at = np.arange(size)
def covered(i, j):
    rows, columns = (i <= at) & (at < i + patch), (j <= at) & (at < j + patch)
    return np.where(rows[:, None] & columns, mean, image)
places = np.arange(0, size - patch + 1, stride)
return np.array([[probability(covered(i, j)) for j in places] for i in places])""",
        """n = (image.shape[1] - patch) // stride + 1
found, means = np.zeros((n, n)), [part.mean() for part in image]
for i, j in np.ndindex(n, n):
    covered = image.copy()
    for part, mean in zip(covered, means):
        part[i * stride : i * stride + patch, j * stride : j * stride + patch] = mean
    found[i, j] = probability(covered)
return found""",
        """places, rows = range(0, image.shape[1] - patch + 1, stride), []
hidden = np.broadcast_to(image.mean((1, 2))[:, None, None], image.shape)
for i in places:
    row = []
    for j in places:
        covered = np.array(image)
        here = (slice(None), slice(i, i + patch), slice(j, j + patch))
        covered[here] = hidden[here]
        row.append(probability(covered))
    rows.append(row)
return np.stack(rows)""",
    ],
    "grad_cam": [
        "total = sum(s.mean() * m for m, s in zip(maps, slopes))\n"
        "return np.where(total > 0, total, 0).tolist()",
        "return np.einsum('k,kij->ij', slopes.mean(axis=(1, 2)), maps).clip(0)",
        "a = slopes.reshape(len(slopes), -1).mean(axis=1)\n"
        "return np.maximum(0, np.tensordot(a, maps, 1))",
        "total = (slopes.mean((1, 2))[:, None, None] * maps).sum(0)\n"
        "return (total + abs(total)) / 2",
    ],
}
