"""`alexnet export`: a run's network for PyTorch, for other programs, and as an ONNX model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..data import DataError
from ..names import file_name, one_line
from ..trained import Trained, trained
from ..training.checkpoint import BOXED, find_checkpoint, load_checkpoint
from ..weights.out import ENDINGS, described, write


def add_parser(commands: Any) -> None:
    """The flags of `alexnet export`."""
    parser = commands.add_parser(
        "export",
        help="a trained network for PyTorch, as safetensors or ONNX",
        examples=(
            "alexnet export runs/imagenette-owt --to torch",
            "alexnet export runs/imagenette-small --to onnx --softmax --out net.onnx",
            "alexnet export boxed --to safetensors",
        ),
        description="Write a trained network for other programs. torch: a state_dict for "
        "torch.load(FILE, weights_only=True), which torchvision's alexnet takes of the variant "
        "one-tower; safetensors: the same tensors; onnx: the network itself, for batches of any "
        "size, which needs the package onnx. Classes and preprocessing are noted in the file. The "
        "weights are those that `alexnet evaluate` uses: averaged ones where the run has them.",
    )
    parser.add_argument(
        "run", metavar="RUN",
        help=f"run folder, or a checkpoint in it [its best]; {BOXED.name}: the network that comes "
        "with alexnet",
    )  # fmt: skip
    parser.add_argument("--to", required=True, choices=ENDINGS, help=", ".join(ENDINGS))
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="a new file [the run's name, here]"
    )
    parser.add_argument(
        "--softmax", action="store_true", help="onnx: probabilities as output in place of logits"
    )
    parser.set_defaults(command=_export)


def _export(options: argparse.Namespace) -> int:
    if options.softmax and options.to != "onnx":
        raise DataError(f"--softmax is for --to onnx: {options.to} holds weights alone")
    checkpoint = load_checkpoint(find_checkpoint(options.run))
    out = options.out or Path(_name(checkpoint.path) + ENDINGS[options.to])
    if out.exists():
        raise DataError(f"{out} is there already: give another name with --out FILE")
    network = trained(checkpoint, "cpu")
    written = write(network, out, options.to, options.softmax)
    print("\n".join(map(one_line, _lines(network, written, options.to))))
    return 0


def _name(checkpoint: Path) -> str:
    """The run's name as that of a file."""
    return file_name(checkpoint.resolve().parent.name) or "alexnet"


def _lines(network: Trained, written: list[Path], to: str) -> list[str]:
    model, recipe = network.model, network.recipe
    count = sum(parameter.numel() for parameter in model.parameters())
    averaged = ", averaged over the training" if recipe.average else ""
    path, *beside = map(str, written)
    lines = [
        f"{path}: {recipe.title}, {len(network.classes)} classes, {count:,} parameters{averaged}",
        f"Images: {described(network, written[-1] if beside else None)}",
    ]
    if to == "torch":
        lines.append(f"PyTorch: state = torch.load({path!r}, weights_only=True)")
        if recipe.model == "alexnet" and recipe.variant == "one-tower" and recipe.norm != "batch":
            lines.append(
                f"         torchvision.models.alexnet(num_classes={len(network.classes)})"
                ".load_state_dict(state)"
            )
    return lines
