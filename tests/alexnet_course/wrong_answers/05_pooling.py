"""Notebook 05: edits that make the solution wrong, and words of the hint that each must get."""

SHAPE = "rows, columns = ((length - size) // stride + 1 for length in x.shape)"
TAPS = "    for u in range(size):\n        for v in range(size):\n"
RETURN = "    return y, winners"
PLACE = "dx[i * stride + u, j * stride + v]"
WRONG = {
    "pool_forward": [
        ("tap > y", "tap >= y", "the last one wins"),
        (TAPS, "    for v in range(size):\n        for u in range(size):\n",
         "tap 3 wins, expected 1"),
        (TAPS, TAPS.replace("v in range(size)", "v in reversed(range(size))"),
         "tap 5 wins, expected 3"),
        ("np.full((rows, columns), -np.inf)", "np.zeros((rows, columns))", "-infinity"),
        ("np.full((rows, columns), -np.inf)", "np.full((rows, columns), -999)", "dtype float"),
        ("tap > y", "tap > y + 5", "which pixels does window"),
        ("winners[better] = u * size + v", "winners[better] = v * size + u", "along the rows"),
        ("winners[better] = u * size + v", "winners[better] = u * size + v + 1",
         "y is right and the winners are not"),
        ("(length - size) // stride + 1", "(length - size + 1) // stride", "must still fit"),
        # A window that hangs over the edge, where columns are left over:
        (SHAPE, "rows, columns = (-(-(length - size) // stride) + 1 for length in x.shape)",
         "size 3 and stride 2, it stops with"),
        (SHAPE, "rows, columns = (round((length - size) / stride) + 1 for length in x.shape)",
         "size 3 and stride 2, it stops with"),
        (SHAPE, "rows, columns = (length // stride - size // stride + 1 for length in x.shape)",
         "it stops with"),
        (SHAPE, "rows = columns = (x.shape[0] - size) // stride + 1", "likewise (W - size)"),
        (TAPS, f"    stride = 2\n{TAPS}", "stride 3, y["),
        (RETURN, "    return winners, y", "y comes second"),
        (RETURN, "    return y", "two things, in this order"),
        (RETURN, "    return y, np.stack(divmod(winners, size), 2)", "winners has shape (3, 4, 2)"),
        (RETURN, "    return y, [row[: i + 1] for i, row in enumerate(winners.tolist())]",
         "not equally long"),
        (RETURN, "    return y, winners.astype(str)", "it should hold numbers"),
    ],
    "pool_backward": [
        ("] += grad[i, j]", "] = grad[i, j]", "must be added"),
        (PLACE, "dx[i * stride + v, j * stride + u]", "wrong pixels"),
        (PLACE, "dx[i * 2 + u, j * 2 + v]", "wrong pixels"),
        (PLACE, "dx[i + u, j + v]", "wrong pixels"),
        (PLACE, "dx[j * stride + u, i * stride + v]", "it stops with IndexError"),
        ("+= grad[i, j]", "+= grad[i, j] / 2", "do not add up"),
        ("np.zeros(shape)", "np.zeros(shape, int)", "dtype float"),
        ("    return dx", "    return dx.T", "expected (6, 8)"),
    ],
}  # fmt: skip
