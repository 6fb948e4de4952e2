"""Says in plain words when training does not work."""

from __future__ import annotations

import math
from collections import deque

from ..recipe import BY_NAME, Recipe

WINDOW = 100  # losses in the mean: single ones jump about
PATIENCE = 400  # iterations after which a recipe that works has left ln(C)
MARGIN = 0.98  # of ln(C): a loss above this is still chance


class Diverged(RuntimeError):  # noqa: N818  (what happened, as in StopIteration)
    """The loss is not finite; the message says what to do."""


def is_chance(loss: float, classes: int) -> bool:
    """Is the loss what guessing among `classes` gives, ln(C), or worse?"""
    return not loss < MARGIN * math.log(classes)


def own_rate(recipe: Recipe) -> float:
    """The rate of the recipe's preset, or of its optimiser where it has none."""
    preset = BY_NAME.get(recipe.name)
    if preset is None or preset.optimizer != recipe.optimizer:
        return 0.01 if recipe.optimizer == "sgd" else 0.0003
    return preset.lr


def lower_rate(recipe: Recipe) -> float:
    """The rate to try when steps are too large: the preset's own, if the run's is above it."""
    return own if recipe.lr > (own := own_rate(recipe)) else recipe.lr / 3


def see_validation(loss: float, recipe: Recipe) -> None:
    """Raise Diverged if the loss on the validation images is not finite."""
    if not math.isfinite(loss):
        raise Diverged(
            f"The validation loss is {loss}: try a lower rate (--lr {lower_rate(recipe):g})."
        )


class Watchdog:
    """Sees every training loss; `see` returns what there is to say, or None.

    cause: of a loss that is not finite, where it is known; see `not_finite`.
    """

    def __init__(self, recipe: Recipe, classes: int, step: int = 0) -> None:
        self.recipe, self.classes = recipe, classes
        self.step = step
        self.window: deque[float] = deque(maxlen=WINDOW)
        self.warned = False
        self.left = False
        self.cause = ""

    def see(self, loss: float) -> str | None:
        """Take in the loss of the next step. Raises Diverged if it is not finite, unless the recipe
        has such steps skipped."""
        self.step += 1
        if not math.isfinite(loss):
            if self.recipe.on_nan == "skip":  # precision.Skips tells of it
                return None
            raise Diverged(self._diverged(loss))
        self.window.append(loss)
        if self.left or len(self.window) < WINDOW:
            return None
        mean = sum(self.window) / WINDOW
        if not is_chance(mean, self.classes):
            self.left = True
            good = f"The loss has left ln({self.classes}) at step {self.step}."
            return good if self.warned else None  # nobody was worried: nothing to say
        if self.warned or self.step < PATIENCE:
            return None
        self.warned = True
        return self._stuck(mean)

    def _stuck(self, mean: float) -> str:
        chance, lower = math.log(self.classes), lower_rate(self.recipe)
        text = (
            f"After {self.step} iterations the loss has not left ln({self.classes}) = "
            f"{chance:.3f}, what guessing gives (mean of the last {WINDOW}: {mean:.3f}). "
        )
        if self.recipe.init == "paper":
            return text + (
                "The paper's initialisation can stay here for thousands of iterations: "
                "use --recipe small, or --init lsuv with --input-std 64."
            )
        if mean > 1.05 * chance:
            return text + f"It is above chance, so steps are too large: try --lr {lower:g}."
        higher = min(self.recipe.lr * 3, own_rate(self.recipe))
        other = f" or {higher:g}" if higher > self.recipe.lr else ""
        return text + (
            f"Try another rate (--lr {lower:g}{other}), a longer "
            "--warmup-steps, less --dropout-p, and see whether labels and images belong together."
        )

    def _diverged(self, loss: float) -> str:
        return (
            f"The loss is {loss} at step {self.step}: training has blown up. Try a lower rate "
            f"(--lr {lower_rate(self.recipe):g}) or a longer warm-up "
            f"(--warmup-steps {max(100, 2 * self.recipe.warmup_steps)}). {self.cause}".rstrip()
        )
