"""torchvision's AlexNet, narrow enough to be quick."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def narrow_owt(torchvision_models: ModuleType) -> Callable[[int, int], Any]:
    """Makes torchvision's own network for so many classes, with so many units in fc6 and fc7."""
    import torch

    def make(classes: int, units: int) -> Any:
        torch.manual_seed(0)
        with torch.device("meta"):  # no memory and no random numbers for layers that are replaced
            model = torchvision_models.AlexNet(classes)
        model.features.to_empty(device="cpu")
        for name, parameter in model.features.named_parameters():
            torch.nn.init.normal_(parameter, std=0.01 if name.endswith("bias") else 0.05)
        sizes = {1: (9216, units), 4: (units, units), 6: (units, classes)}
        for place, (inputs, outputs) in sizes.items():
            model.classifier[place] = torch.nn.Linear(inputs, outputs)
        return model.eval()

    return make
