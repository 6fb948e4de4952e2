"""Notebook 20: edits that make the solution wrong, and words of the hint that each must get."""

POOL1 = """ops.conv2d(x, *weights["conv1"], 4, 0, 1))
    x = ops.max_pool2d(ops.lrn(x, 5, 2.0, 1e-4, 0.75, 2), 3, 2)"""
CONV1 = 'ops.conv2d(x, *weights["conv1"], 4, 0, 1)'
CONV4 = 'ops.relu(ops.conv2d(x, *weights["conv4"], 1, 1, 2))'
FC7 = 'ops.relu(ops.linear(x, *weights["fc7"]))'
LAST = 'return ops.linear(x, *weights["fc8"])'
CLEAR = """        for weight in net.weights:
            weight.grad = None
"""
STEP = "weight.data, net.velocities[i] = net.step(weight.data, v, grad, lr)"
UPDATE = """        for i, weight in enumerate(net.weights):
            grad, v = weight.grad.data, net.velocities[i]
            weight.data, net.velocities[i] = net.step(weight.data, v, grad, lr)
"""
ONCE = "\n".join(line.removeprefix("    ") for line in UPDATE.splitlines())
SUM = "return sum(losses) / len(losses)"
COUNT = "return right / len(images)"
WRONG = {
    "alexnet": [
        (f"x = ops.relu({CONV1})", f"x = {CONV1}", "a ReLU is missing"),
        (CONV4, CONV4[9:-1], "a ReLU is missing"),
        (FC7, FC7[9:-1], "a ReLU is missing"),
        (LAST, 'return ops.relu(ops.linear(x, *weights["fc8"]))', "behind fc8"),
        (CONV1, CONV1.replace("4, 0, 1", "2, 0, 1"), "stride=2: see the table"),
        (CONV1, CONV1.replace("4, 0, 1", "4, 2, 1"), "padding=2: see the table"),
        (CONV4, CONV4.replace("1, 1, 2", "1, 1, 1"), "its filters see one tower only"),
        ('*weights["conv3"], 1, 1, 1', '*weights["conv3"], 1, 1, 2', "it reads both towers"),
        (POOL1, POOL1.replace("3, 2)", "2, 2)"), "windows of 3 overlap"),
        (POOL1, POOL1.replace("0.75, 2)", "0.75, 1)"), "between the towers"),
        (POOL1, POOL1.replace("1e-4", "1e-4 / 5"), "alpha=1e-4"),
        (POOL1, POOL1.replace("ops.lrn(x, 5, 2.0, 1e-4, 0.75, 2)", "x"), "LRN is left out"),
        (POOL1, POOL1.replace("ops.max_pool2d(ops.lrn(x, 5, 2.0, 1e-4, 0.75, 2), 3, 2)",
                              "ops.lrn(ops.max_pool2d(x, 3, 2), 5, 2.0, 1e-4, 0.75, 2)"),
         "first ReLU, then LRN"),
        ("x = ops.max_pool2d(x, 3, 2).flatten(1)", "x = x.flatten(1)", "pooling is missing"),
        (f"x = {CONV4}", f"x = ops.lrn({CONV4}, 5, 2.0, 1e-4, 0.75, 2)", "only conv1 and conv2"),
        (f"    x = {CONV4}\n", "", "expected conv2d of conv4"),
        (".flatten(1)", "", "behind pool5 comes x.flatten(1)"),
        ("    if keys is not None:\n        x = ops.dropout(x, 0.2, keys[0])\n", "",
         "there is none here"),
        ("x, 0.2, keys[1]", "x, 0.2, keys[0]", "a key of its own"),
        ("x, 0.2, keys[1]", "x, 0.5, keys[1]", "p=0.5"),
        (LAST, LAST.replace("return ", ""), "It returns None"),
        (LAST, f"from minigrad.kernels.threefry import Key\n    x = ops.dropout(x, 0.2, Key(0, 0))"
         f"\n    {LAST}", "nothing is dropped"),
        (LAST, "return x", "expected (3, 6)"),
    ],
    "train_epoch": [
        (CLEAR, "", "pile up"),
        ("        net.backward(loss)\n", "", "no gradient where you take it"),
        ([(CLEAR, ""), ("        net.backward(loss)\n", f"        net.backward(loss)\n{CLEAR}")],
         "not behind it"),
        (STEP, "weight.data, _ = net.step(weight.data, v, grad, lr)", "new velocities are lost"),
        (STEP, "net.velocities[i], weight.data = net.step(weight.data, v, grad, lr)", "swapped"),
        (STEP, "weight.data, net.velocities[i] = net.step(weight.data, 0 * v, grad, lr)",
         "begins with velocity 0"),
        (STEP, "_, net.velocities[i] = net.step(weight.data, v, grad, lr)",
         "The weights have not changed"),
        (STEP, "weight.data, net.velocities[i] = net.step(weight.data, v, grad, 2 * lr)",
         "the rate lr"),
        ("enumerate(net.weights)", "enumerate(net.weights[:1])", "biases, too"),
        (f"{UPDATE}        losses.append(loss.item())\n",
         f"        losses.append(loss.item())\n{ONCE}\n", "after each batch"),
        (f"    {SUM}", f"        {SUM}", "inside the loop"),
        (SUM, "return sum(losses)", "the sum of the losses"),
        (SUM, "return losses", "several numbers"),
        (SUM, "return losses[-1]", "the mean of the losses"),
        (SUM, "return loss", "a tensor"),
        (SUM, "pass", "It returns None"),
        ("weight.grad.data, net.velocities[i]", "weight.grad, net.velocities[i]", "takes arrays"),
        (UPDATE, "", "net.step is missing"),
        ("net.velocities[i]\n", "net.velocities[0]\n", "not what three steps"),
    ],
    "accuracy": [
        (COUNT, "return right", "divide by the number of images"),
        (COUNT, "return 100 * right / len(images)", "percent"),
        (COUNT, "return 1 - right / len(images)", "the error"),
        (COUNT, "return right // len(images)", "keep its fraction"),
        (COUNT, "pass", "It returns None"),
        ("axis=1", "axis=0", "(axis 1)"),
        ("argmax", "argmin", "argmax"),
        ("range(0, len(images), batch)", "range(0, len(images) - batch + 1, batch)",
         "the last batch may be smaller"),
        ("range(0, len(images), batch)", "[0]", "only 4 were shown"),
        ("images[start : start + batch])", "images)", "12 images at once"),
        ("right += (", "right = (", "of the last batch alone"),
        ([("right += (", "right += batch / len(images) * ("), (COUNT,
         "return right")], "divide by the number of batches"),
        ([(".sum()", ".mean()"), (COUNT, "return right / -(-len(images) // batch)")],
         "the last batch is smaller"),
    ],
    "fc_share": [
        ("fc_share = 20", f"fc_share = {number}", words)
        for number, words in (
            ("96", "That is the paper's"), ("50", "an fc6 of many inputs"),
            ("5", "More than that"), ("75", "Less: fc6 reads"), ("'20'", "without quotation marks"),
        )
    ],
    "why_apart": [
        ('why_apart = "b"', f"why_apart = {letter!r}", words)
        for letter, words in (
            ("a", "off by far more"), ("c", "the same bits"), ("d", "the same number in both"),
            ("e", "Answer with one of"),
        )
    ],
}  # fmt: skip
