"""Notebook 11: right answers that are written in another way than the solution."""

LAYERS = """a, b, c, d, e = widths
layers = [nn.Conv2d(3, a, (11, 11), stride=(4, 4), padding=(2, 2)), nn.ReLU(),
          nn.PaperLRN(groups=2), nn.MaxPool2d(kernel_size=3, stride=2),
          nn.Conv2d(a, b, 5, 1, 2, groups=2), nn.ReLU(), nn.PaperLRN(groups=2), nn.MaxPool2d(3, 2),
          nn.Conv2d(b, c, 3, padding=1), nn.ReLU(),
          nn.Conv2d(c, d, 3, padding=1, groups=2), nn.ReLU(),
          nn.Conv2d(d, e, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten(),
          nn.Linear(e * 36, fc_width), nn.ReLU(), nn.Dropout(0.5),
          nn.Linear(fc_width, fc_width), nn.ReLU(), nn.Dropout(),
          nn.Linear(fc_width, num_classes)]
"""
RIGHT = {
    "build": [
        LAYERS + "return nn.Sequential(*layers)",
        LAYERS + "return nn.Sequential({f'layer{i}': l for i, l in enumerate(layers)})",
        LAYERS + "net = nn.Sequential(*layers)\nnet.eval()\nreturn net",
        """inputs, layers = 3, {}
shapes = [(11, 4, 2, 1), (5, 1, 2, 2), (3, 1, 1, 1), (3, 1, 1, 2), (3, 1, 1, 2)]
for i, (maps, (size, stride, padding, groups)) in enumerate(zip(widths, shapes), 1):
    layers[f"conv{i}"] = nn.Conv2d(inputs, maps, size, stride, padding, groups=groups)
    layers[f"relu{i}"] = nn.ReLU()
    if i < 3:
        layers[f"lrn{i}"] = nn.PaperLRN(groups=2)
    if i in (1, 2, 5):
        layers[f"pool{i}"] = nn.MaxPool2d(3, 2)
    inputs = maps
layers["flatten"], inputs = nn.Flatten(), inputs * 6 * 6
for i in (6, 7):
    layers[f"fc{i}"] = nn.Linear(inputs, fc_width)
    layers[f"relu{i}"] = nn.ReLU()
    layers[f"drop{i}"] = nn.Dropout(0.5)
    inputs = fc_width
layers["fc8"] = nn.Linear(inputs, num_classes)
return nn.Sequential(layers)""",
    ],
    "conv_cost": [
        "weights = maps * inputs * size ** 2 // groups\nreturn weights + maps, weights * side ** 2",
        "weights = np.prod([maps, inputs // groups, size, size])\n"
        "return [weights + maps, weights * side * side]",
        """parameters = macs = 0
for o in range(maps):
    parameters += (inputs // groups) * size * size + 1
    macs += (inputs // groups) * size * size * side * side
return parameters, macs""",
        "of_group = (inputs // groups) * (maps // groups) * size * size\n"
        "return groups * of_group + maps, groups * of_group * side * side",
        "weight = inputs * maps * size * size / groups\nreturn weight + maps, weight * side * side",
    ],
    "conv3_backward": [
        """whole = dx_of(np.concatenate([grad_a, grad_b], 1), weight)
return whole[:, : weight.shape[1] // 2], whole[:, weight.shape[1] // 2 :]""",
        """o, c = len(weight) // 2, weight.shape[1] // 2
a = dx_of(grad_a, weight[:o, :c]) + dx_of(grad_b, weight[o:, :c])
b = dx_of(grad_a, weight[:o, c:]) + dx_of(grad_b, weight[o:, c:])
return [a, b]""",
        """a, b = np.split(weight, 2)
return tuple(np.split(dx_of(grad_a, a) + dx_of(grad_b, b), 2, axis=1))""",
        """n, _, rows, cols = grad_a.shape
g = np.pad(np.concatenate([grad_a, grad_b], 1), ((0, 0), (0, 0), (1, 1), (1, 1)))
dx = np.zeros((n, weight.shape[1], rows, cols))
for u in range(3):
    for v in range(3):
        part = g[:, :, 2 - u : 2 - u + rows, 2 - v : 2 - v + cols]
        dx += np.einsum("norq,oc->ncrq", part, weight[:, :, u, v])
half = dx.shape[1] // 2
return dx[:, :half], dx[:, half:]""",
    ],
}
