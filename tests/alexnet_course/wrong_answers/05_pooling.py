"""Notebook 05: edits that make the solution wrong, and words of the hint that each must get."""

SHAPE = "rows, columns = ((length - size) // stride + 1 for length in x.shape)"
TAPS = "    for u in range(size):\n        for v in range(size):\n"
RETURN = "    return y, winners"
PLACE = "dx[i * stride + u, j * stride + v]"
VIEW = (
    "    view = np.lib.stride_tricks.sliding_window_view(x, (size, size))[::stride, ::stride]\n"
    "    view = view.reshape(*view.shape[:2], -1)\n"
)
WHOLE = "dx[i * stride : i * stride + size, j * stride : j * stride + size]"
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
        ("winners[better] = u * size + v", "winners[better] = u * size + v + 1", "counted from 1"),
        ("winners[better] = u * size + v", "winners[better] = u * 2 + v",
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
        (RETURN, "    return y.ravel(), winners.ravel()", "in one row"),
        (RETURN, VIEW + "    return view.mean(2), winners", "the mean of each window"),
        (RETURN, VIEW + "    return view.sum(2), winners", "the sum of each window"),
        (RETURN, VIEW + "    return view.min(2), winners", "the smallest of each window"),
        (RETURN, VIEW + "    return abs(view).max(2), winners", "signs count"),
        (TAPS, "    rows_of, stride = x.shape, 1\n" + TAPS, "windows move by one pixel"),
        (RETURN, "    i, j = np.indices(y.shape)\n    u, v = divmod(winners, size)\n"
         "    return y, (i * stride + u) * x.shape[1] + j * stride + v", "in the whole map"),
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
        (PLACE, WHOLE, "only the one that won"),
        (PLACE + " += grad[i, j]", WHOLE + " += grad[i, j] / size**2", "the backward of a mean"),
        ("+= grad[i, j]", "+= 1", "counts the windows"),
        ("+= grad[i, j]", "-= grad[i, j]", "is subtracted"),
        ("+= grad[i, j]", "+= abs(grad[i, j])", "lost their signs"),
        (PLACE + " += grad[i, j]", PLACE + f" = max({PLACE}, grad[i, j])", "largest gradient"),
        ("divmod(winners[i, j], size)\n        " + PLACE,
         "divmod(winners[i, j], shape[1])\n        dx[u, v]", "within its window"),
        (PLACE, "dx[i * size + u, j * size + v]", "wrong pixels"),
        (PLACE, "dx[j * stride + u, i * stride + v]", "it stops with IndexError"),
        ("+= grad[i, j]", "+= grad[i, j] / 2", "do not add up"),
        ("np.zeros(shape)", "np.zeros(shape, int)", "dtype float"),
        ("    return dx", "    return dx.T", "expected (6, 8)"),
        (PLACE, "dx[min(i * stride, 1) + u, j * stride + v]", "wrong pixels"),
        ("u, v = divmod(", "v, u = divmod(", "wrong pixels"),
        ("    return dx", "    dx.sum()", "is there a `return`"),
    ],
    "largest_gradient": [
        ("= 4, 0.2", "= 1, 0.2", "gets the sum"),
        ("= 4, 0.2", "= 2, 0.2", "edge between two"),
        ("= 4, 0.2", "= 9, 0.2", "all nine"),
        ("= 4, 0.2", "= 3, 0.2", "one, two or four"),
        ("= 4, 0.2", "= 0.25, 0.2", "its whole 1"),
        ("= 4, 0.2", "= 2.25, 0.2", "mean number"),
        ("= 4, 0.2", "= 0, 0.2", "may one pixel win"),
        ("= 4, 0.2", "= 16, 0.2", "at most"),
    ],
    "windows_with_a_tie": [
        ("= 4, 0.2", "= 4, 50", "share of zeros"),
        ("= 4, 0.2", "= 4, 11", "one in nine"),
        ("= 4, 0.2", "= 4, 100", "between the largest"),
        ("= 4, 0.2", "= 4, 25", "two zeros"),
        ("= 4, 0.2", "= 4, 5", "Far fewer"),
        ("= 4, 0.2", "= 4, 80", "Far fewer"),
    ],
}  # fmt: skip
