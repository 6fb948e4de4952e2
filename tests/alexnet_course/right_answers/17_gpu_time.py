"""Notebook 17: right answers that are written in another way than the solution."""

RIGHT = {
    "least_time": [
        """computing = 2.0 * inputs * outputs * batch / peak
moving = 4 * (batch * (inputs + outputs) + (inputs + 1) * outputs) / bandwidth
return computing if computing > moving else moving""",
        """x, w, b, y = (np.prod(s) for s in ((batch, inputs), (outputs, inputs), outputs,
                                     (batch, outputs)))
return np.maximum(2 * w * batch / peak, 4.0 * (x + w + b + y) / bandwidth)""",
        """size = 4 * batch * inputs
size += 4 * inputs * outputs
size += 4 * outputs
size += 4 * batch * outputs
return float(max([2 * batch * inputs * outputs / peak, size / bandwidth]))""",
        """operations = 2 * batch * inputs * outputs
size = 4 * (batch * inputs + inputs * outputs + outputs + batch * outputs)
intensity = operations / size
return operations / min(peak, bandwidth * intensity)""",
        """times = np.array([2 * batch * inputs * outputs / peak,
                  (batch * inputs + outputs * (inputs + 1 + batch)) * 4 / bandwidth])
return times.max()""",
    ],
    "gradient_in_parts": [
        """total = 0
for i in range(0, len(x), most):
    part, of = x[i : i + most], labels[i : i + most]
    total = total + len(part) * gradient(part, of)
return total / len(x)""",
        """return sum(gradient(x[i : i + most], labels[i : i + most]) * min(most, len(x) - i) / len(x)
           for i in range(0, len(x), most))""",
        """cuts = list(range(most, len(x), most))
parts = list(zip(np.split(x, cuts), np.split(labels, cuts)))
return np.average([gradient(a, b) for a, b in parts], axis=0, weights=[len(a) for a, _ in parts])""",
        """return np.mean([gradient(x[i : i + 1], labels[i : i + 1]) for i in range(len(x))], axis=0)""",
        """if len(x) <= most:
    return gradient(x, labels)
first, rest = gradient(x[:most], labels[:most]), gradient_in_parts(gradient, x[most:],
                                                                   labels[most:], most)
return (most * first + (len(x) - most) * rest) / len(x)""",
    ],
}
