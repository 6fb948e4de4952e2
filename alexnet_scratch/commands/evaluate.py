"""`alexnet evaluate`: what a trained network is worth."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from minigrad import backend
from minigrad.data import DataLoader

from ..data import DataError, ImageFolder, find_splits, patterns
from ..evaluation import evaluate
from ..training.checkpoint import Checkpoint, find_checkpoint, load_checkpoint
from ..training.input import open_splits, test_transform
from .common import add_device_flags


def add_parser(commands: Any) -> None:
    """The flags of `alexnet evaluate`."""
    parser = commands.add_parser(
        "evaluate",
        help="top-1 and top-5 of a trained network",
        description="Loss, top-1 and top-5 on central crops of the run's validation images, or of "
        "another data set with the same classes.",
    )
    parser.add_argument("run", metavar="RUN", help="run folder, or a checkpoint in it [its best]")
    parser.add_argument("data", metavar="DATA", nargs="?", help="folder [the run's own]")
    add_device_flags(parser)
    parser.set_defaults(command=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(find_checkpoint(options.run))
    device = backend.parse_device(options.device)
    dataset, name = _evaluation_data(options.data, checkpoint)
    model = checkpoint.model()
    model.to(device)
    loader = DataLoader(dataset, checkpoint.recipe.batch_size, num_workers=options.workers)
    with closing(loader.batches(0)) as batches:  # type: ignore[type-var]
        try:
            scores = evaluate(model, batches, checkpoint.recipe, device)
        except ValueError as error:
            raise DataError(f"{name}: no image can be read") from error
    for skipped in loader.skipped:
        print(f"Skipped, cannot be read: {skipped.reason}", file=sys.stderr)
    epoch = checkpoint.position.epoch
    print(f"{scores.line()}\n{checkpoint.path}, after epoch {epoch}, on {name}")
    return 0


def _evaluation_data(data: str | None, checkpoint: Checkpoint) -> tuple[Any, str]:
    """The images to evaluate on, and their name.

    The run's own validation images without DATA. Another data set's validation folder, or all of
    it where it has none: none of it was trained on.
    """
    recipe, root = checkpoint.recipe, checkpoint.data["root"]
    own = data is None or (root is not None and Path(data).resolve() == Path(root))
    if own:
        folder = root or patterns.ensure()
        splits = open_splits(folder, recipe)
        dataset, classes, name = splits.val, splits.classes, f"the validation images of {folder}"
    else:
        train, val = find_splits(str(data))
        images = ImageFolder(val or train, test_transform(recipe), recipe.image_size)
        dataset, classes, name = images, images.classes, str(val or train)
    if classes != checkpoint.classes:
        missing = [c for c in checkpoint.classes if c not in classes]
        unknown = [c for c in classes if c not in checkpoint.classes]
        raise DataError(
            f"{name}: not the classes that {checkpoint.path} was trained on"
            + f"; missing: {', '.join(missing[:5])}" * bool(missing)
            + f"; unknown: {', '.join(unknown[:5])}" * bool(unknown)
            + "; give a data set with the same class folders"
        )
    return dataset, name
