"""Pack a run as the network that comes with the package, and measure both on the same photographs.

    python benchmarks/boxed.py RUN DATA

RUN: the folder of an `alexnet train` by the recipe `boxed`; DATA: the prepared set of its run.
Writes alexnet_scratch/boxed/: the best checkpoint with its weights in float16 and nothing else, the
run's recipe.json and metrics.jsonl, run.json without what names this machine's folders but with
the scores of both, and README.md. docs/draw_inside.py draws README's pictures of it. `make boxed`
does it all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from results import evaluated, without_folders

from alexnet_scratch.recipe import RECIPES
from alexnet_scratch.training.checkpoint import BOXED, find_checkpoint, load_checkpoint
from minigrad.files import write_text
from minigrad.serialization import load_metadata, save_file

MOST_BYTES = 3_000_000
WEIGHTS = "best.safetensors"
KEPT = ("started", "command", "versions", "commit", "device", "device_name", "threads", "precision")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument("data", metavar="DATA", help="the prepared set that it was trained on")
    parser.add_argument("--out", type=Path, default=BOXED, metavar="FOLDER", help=f"[{BOXED}]")
    options = parser.parse_args(arguments)
    run, out = options.run, options.out
    out.mkdir(exist_ok=True)
    try:
        pack(run, out / WEIGHTS)
        for name in ("recipe.json", "metrics.jsonl"):
            shutil.copyfile(run / name, out / name)
        of_run = evaluated(str(run), options.data)
        of_file = evaluated(str(out), options.data, "--ten-crop")
        record = recorded(run, out, of_run["scores"], of_file["scores"])
    except (OSError, ValueError) as error:
        sys.exit(f"boxed: {error}")
    write_text(out / "run.json", json.dumps(record, indent=2) + "\n")
    write_text(out / "README.md", page(record))
    print(json.dumps(record["packed"], indent=2))
    return 0


def pack(run: Path, out: Path) -> None:
    """The best checkpoint without the optimiser's state, its weights in float16.

    ValueError for a run of another recipe, or weights that make a file above 3 MB.
    """
    checkpoint = load_checkpoint(find_checkpoint(run))
    if checkpoint.recipe != RECIPES["boxed"]:
        raise ValueError(f"{run} is a run of another recipe than boxed is now: train it again")
    tensors = {
        name: tensor.numpy().astype(np.float16) if name.startswith("model.") else tensor
        for name, tensor in checkpoint.tensors.items()
        if name.startswith(("model.", "pixels."))
    }
    data = {**checkpoint.data, "root": PurePath(checkpoint.data["root"]).name}
    metadata = {**load_metadata(checkpoint.path), "data": json.dumps(data)}
    save_file(tensors, out, metadata)
    if out.stat().st_size > MOST_BYTES:
        raise ValueError(f"{out} has {out.stat().st_size:,} bytes, expected at most {MOST_BYTES:,}")


def recorded(
    run: Path, out: Path, of_run: dict[str, Any], of_file: dict[str, Any]
) -> dict[str, Any]:
    """The run's record without its folders, the classes, and what was measured of the file."""
    checkpoint = load_checkpoint(out / WEIGHTS)
    facts = json.loads((run / "run.json").read_text("utf-8"))
    resumed = [{"at": start["at"], **_shared(start)} for start in facts.get("resumed", [])]
    rows = checkpoint.position.metrics
    return {
        **_shared(facts),
        "data": {**facts["data"], "root": PurePath(facts["data"]["root"]).name},
        "resumed": resumed,
        "classes": checkpoint.data["names"],
        "packed": {
            "epochs": checkpoint.recipe.epochs,
            "epoch": checkpoint.position.epoch,
            "epochs_done": len((out / "metrics.jsonl").read_text("utf-8").splitlines()),
            "minutes": round(sum(row["seconds"] for row in rows) / 60),
            "parameters": sum(w.data.size for w in checkpoint.model().parameters()),
            "bytes": (out / WEIGHTS).stat().st_size,
            "sha256": hashlib.sha256((out / WEIGHTS).read_bytes()).hexdigest(),
            "scores": of_file,
            "scores_of_the_run": of_run,
        },
    }


def _shared(facts: dict[str, Any]) -> dict[str, Any]:
    """What of a start may be told."""
    kept = {name: facts[name] for name in KEPT}
    return kept | {"command": without_folders(facts["command"])}


def page(record: dict[str, Any]) -> str:
    """README.md of the folder."""
    packed, data = record["packed"], record["data"]
    centre, ten = packed["scores"]["centre"], packed["scores"]["ten crops"]
    run = packed["scores_of_the_run"]["centre"]
    classes = "\n".join(f"| `{id}` | {name} |" for id, name in record["classes"].items())
    return f"""\
# The network that comes with the package

`alexnet predict photo.jpg` without a run uses it; wherever a run is asked for, its name is `boxed`.
Written by `benchmarks/boxed.py`; `make boxed` trains and packs it again.

A narrow AlexNet: all eight layers, two towers, local response normalisation, 128 × 128 pixels,
{packed["parameters"]:,} parameters ({packed["bytes"]:,} bytes: stored in float16, computed with in
float32). `recipe.json` is the recipe `boxed`, `run.json` the record of the run, `metrics.jsonl` has
a line for each of its epochs.

## How good it is

On the {data["val_images"]:,} validation photographs of Imagenette, measured from the file in this
folder:

| | top-1 | top-5 |
|---|---|---|
| centre of the image | {centre["top1"]:.1%} | {centre["top5"]:.1%} |
| mean of ten crops | {ten["top1"]:.1%} | {ten["top5"]:.1%} |

The run's own checkpoint, in float32, has {run["top1"]:.2%} at the centre, the file
{centre["top1"]:.2%}. It is epoch {packed["epoch"]} of {packed["epochs"]}, chosen by the same
photographs, so the numbers are a little kinder than new ones would give. Its sha256 is
`{packed["sha256"]}`.

## What it cannot do

It knows ten classes and names one of them whatever the photograph shows; its probabilities say
nothing about whether any of the ten is there. What it learnt are photographs of the web of about
2010, most of them from North America and Europe (Shankar et al. 2017).

| WordNet id | class |
|---|---|
{classes}

## What it was trained on, and the licences

[Imagenette](https://github.com/fastai/imagenette) by fast.ai, version 2, with 160 pixels along the
shorter side: {data["train_images"]:,} photographs to train on, prepared at 144 pixels
({data["checksum"]}).
Imagenette's repository is under the Apache License 2.0. Its photographs are a subset of ImageNet's
(ILSVRC 2012): the rights in them are with those who took them, and ImageNet passes them on under
terms of its own, for non-commercial research and education
([image-net.org/download](https://image-net.org/download)). None of them is in this package.

The weights, which are numbers that were computed from the photographs, come under the package's
licence (MIT) as far as its authors have rights in them; whether more is needed for a use is for
those who use them to judge. A network from photographs of your own:
`alexnet train photos --recipe boxed`.
"""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
