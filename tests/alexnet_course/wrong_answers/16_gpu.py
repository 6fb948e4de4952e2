"""Notebook 16: edits that make the solution wrong, and words of the hint that each must get."""

SCATTER = """
    if i >= grad.size:
        return
    y, x = divmod(i, grad.shape[1])
    u, v = divmod(winners[y, x], size)
    dx[(y * stride + u) * width + x * stride + v] += grad[y, x]
"""
EVERY_WINDOW = """
    row, column = divmod(i, width)
    total = 0.0
    for y in range(grad.shape[0]):
        for x in range(grad.shape[1]):
            u, v = row - y * stride, column - x * stride
            if ASKED:
                total += grad[y, x]
    dx[i] = total
"""
BOTH = "0 <= u < size and 0 <= v < size and winners[y, x] == u * size + v"


def _windows(asked, *edits):
    """The solution, replaced by a thread that asks every window."""
    text = EVERY_WINDOW.replace("ASKED", asked)
    for old, new in edits:
        text = text.replace(old, new)
    return "    dx[i] = total", "    dx[i] = 0.0" + text


WRONG = {
    "lost_in": [
        ("lost_in = 4", "lost_in = 0", "It is two"),
        ("lost_in = 4", "lost_in = 1", "the common case"),
        ("lost_in = 4", "lost_in = 2", "the other way round"),
        ("lost_in = 4", "lost_in = 3", "Take each order"),
        ("lost_in = 4", "lost_in = 6", "nothing is lost"),
        ("lost_in = 4", "lost_in = 24", "six orders"),
    ],
    "suspect": [
        ('suspect = "b"', 'suspect = "a"', "A race shows"),
        ('suspect = "b"', 'suspect = "c"', "not a sum"),
        ('suspect = "b"', 'suspect = "d"', "without a thread"),
    ],
    "elements": [
        ("-(-n // block_dim)", "n // block_dim", "Divide and round up"),
        ("-(-n // block_dim)", "n // block_dim + 1", "one block too many"),
        ("min(-(-n // block_dim), most_blocks)", "-(-n // block_dim)", "more than most_blocks"),
        ("thread, n, block", "thread, max(n, blocks * block_dim), block", "keeps them from it"),
        ("n, block_dim * blocks)", "n, block_dim)", "by more than one thread"),
        ("n, block_dim * blocks)", "n, n)", "after its first element"),
        ("block * block_dim + thread, n", "thread * blocks + block, n", "neighbouring elements"),
        (", block_dim * blocks))", ", block_dim * blocks))[::-1]", "goes upwards"),
        (
            "list(range(block * block_dim + thread, n, block_dim * blocks))",
            "[i] if (i := block * block_dim + thread) < n else []",
            "after its first element",
        ),
        ("for block in range(blocks)", "for block in range(1, blocks + 1)", "expected 0 to"),
        ("for thread in range(block_dim)", "for thread in range(min(block_dim, n))", "Idle ones"),
        ("(block, thread): list", "(thread, block): list", "the block comes first"),
        ("min(-(-n // block_dim), most_blocks)", "most_blocks", "most_blocks is a limit"),
        ("(block, thread): list", "block: list", "keys are pairs"),
        ("(block, thread): list", "(block, thread, n): list", "keys are pairs"),
        ("list(range(block * block_dim + thread, n, block_dim * blocks))", "thread", "are lists"),
    ],
    "pool_backward_thread": [
        ("dx[i] = total", "dx[i] += total", "+= reads, too"),
        ("dx[i] = total", "dx[0] = total", "belongs to thread 0"),
        ("dx[i] = total", "dx[row, column] = total", "one row of numbers"),
        ("dx[i] = total", "dx[i] = total if total else dx[i]", "+= reads, too"),
        ("    dx[i] = total", "    if total:\n        dx[i] = total", "writes nothing"),
        ("total += grad[y, x]", "total = grad[y, x]", "a pixel can win several"),
        ("total += grad[y, x]", "total = total or grad[y, x]", "a pixel can win several"),
        ("if winners[y, x] == u * size + v:", "if True:", "Only the winner"),
        ("u * size + v", "v * size + u", "rows first"),
        ("(row - u) % stride or not 0 <= y", "not 0 <= y", "multiple of stride"),
        ("(column - v) % stride or not 0 <= x", "not 0 <= x", "multiple of stride"),
        (" or not 0 <= y < grad.shape[0]", "", "check both ends"),
        (" or not 0 <= x < grad.shape[1]", "", "check both ends"),
        ("dx[i] = total", "dx[i] = 2 * total", "with a wrong number"),
        ("dx[i] = total", "dx[i] = grad[0, 0] = total", "changes grad"),
        ("dx[i] = total", "dx[i] = total; winners[0, 0] = 1", "changes winners"),
        ("dx[i] = total", "dx.reshape(-1, width)[row, column] = total", "no dx.reshape"),
        ("dx[i] = total", "dx[-1] = total", "which is outside"),
        ("total += grad[y, x]", "total += 1", "you count the windows"),
        (
            [
                ("total = 0.0", "shares = []"),
                ("total += grad[y, x]", "shares.append(grad[y, x])"),
                ("dx[i] = total", "dx[i] = max(shares, default=0)"),
            ],
            "not the largest",
        ),
        ("winners[y, x] == u * size + v", "winners[y, x] == i", "the number of a pixel"),
        (
            [
                ("y = (row - u) // stride", "y = row - u"),
                ("x = (column - v) // stride", "x = column - v"),
                ("(row - u) % stride or not", "not"),
                ("(column - v) % stride or not", "not"),
            ],
            "Solve it for y",
        ),
        ("    dx[i] = total", "    return total", "returns a number"),
        ("    dx[i] = total", "    dx[i : i + 1] = total", "not a piece of dx"),
        (
            [
                ("total += grad[y, x]", "dx[i] += grad[y, x]"),
                ("    dx[i] = total", ""),
            ],
            "+= reads, too",
        ),
        (*_windows("winners[y, x] == u * size + v"), "do not lie in"),
        (*_windows(BOTH.replace(" and 0 <= v < size", "")), "do not lie in"),
        (*_windows(BOTH.replace("< size", "<= size")), "one too many"),
        (*_windows("winners[y, x] == i"), "the number of a pixel"),
        (*_windows(BOTH, ("row, column =", "column, row =")), "what do i // width"),
        (*_windows(BOTH, ("stride", "2"), ("size", "3")), "only one case"),
        ("    dx[i] = total", SCATTER, "ask which windows could"),
    ],
}
