"""Train the same recipe on the same batches in PyTorch: the twin of an `alexnet train`.

    python benchmarks/twin.py DATA --recipe small --epochs 20 --out runs/imagenette-small-torch
    python benchmarks/twin.py --resume runs/imagenette-small-torch

Everything but the computation is `alexnet train`'s own: the flags, the images and their order,
crops and flips, the first weights, the rate of each step, the average of the weights, and the files
of the run's folder, which `alexnet evaluate` reads. Forward, backward and update are PyTorch's, and
so is the validation. The two networks share the memory of their weights. Dropout is drawn by
PyTorch's generator, and noise on colours is another from the second step on, as ours follows on
dropout's draws: runs agree like two seeds, not to the bit; without dropout a step agrees to
rounding.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from twin_network import torch_network

import minigrad as mg
from alexnet_scratch.cli import main as alexnet
from alexnet_scratch.commands.train import add_flags
from alexnet_scratch.evaluation import count_in_top
from alexnet_scratch.mixing import drawn_mix
from alexnet_scratch.model import AlexNet
from alexnet_scratch.parser import Parser
from alexnet_scratch.pixels import colour_alphas
from alexnet_scratch.recipe import RecipeError
from alexnet_scratch.training.batch import Batch
from alexnet_scratch.training.trainer import Trainer
from minigrad import Tensor

F = nn.functional


# ----- the update -----


class PaperSGD(torch.optim.Optimizer):
    """SGD with the rate inside the velocity: v = momentum v - lr (g + decay w), w = w + v."""

    def __init__(self, groups: Any, momentum: float) -> None:
        super().__init__(groups, {"momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """One step."""
        for group in self.param_groups:
            for w in group["params"]:
                if "momentum_buffer" not in self.state[w]:
                    self.state[w]["momentum_buffer"] = torch.zeros_like(w)
                v = self.state[w]["momentum_buffer"]
                v.mul_(group["momentum"]).add_(w.grad, alpha=-group["lr"])
                w.add_(v.add_(w, alpha=-group["lr"] * group["weight_decay"]))


def torch_optimizer(optimizer: mg.optim.Optimizer, of: dict[int, Any]) -> torch.optim.Optimizer:
    """The same rule in PyTorch. of: PyTorch's parameters by the id of ours."""
    groups = [
        {
            "params": [of[id(p)] for p in group["params"]],
            "lr": group["lr"], "weight_decay": group["weight_decay"],
        }
        for group in optimizer.param_groups
    ]  # fmt: skip
    first = optimizer.param_groups[0]
    if isinstance(optimizer, mg.optim.Adam):
        kind = torch.optim.AdamW if isinstance(optimizer, mg.optim.AdamW) else torch.optim.Adam
        return kind(groups, betas=tuple(first["betas"]), eps=first["eps"])
    if first["rule"] == "paper":
        return PaperSGD(groups, first["momentum"])
    return torch.optim.SGD(groups, momentum=first["momentum"])


# ----- the run -----


class Twin(Trainer):
    """A run whose forward, backward, update and validation are PyTorch's."""

    framework = f"PyTorch {torch.__version__}"
    called = ("python", "benchmarks/twin.py")

    def __init__(self, *arguments: Any, **how: Any) -> None:
        super().__init__(*arguments, **how)
        if self.at.micro_batch:
            raise RecipeError("the twin computes whole batches: leave out --micro-batch")
        if self.device != "cpu" or self.precision != "float32" or self.recipe.on_nan != "stop":
            raise RecipeError(
                f"the twin trains on the CPU in float32 and stops at NaN, got {self.device}, "
                f"{self.precision}, on_nan {self.recipe.on_nan}: leave those flags out"
            )
        torch.set_num_threads(mg.get_num_threads())
        torch.manual_seed((self.recipe.seed << 32) % 2**63 + self.at.step)
        self.network = torch_network(self.model)
        self.averaged = torch_network(self.tested) if self.average else None
        theirs = dict(self.network.named_parameters())
        of = {id(p): theirs[name] for name, p in self.model.named_parameters()}
        for name, p in self.model.named_parameters():
            theirs[name].requires_grad_(p.requires_grad)
        self.update = torch_optimizer(self.optimizer, of)
        self._share_state()

    def _step(self, images: Tensor, labels: Tensor, places: Tensor) -> None:
        count = len(labels.data)
        alphas = colour_alphas(self.recipe, self.at.epoch, count)
        mix = drawn_mix(self.recipe, self.at.step, count)
        batch = Batch(images.data, labels.data, places.data, alphas, mix)
        whole = slice(0, count)
        x = torch.from_numpy(batch.input(self.to_input, whole).data)
        self._train_network()
        logits = self.network(x)
        targets = torch.from_numpy(batch.targets(Tensor(logits.detach().numpy()), whole))
        loss = F.cross_entropy(logits, targets, label_smoothing=self.recipe.label_smoothing)
        right = count_in_top(logits.detach().numpy(), labels.data, 1)
        self.tally.totals.add(loss.detach().numpy(), right, count)
        self.update.zero_grad()
        loss.backward()
        self.at.lr = self.rate
        for own, group in zip(self.optimizer.param_groups, self.update.param_groups, strict=True):
            group["lr"] = own["lr"]
        if self.recipe.clip:
            norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
            self.tally.grad_norm = norm.numpy()
        self.update.step()
        if self.average:  # of the memory that both networks share
            self.average.update_parameters(self.model)
        self.schedule.step()
        self.at.step += 1

    def _train_network(self) -> None:
        """As `train_mode` does it."""
        self.network.train()
        for name, module in self.model.named_modules():
            if module in self.resting:
                self.network.get_submodule(name).eval()

    def _validate(self) -> Any:
        with _by(self.tested, self.averaged or self.network):
            return super()._validate()

    def contents(self) -> Any:
        """What a checkpoint holds now, PyTorch's velocities in the optimiser's place."""
        for index, theirs in enumerate(self._parameters()):
            self.optimizer.state[index] = {
                key: int(value) if key == "step" else value.numpy()
                for key, value in self.update.state.get(theirs, {}).items()
            }
        return super().contents()

    def _share_state(self) -> None:
        """Go on with the velocities of a checkpoint."""
        for index, theirs in enumerate(self._parameters()):
            for key, value in self.optimizer.state.get(index, {}).items():
                if key == "step":
                    state = torch.tensor(float(value))
                else:
                    state = torch.empty_like(theirs).detach()
                    state.copy_(torch.from_numpy(np.array(value)))
                self.update.state[theirs][key] = state

    def _parameters(self) -> list[Any]:
        """In the order in which the optimisers count them."""
        return [p for group in self.update.param_groups for p in group["params"]]


@contextmanager
def _by(model: AlexNet, network: nn.Module) -> Iterator[None]:
    """Let PyTorch compute what the model is asked for."""

    def forward(x: Tensor) -> Tensor:
        with torch.no_grad():
            return Tensor(network(torch.from_numpy(x.data)).numpy())

    training = network.training
    network.eval()
    model.forward = forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        del model.forward
        network.train(training)


def main() -> int:
    """Train; the exit status is that of `alexnet train`."""
    parser = Parser(
        prog=" ".join(Twin.called), description=__doc__,
        usage="python benchmarks/twin.py [DATA] --out RUN [flags of alexnet train]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_flags(parser)
    parser.set_defaults(trainer=Twin)
    return alexnet(parser=parser)


if __name__ == "__main__":
    sys.exit(main())
