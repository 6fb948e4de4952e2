"""Recipes: model, input, initialisation, optimiser and schedule of one experiment, fixed together.

They are fixed together because they only work together: weights of 0.01 with biases of 1 presume
raw pixels, another dropout form is another optimisation problem, and so on. The defaults of
`Recipe` are the paper's text (Krizhevsky, Sutskever, Hinton 2012); a preset states what it changes.
"""

from .build import build_average, build_model, shapes_of
from .fields import Recipe
from .groups import build_optimizer, freeze, parameter_groups
from .networks import BY_NAME, NETWORKS
from .option import RecipeError
from .presets import PRESETS, RECIPES

__all__ = [
    "BY_NAME", "NETWORKS", "PRESETS", "RECIPES", "Recipe", "RecipeError", "build_average",
    "build_model", "build_optimizer", "freeze", "parameter_groups", "shapes_of",
]  # fmt: skip
