"""Notebook 11: edits that make the solution wrong, and words of the hint that each must get."""

LRN1, LRN2 = '"lrn1": nn.PaperLRN(groups=2),', '"lrn2": nn.PaperLRN(groups=2),'
POOL1, POOL5 = '"pool1": nn.MaxPool2d(3, 2),', '"pool5": nn.MaxPool2d(3, 2),'
RELU1, RELU3 = '"relu1": nn.ReLU(),', '"relu3": nn.ReLU(),'
CONV1 = "11, stride=4, padding=2)"
CONV3 = "w3, 3, padding=1)"
CONV4 = "w4, 3, padding=1, groups=2)"
DROP6, DROP7 = '"drop6": nn.Dropout(0.5),', '"drop7": nn.Dropout(0.5),'
FC8 = "nn.Linear(fc_width, num_classes),"
TORCH = "nn.LocalResponseNorm(5, 1e-4, 0.75, k=2.0),"
NO_RELU = [(f'"relu{i}": nn.ReLU(),', "") for i in range(1, 6)]
WRONG = {
    "most_work": [
        ('most_work = "b"', 'most_work = "a"', "three colours only"),
        ('most_work = "b"', 'most_work = "c"', "13x13 pixels only"),
        ('most_work = "b"', 'most_work = "d"', "used once"),
    ],
    "which_change": [
        ('which_change = "b"', 'which_change = "a"', "54 windows again"),
        ('which_change = "b"', 'which_change = "c"', "9,600"),
        ('which_change = "b"', 'which_change = "d"', "pixels stays"),
    ],
    "build": [
        ([(CONV1, "11, stride=4)")], "has padding=0, expected 2"),
        ([(CONV1, CONV1.replace("2", "1"))], "it has padding=1"),
        ([(CONV1, CONV1.replace("2", "3"))], "conv1 has padding=3"),
        ([(CONV4, CONV4.replace(", groups=2", ""))], "conv4 reads the maps of both towers"),
        ([(CONV3, CONV3.replace("padding=1", "padding=1, groups=2"))], "conv3 reads only half"),
        ([(RELU3, "")], "no ReLU behind conv3"),
        ([('"relu7": nn.ReLU(),', "")], "no ReLU behind fc7"),
        ([('"relu6": nn.ReLU(),', ""), ('"relu7": nn.ReLU(),', "")], "behind fc6 and fc7"),
        (NO_RELU, "behind the convolutions"),
        ([*NO_RELU, ('"relu6": nn.ReLU(),', ""), ('"relu7": nn.ReLU(),', "")], "no ReLU in it"),
        ([("return nn.Sequential(", "return list(")], "a list or a tuple"),
        ([(FC8, FC8 + '"relu8": nn.ReLU(),')], "ReLU behind fc8"),
        ([(FC8, FC8 + '"softmax": nn.Softmax(1),')],
         "ends with a softmax"),
        ([(LRN1, '"lrn1": ' + TORCH), (LRN2, '"lrn2": ' + TORCH)], "divides alpha by its window"),
        ([(LRN1, LRN1.replace("groups=2", "")), (LRN2, LRN2.replace("groups=2", ""))],
         "lrn1 and lrn2 cross the border"),
        ([(LRN1, LRN1.replace("groups=2", ""))], "windows of lrn1 cross the border"),
        ([(LRN2, LRN2.replace("groups=2", ""))], "windows of lrn2 cross the border"),
        ([(LRN1, "")], "LRN is missing behind conv1."),
        ([(LRN1, ""), (LRN2, "")], "LRN is missing behind conv1 and conv2."),
        ([(LRN1, ""), (POOL1, POOL1 + LRN1)], "behind the pooling in layer 1"),
        ([(RELU1, ""), (POOL1, POOL1 + RELU1)], "before ReLU in layer 1"),
        ([(POOL5, ""), ("w5 * 6 * 6", "w5 * 13 * 13")], "no pool5"),
        ([(POOL1, '"pool1": nn.MaxPool2d(2, 2),')], "3x3 at stride 2"),
        ([(POOL1, '"pool1": nn.MaxPool2d(3, 3),')], "pool1 gives maps of 18x18"),
        ([('"flatten": nn.Flatten(),', "")], "nn.Flatten() between"),
        ([("w5 * 6 * 6", "w5 * 5 * 5")], "Layer fc6 cannot read"),
        ([(DROP6, ""), (DROP7, "")], "Dropout is missing"),
        ([(DROP6, ""), (DROP7, ""), ('"fc6":', DROP6 + '"fc6":'), ('"fc7":', DROP7 + '"fc7":')],
         "where torchvision has it"),
        ([(DROP6, '"drop6": nn.Dropout(0.6),')], "p=0.6"),
        ([(DROP6, '"drop6": nn.PaperDropout(0.5),'), (DROP7, '"drop7": nn.PaperDropout(0.5),')],
         "halves at test"),
        ([(LRN1, LRN1.replace("groups", "beta=0.5, groups"))], "the output is another one"),
        ([("    return nn.Sequential(", "    nn.Sequential(")], "returns None"),
    ],
    "conv_cost": [
        ([("maps * filter_size + maps", "maps * filter_size")], "short of the biases"),
        ([("inputs // groups", "inputs")], "inputs / groups of them"),
        ([("inputs // groups * size", "inputs // groups // groups * size")], "groups twice"),
        ([("filter_size + maps", "filter_size + 1")], "1 for the biases, expected 96"),
        ([("filter_size + maps", "filter_size + maps // groups")], "128 for the biases"),
        ([("filter_size + maps", "filter_size + 2 * maps")], "how many numbers has one filter"),
        ([("groups * size * size", "groups * size")], "not size"),
        ([("parameters = maps * filter_size + maps",
           "parameters = maps // groups * (filter_size + 1)")], "groups twice"),
        ([("macs = maps * side * side", "macs = maps")], "one pixel of the output"),
        ([("macs = maps * side * side", "macs = maps * side")], "side * side pixels"),
        ([("macs = maps", "macs = 2 * maps")], "count a multiplication and an addition"),
        ([("side * filter_size", "side * (filter_size + 1)")], "only added"),
        ([("macs = maps", "macs = 3 * maps")], "sum over one filter"),
        ([("return parameters, macs", "return macs")], "two numbers"),
        ([("return parameters, macs", "return macs, parameters")], "swapped"),
        ([("side * filter_size", "side * inputs * size * size")], "in the multiply-adds, too"),
    ],
    "conv3_backward": [
        ([(" + from_b[:, :maps]", ""), (" + from_a[:, maps:]", "")], "must come over and be added"),
        ([("from_a[:, :maps] + ", ""), ("from_b[:, maps:] + ", "")], "its own part is missing"),
        ([("return dx_a, dx_b", "return dx_b, dx_a")], "swapped"),
        ([("return dx_a, dx_b", "return dx_a / 2, dx_b / 2")], "not averaged"),
        ([("return dx_a, dx_b", "return from_a + from_b, from_a + from_b")], "Cut the sum in two"),
        ([("grad_a, weight[:filters]", "grad_a, weight[filters:]")], "through its own filters"),
        ([("grad_b, weight[filters:]", "grad_b, weight[:filters]")], "through its own filters"),
        ([("grad_a, weight[:filters]", "grad_a, weight[filters:]"),
          ("grad_b, weight[filters:]", "grad_b, weight[:filters]")], "through its own filters"),
        ([(" + from_a[:, maps:]", "")], "One card's result is right"),
        ([(" + from_b[:, :maps]", "")], "One card's result is right"),
        ([(" + from_b[:, :maps]", " - from_b[:, :maps]")], "a sum of two parts"),
        ([("return dx_a, dx_b", "return dx_a")], "two arrays"),
        ([("grad_a, weight[:filters]", "grad_a, weight")], "first axis of weight"),
        ([("grad_a, weight[:filters]", "grad_a, weight[:, :maps]")], "first axis of weight"),
    ],
}  # fmt: skip
