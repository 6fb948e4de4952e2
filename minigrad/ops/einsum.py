"""Sums of products by Einstein's notation."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence

import numpy as np

from ..core import Tensor
from .elementwise import mul
from .linear import matmul
from .reduce import sum
from .shape import expand, getitem, permute, reshape

__all__ = ["einsum"]

Labelled = tuple[Tensor, str]  # a tensor and a letter for each of its axes


def einsum(equation: str, *operands: Tensor) -> Tensor:
    """Sum of products: "ij,jk->ik" multiplies matrices, "bii->b" sums diagonals. A letter that is
    not after the arrow is summed over; without an arrow the letters that stand once remain, in
    order; "..." are the axes without a letter, which broadcast.

    Operands are joined pair by pair, in the order that `np.einsum_path` plans, each by one matrix
    product.
    """
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], Sequence) else operands
    if not isinstance(equation, str) or not all(isinstance(t, Tensor) for t in tensors):
        raise TypeError('einsum: expected an equation and tensors, as in einsum("ij,jk->ik", a, b)')
    inputs, output = _letters(equation, [t.ndim for t in tensors])
    terms = [_diagonal(t, letters) for t, letters in zip(tensors, inputs, strict=True)]
    terms = _same_sizes(terms, equation)
    for step in _plan(terms, output):
        taken = [terms.pop(i) for i in sorted(step, reverse=True)][::-1]
        while len(taken) > 1:
            later = "".join(letters for _, letters in (*taken[2:], *terms))
            taken[:2] = [_join(taken[0], taken[1], output + later)]
        terms += taken
    tensor, letters = _summed(terms[0], output)
    return permute(tensor, [letters.index(i) for i in output])


def _letters(equation: str, ndims: list[int]) -> tuple[list[str], str]:
    """The letters of each operand's axes and of the result's, those for "..." made up."""
    given, arrow, output = equation.replace(" ", "").partition("->")
    inputs = given.split(",")
    if not all(re.fullmatch(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*", part) for part in (*inputs, output)):
        raise ValueError(f"einsum: {equation!r} may hold letters, commas, one '->' and '...'")
    if len(inputs) != len(ndims):
        raise ValueError(f"einsum: {equation!r} names {len(inputs)} operands, got {len(ndims)}")
    free = [i for i in string.ascii_letters if i not in equation]
    widest = 0
    for place, (part, ndim) in enumerate(zip(inputs, ndims, strict=True)):
        named = len(part.replace("...", ""))
        rest = ndim - named
        if rest < 0 or (rest and "..." not in part):
            raise ValueError(f"einsum: {part!r} of {equation!r} names {named} axes, got {ndim}")
        inputs[place] = part.replace("...", "".join(free[:rest][::-1]))  # aligned from the right
        widest = max(widest, rest)
    unnamed = "".join(free[:widest][::-1])
    if not arrow:
        all_letters = "".join(inputs)
        once = sorted(i for i in set(all_letters) - set(unnamed) if all_letters.count(i) == 1)
        return inputs, unnamed + "".join(once)
    output = output.replace("...", unnamed)
    if len(set(output)) != len(output) or not set(output) <= set("".join(inputs)):
        raise ValueError(
            f"einsum: the result of {equation!r} repeats a letter or has one that no operand has"
        )
    return inputs, output


def _diagonal(tensor: Tensor, letters: str) -> Labelled:
    """A letter that stands twice takes the diagonal of its axes, which comes first."""
    for letter in dict.fromkeys(letters):
        axes = [i for i, other in enumerate(letters) if other == letter]
        if len(axes) > 1:
            sizes = {tensor.shape[i] for i in axes}
            if len(sizes) > 1:
                raise ValueError(f"einsum: letter {letter!r} stands for sizes {sorted(sizes)}")
            rest = [i for i in range(tensor.ndim) if i not in axes]
            steps = np.arange(sizes.pop())
            tensor = getitem(permute(tensor, axes + rest), (steps,) * len(axes))
            letters = letter + "".join(letters[i] for i in rest)
    return tensor, letters


def _same_sizes(terms: list[Labelled], equation: str) -> list[Labelled]:
    """Axes of size 1 broadcast to the size that their letter has elsewhere."""
    sizes: dict[str, int] = {}
    for tensor, letters in terms:
        for letter, n in zip(letters, tensor.shape, strict=True):
            known = sizes.setdefault(letter, n)
            if known != n and 1 not in (known, n):
                raise ValueError(
                    f"einsum: a letter of {equation!r} stands for sizes {known} and {n}, in "
                    f"shapes {[t.shape for t, _ in terms]}"
                )
            sizes[letter] = n if known == 1 else known
    wide = [tuple(sizes[letter] for letter in letters) for _, letters in terms]
    return [
        (t if t.shape == shape else expand(t, shape), letters)
        for (t, letters), shape in zip(terms, wide, strict=True)
    ]


def _plan(terms: list[Labelled], output: str) -> list[tuple[int, ...]]:
    """Which terms are joined in turn, until one is left; what is joined goes to the end."""
    if len(terms) < 3:
        return [tuple(range(len(terms)))]
    equation = ",".join(letters for _, letters in terms) + "->" + output
    shapes = [np.broadcast_to(np.float32(0), t.shape) for t, _ in terms]
    return list(np.einsum_path(equation, *shapes, optimize="greedy")[0][1:])


def _summed(term: Labelled, kept: str) -> Labelled:
    """The sum over the axes whose letters are not in `kept`."""
    tensor, letters = term
    over = tuple(i for i, letter in enumerate(letters) if letter not in kept)
    if not over:
        return term
    return sum(tensor, over), "".join(i for i in letters if i in kept)


def _join(first: Labelled, second: Labelled, wanted: str) -> Labelled:
    """One matrix product: letters of both are its batch if they are wanted later, else summed."""
    a, left = _summed(first, wanted + second[1])
    b, right = _summed(second, wanted + first[1])
    batch = [i for i in left if i in right and i in wanted]
    over = [i for i in left if i in right and i not in wanted]
    rows = [i for i in left if i not in right]
    columns = [i for i in right if i not in left]
    if not over:  # nothing to sum: the product of each with each
        a = _arranged(a, left, [*batch, *rows], [1] * len(columns))
        b = _arranged(b, right, batch, [1] * len(rows), columns)
        return mul(a, b), "".join([*batch, *rows, *columns])
    sizes = dict(zip(left + right, a.shape + b.shape, strict=True))
    counts = [math.prod(sizes[i] for i in part) for part in (batch, rows, over, columns)]
    a = reshape(_arranged(a, left, [*batch, *rows, *over]), counts[0], counts[1], counts[2])
    b = reshape(_arranged(b, right, [*batch, *over, *columns]), counts[0], counts[2], counts[3])
    letters = "".join([*batch, *rows, *columns])
    return reshape(matmul(a, b), [sizes[i] for i in letters]), letters


def _arranged(
    tensor: Tensor, letters: str, order: list[str], ones: Sequence[int] = (),
    last: Sequence[str] = (),
) -> Tensor:  # fmt: skip
    """The axes in the order of letters, with axes of size 1 between `order` and `last`."""
    moved = permute(tensor, [letters.index(i) for i in (*order, *last)])
    middle = len(order)
    return reshape(moved, (*moved.shape[:middle], *ones, *moved.shape[middle:]))
