"""Notebook 20: right answers that are written in another way than the solution."""

HELPERS = """def conv(x, name, *options):
    return ops.relu(ops.conv2d(x, *weights[name], *options))

def normed(x):
    return ops.max_pool2d(ops.lrn(x, 5, 2.0, 1e-4, 0.75, 2), 3, 2)

x = normed(conv(normed(conv(x, "conv1", 4, 0, 1)), "conv2", 1, 2, 2))
"""
TABLE = """table = {"conv1": (4, 0, 1), "conv2": (1, 2, 2), "conv3": (1, 1, 1), "conv4": (1, 1, 2),
         "conv5": (1, 1, 2)}
for name, (stride, padding, groups) in table.items():
    weight, bias = weights[name]
    x = ops.relu(ops.conv2d(x, weight, bias, stride, padding, groups))
    if name in ("conv1", "conv2"):
        x = ops.lrn(x, 5, 2.0, 0.0001, 0.75, 2)
    if name in ("conv1", "conv2", "conv5"):
        x = ops.max_pool2d(x, 3, 2)
"""
DENSE = """for name, key in zip(("fc6", "fc7"), keys or (None, None)):
    x = ops.relu(ops.linear(x, *weights[name]))
    x = x if key is None else ops.dropout(x, 0.2, key)
return ops.linear(x, *weights["fc8"])"""
REST = """for name, groups in (("conv3", 1), ("conv4", 2), ("conv5", 2)):
    x = conv(x, name, 1, 1, groups)
"""
RIGHT = {
    "alexnet": [
        HELPERS + REST + "x = ops.max_pool2d(x, 3, 2).flatten(1)\n" + DENSE,
        HELPERS + REST + "x = ops.max_pool2d(x, 3, 2).reshape(x.shape[0], -1)\n" + DENSE,
        TABLE + "x = x.reshape(len(x.data), 32)\n" + DENSE,
        TABLE + """x = x.flatten(1)
for i in range(2):
    weight, bias = weights[f"fc{6 + i}"]
    x = ops.relu(ops.linear(x, weight, bias))
    if keys:
        x = ops.dropout(x, 0.2, keys[i])
weight, bias = weights["fc8"]
return ops.linear(x, weight, bias)""",
        TABLE + """x = x.squeeze(3).squeeze(2)
drop = (lambda x, i: ops.dropout(x, 0.2, keys[i])) if keys is not None else (lambda x, i: x)
x = drop(ops.relu(ops.linear(x, *weights["fc6"])), 0)
x = drop(ops.relu(ops.linear(x, *weights["fc7"])), 1)
return ops.linear(x, *weights["fc8"])""",
    ],
    "train_epoch": [
        """total = count = 0
for x, labels in batches:
    loss = net.loss(x, labels)
    net.backward(loss)
    done = [net.step(w.data, v, w.grad.data, lr) for w, v in zip(net.weights, net.velocities)]
    for weight, (new, _) in zip(net.weights, done):
        weight.data, weight.grad = new, None
    net.velocities = [v for _, v in done]
    total, count = total + float(loss.data), count + 1
return total / count""",
        """losses = np.zeros(0)
for batch in list(batches):
    for w in net.weights:
        w.grad = None
    loss = net.loss(*batch)
    net.backward(loss)
    for i in range(len(net.weights)):
        w = net.weights[i]
        w.data, net.velocities[i] = net.step(w.data, net.velocities[i], w.grad.data, lr)
    losses = np.append(losses, loss.data)
return losses.mean()""",
        """def one(x, labels):
    loss = net.loss(x, labels)
    net.backward(loss)
    for i, weight in enumerate(net.weights):
        new_w, new_v = net.step(weight.data, net.velocities[i], weight.grad.data, lr)
        weight.data = new_w
        net.velocities[i] = new_v
        weight.grad = None
    return loss.item()

return np.mean([one(x, labels) for x, labels in batches])""",
        """mean = 0.0
for number, (x, labels) in enumerate(batches, 1):
    [setattr(w, "grad", None) for w in net.weights]
    loss = net.loss(x, labels)
    net.backward(loss)
    for w, v in zip(net.weights, net.velocities):
        new, v[...] = net.step(w.data, v, w.grad.data, lr)
        w.data = new
    mean += (loss.item() - mean) / number
return mean""",
        """losses = []
for x, labels in batches:
    loss = net.loss(x, labels)
    net.backward(loss)
    gradients = [w.grad.data.copy() for w in net.weights]
    for w in net.weights:
        w.grad = None
    for i, g in enumerate(gradients):
        net.weights[i].data, net.velocities[i] = net.step(
            net.weights[i].data, net.velocities[i], g, lr
        )
    losses.append(float(loss.item()))
return sum(losses) / float(len(losses))""",
    ],
    "accuracy": [
        """parts = [net.logits(images[i : i + batch]) for i in range(0, len(images), batch)]
return np.mean(np.concatenate(parts).argmax(-1) == labels)""",
        """answers = [int(np.argmax(net.logits(image[None]))) for image in images]
return sum(a == b for a, b in zip(answers, labels)) / len(labels)""",
        """wrong, start = 0, 0
while start < len(images):
    x = images[start : start + batch]
    z = net.logits(x)
    own = z[np.arange(len(x)), labels[start : start + batch]]
    wrong += np.sum(own < z.max(axis=1))
    start += batch
return 1 - wrong / len(images)""",
        """share = 0.0
for i in range(0, len(images), batch):
    hits = net.logits(images[i : i + batch]).argmax(1) == labels[i : i + batch]
    share += hits.mean() * len(hits) / len(images)
return share""",
        """cuts = range(batch, len(images), batch)
pairs = zip(np.split(images, cuts), np.split(np.asarray(labels), cuts))
return float(sum(int(l == k) for x, part in pairs
                 for l, k in zip(net.logits(x).argsort(1)[:, -1], part)) / len(images))""",
    ],
}
