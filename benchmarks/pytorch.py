"""AlexNet and its training step in PyTorch, to compare with. PyTorch is imported when asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any


def torch_step(
    model: Any, images: Any, labels: Any, autocast: Any = None, scaler: Any = None
) -> Callable[[], Any]:
    """The same step as `alexnet_scratch.bench.TrainingStep`, in PyTorch.

    autocast makes the context of forward, scaler is a GradScaler: both for mixed precision.
    """
    import torch

    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4)

    def step() -> Any:
        optimizer.zero_grad()
        with autocast() if autocast else nullcontext():
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        return loss.detach()

    return step


def torch_alexnet(variant: str, classes: int, dropout: float = 0.5) -> Any:
    """The network in PyTorch with the parameter names of `AlexNet`, ReLU in place."""
    from torch import nn

    def relu() -> Any:
        return nn.ReLU(inplace=True)

    def lrn() -> Any:
        return nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0)  # PyTorch divides by 5

    if variant == "one-tower":
        features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), relu(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, 1, 2), relu(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, 1, 1), relu(), nn.Conv2d(384, 256, 3, 1, 1), relu(),
            nn.Conv2d(256, 256, 3, 1, 1), relu(), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(256 * 6 * 6, 4096), relu(),
            nn.Dropout(dropout), nn.Linear(4096, 4096), relu(), nn.Linear(4096, classes),
        )  # fmt: skip
        return nn.Sequential(OrderedDict(
            features=features, avgpool=nn.AdaptiveAvgPool2d(6), flatten=nn.Flatten(),
            classifier=classifier,
        ))  # fmt: skip
    return nn.Sequential(OrderedDict(
        conv1=nn.Conv2d(3, 96, 11, 4, 2), relu1=relu(), lrn1=lrn(), pool1=nn.MaxPool2d(3, 2),
        conv2=nn.Conv2d(96, 256, 5, 1, 2, groups=2), relu2=relu(), lrn2=lrn(),
        pool2=nn.MaxPool2d(3, 2),
        conv3=nn.Conv2d(256, 384, 3, 1, 1), relu3=relu(),
        conv4=nn.Conv2d(384, 384, 3, 1, 1, groups=2), relu4=relu(),
        conv5=nn.Conv2d(384, 256, 3, 1, 1, groups=2), relu5=relu(), pool5=nn.MaxPool2d(3, 2),
        flatten=nn.Flatten(),
        fc6=nn.Linear(256 * 6 * 6, 4096), relu6=relu(), drop6=nn.Dropout(dropout),
        fc7=nn.Linear(4096, 4096), relu7=relu(), drop7=nn.Dropout(dropout),
        fc8=nn.Linear(4096, classes),
    ))  # fmt: skip
