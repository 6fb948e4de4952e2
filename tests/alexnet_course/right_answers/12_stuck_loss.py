"""Notebook 12: right answers that are written in another way than the solution."""

RIGHT = {
    "image_part": [
        "centred = outputs - outputs.mean(0)\n"
        "return np.sqrt(np.mean(outputs ** 2)), np.sqrt(np.mean(centred ** 2))",
        "return [float(np.sqrt((outputs ** 2).mean())), float((outputs.std(0) ** 2).mean() ** 0.5)]",
        """n, units = outputs.shape
square = part = 0
for u in range(units):
    mean = sum(outputs[i, u] for i in range(n)) / n
    for i in range(n):
        square += outputs[i, u] ** 2
        part += (outputs[i, u] - mean) ** 2
return (square / (n * units)) ** 0.5, (part / (n * units)) ** 0.5""",
        "rms = np.linalg.norm(outputs) / outputs.size ** 0.5\n"
        "return rms, np.sqrt(rms ** 2 - (outputs.mean(0) ** 2).mean())",
        "both = (outputs, outputs - outputs.mean(0, keepdims=True))\n"
        "return np.array([np.sqrt(np.einsum('iu,iu->', a, a) / a.size) for a in both])",
    ],
    "lsuv": [
        "return target / np.std(np.dot(x, weight.T)) * weight",
        "y = np.einsum('ni,oi->no', x, weight)\nreturn weight / y.std() * target",
        "y = (weight @ x.T).ravel()\nscale = np.sqrt(((y - y.mean()) ** 2).mean())\n"
        "return (weight * target / scale).tolist()",
        """weight = weight.copy()
for _ in range(5):
    weight *= target / (x @ weight.T).std()
return weight""",
        "y = [float(row @ unit) for row in x for unit in weight]\n"
        "return weight.astype('f8') * (target / np.std(y))",
    ],
}
