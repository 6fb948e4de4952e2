"""What a run trains with: its data, its network, and all that changes its weights."""

from __future__ import annotations

from typing import Any, cast

import minigrad as mg
from minigrad import arrays, nn
from minigrad.arrays import Array
from minigrad.data import DataLoader
from minigrad.random import default_generator

from ..network import Network
from ..pixels import ToInput
from ..recipe import Recipe, build_average, build_optimizer, freeze
from .begin import check_same_data, measured, new_model
from .checkpoint import Checkpoint, contents
from .feed import Feed
from .folder import RunError
from .input import Splits, pinned_for, train_loader
from .log import Log
from .position import Position
from .precision import chosen_precision, scaler_for
from .schedule import RecipeLR
from .transfer import Pretrained


class Parts:
    """Built from a recipe, as new or as a checkpoint left them; see `Trainer` for the arguments.

    at: where the run stands. weights: the parameter group whose rate is reported.
    average: of the weights, an update a step; None for a recipe without. loaded: what a new run has
    of another one's weights. resting: batch normalisation of frozen layers.
    """

    def __init__(
        self, recipe: Recipe, splits: Splits, data: dict[str, Any], log: Log, device: str,
        workers: int, precision: str | None, resume: Checkpoint | None, accept_changed_data: bool,
        micro_batch: int | None = None, source: Pretrained | None = None,
    ) -> None:  # fmt: skip
        self.recipe, self.splits, self.data = recipe, splits, data
        self.device = arrays.parse_device(device)
        saved = resume.position.precision if resume else None
        self.precision = chosen_precision(precision, saved, self.device)

        if micro_batch is None:
            micro_batch = resume.position.micro_batch if resume else 0
        micro_batch = micro_batch if micro_batch < recipe.batch_size else 0

        self.loader = train_loader(splits.train, recipe, workers, device=self.device)
        self.val_loader = DataLoader(
            splits.val, micro_batch or recipe.batch_size, num_workers=workers,
            **pinned_for(self.device),
        )  # fmt: skip
        self.feed, self.val_feed = (Feed(it, log) for it in (self.loader, self.val_loader))
        self.pixels = resume.pixels if resume else measured(recipe, splits, source)
        self.to_input = ToInput(recipe, self.pixels, self.device)

        mg.manual_seed(recipe.seed)
        new = (recipe, splits.classes, self.feed, self.pixels, source)
        self.model, self.loaded = (
            (resume.model(averaged=False), None) if resume else new_model(*new)
        )
        self.model.to(self.device)
        self.resting = freeze(self.model, recipe)
        self.average = build_average(self.model, recipe)
        self.optimizer = build_optimizer(self.model, recipe)
        names = [group["name"] for group in self.optimizer.param_groups]
        # Where each layer that learns has a rate of its own, the first one's is reported.
        self.weights = names.index("weights") if "weights" in names else 0
        self.schedule = RecipeLR(self.optimizer, recipe, len(self.loader))
        self.scaler = scaler_for(self.precision, recipe)
        self.at = Position()
        if resume:
            other = check_same_data(resume, splits, data, accept_changed_data)
            if other:
                log.say(f"Going on with other data than before: {other}.")
            self._restore(resume)
        self.at.precision = self.precision
        self.at.micro_batch = micro_batch
        self._check_micro_batch()

    @property
    def rate(self) -> float:
        """Of the next step."""
        return self.schedule.get_last_lr()[self.weights]

    @property
    def tested(self) -> Network:
        """The network that is validated: with the averaged weights, where there are such."""
        return cast(Network, self.average.module) if self.average else self.model

    def train_mode(self) -> None:
        """The network as it trains: dropout is on, also behind frozen layers, since it acts on what
        the others learn from; frozen batch normalisation goes on as in evaluation."""
        self.model.train()
        for module in self.resting:
            module.eval()

    def contents(self) -> tuple[dict[str, Array], dict[str, str]]:
        """What a checkpoint holds now, see `checkpoint.contents`."""
        self.at.schedule, self.at.scaler = self.schedule.state_dict(), self.scaler.state_dict()
        self.at.generator = list(default_generator.state)
        return contents(
            self.model, self.optimizer, self.recipe, self.splits.classes, self.data, self.at,
            self.pixels, self.average and self.average.module,
        )  # fmt: skip

    @property
    def sees_whole_batches(self) -> bool:
        """Does what the network computes of an image depend on the others of its batch?"""
        return any(
            isinstance(module, nn.BatchNorm2d) and module not in self.resting
            for module in self.model.modules()
        )

    def _check_micro_batch(self) -> None:
        """RunError for parts of a batch, or batches of one image, where a network sees it whole."""
        images, whole = len(self.splits.train), self.recipe.batch_size
        if self.sees_whole_batches and self.recipe.model != "alexnet" and images % whole == 1:
            raise RunError(
                f"of {images:,} training images in batches of {whole} the last batch has one, and "
                "batch normalisation of maps of one pixel compares images: give another "
                "--batch-size"
            )
        if self.sees_whole_batches and self.at.micro_batch:
            raise RunError(
                f"--micro-batch {self.at.micro_batch}: batch normalisation takes its mean over all "
                "images that are computed together, so that parts are other batches: leave it "
                "out, or give a smaller --batch-size"
            )

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Everything but the weights, which are in place already."""
        self.at = checkpoint.position
        checkpoint.restore(self.optimizer, self.model)
        if self.average:
            self.average.module.load_state_dict(checkpoint.model().state_dict())
            self.average.n_averaged.data[...] = self.at.step
        self.schedule.load_state_dict(self.at.schedule)
        if self.at.scaler:
            self.scaler.load_state_dict(self.at.scaler)
        default_generator.state = (self.at.generator[0], self.at.generator[1])
