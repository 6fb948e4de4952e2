"""Notebook 17: edits that make the solution wrong, and words of the hint that each must get."""

SHARE = "len(x[part]) / len(x) * "
OPERATIONS = "operations = 2 * batch * inputs * outputs"
NUMBERS = "numbers = batch * inputs + inputs * outputs + outputs + batch * outputs"
TIMES = "max(operations / peak, 4 * numbers / bandwidth)"
WRONG = {
    "simple_layers": [
        ("simple_layers = 40", "simple_layers = 1", "their time is bytes"),
        ("simple_layers = 40", "simple_layers = 0.1", "their time is bytes"),
        ("simple_layers = 40", "simple_layers = 90", "still the larger part"),
    ],
    "which_limit": [
        ('which_limit = "c"', 'which_limit = "a"', "twice the operations"),
        ('which_limit = "c"', 'which_limit = "b"', "twice the bytes"),
        ('which_limit = "c"', 'which_limit = "d"', "gives an error"),
    ],
    "least_time": [
        (TIMES, "operations / peak + 4 * numbers / bandwidth", "You add the two times"),
        (TIMES, "min(operations / peak, 4 * numbers / bandwidth)", "the shorter of the two"),
        (TIMES, "operations / peak", "Only the operations count"),
        (TIMES, "4 * numbers / bandwidth", "Only the bytes count"),
        (OPERATIONS, "operations = batch * inputs * outputs", "A multiply-add is two"),
        ("4 * numbers", "numbers", "you count numbers"),
        ("4 * numbers", "8 * numbers", "not eight"),
        (NUMBERS, "numbers = batch * (inputs + outputs)", "weights and biases are missing"),
        (NUMBERS, "numbers = batch * inputs + inputs * outputs + outputs", "it is written"),
        (NUMBERS, "numbers = batch * outputs + inputs * outputs + outputs", "it is read"),
        (NUMBERS, "numbers = inputs * outputs + outputs", "x and y are missing"),
        (NUMBERS, "numbers = batch * (inputs + outputs) + inputs * outputs", "The bias is missing"),
        (NUMBERS, "numbers = batch * (inputs + outputs + inputs * outputs + outputs)",
         "for every image"),
        (NUMBERS, "numbers = inputs + inputs * outputs + outputs + outputs", "a row for each"),
        (OPERATIONS, "operations = 2 * inputs * outputs", "those of one image"),
        (TIMES, "max(operations / bandwidth, 4 * numbers / peak)", "Exchanged"),
        (TIMES, "max(peak / operations, bandwidth / (4 * numbers))", "Upside down"),
        (TIMES, "operations / (4 * numbers)", "arithmetic intensity"),
        (TIMES, "3 * max(operations / peak, 4 * numbers / bandwidth)", "expected"),
        (TIMES, "(operations / peak, 4 * numbers / bandwidth)", "one number"),
    ],
    "gradient_in_parts": [
        (SHARE, "", "as if the learning rate"),
        (SHARE, "1 / -(-len(x) // most) * ", "What does a part weigh"),
        (SHARE, "most / len(x) * ", "What does a part weigh"),
        (SHARE, "len(x[part]) * ", "it is the sum over the images"),
        (SHARE, "1 / len(x) * ", "times what it should be"),
        (SHARE, "1 / max(len(x) // most, 1) * ", "What does a part weigh"),
        (SHARE, "len(x[part]) ** 2 / len(x) ** 2 * ", "times what it should be"),
        (SHARE, "(1 + first) / len(x) * ", "the numbers are wrong"),
        ("range(0, len(x), most)", "range(0, len(x), most - 1)", "and to no other"),
        ("gradient(x[part], labels[part])", "gradient(x[first], labels[part])", "it is called"),
        ("range(0, len(x), most)", "range(0, len(x) - most + 1, most)", "may be a short one"),
        ("range(0, len(x), most)", "range(0, len(x) + most, most)", "no images"),
        ("total += len", "total = len", "only the last part"),
        ("gradient(x[part], labels[part])", "gradient(x, labels)", "fit into the memory"),
        ("labels[part])", "labels)", "images and"),
        ("labels[part])", "labels[: len(x[part])])", "belong together"),
    ],
}  # fmt: skip
