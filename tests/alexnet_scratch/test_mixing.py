"""Mixup and fade: who is blended with whom, how much of each, and what the loss makes of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from alexnet_scratch.mixing import FADED, drawn_mix, mixed, mixed_labels
from alexnet_scratch.recipe import RECIPES, Recipe, RecipeError
from alexnet_scratch.training.input import open_splits
from alexnet_scratch.training.trainer import Trainer
from minigrad.nn import functional as F

MIXUP, FADE = (replace(RECIPES["small"], **{name: 0.2}) for name in ("mixup", "fade"))


def test_the_draws_are_a_function_of_seed_and_step() -> None:
    one, again, other = (drawn_mix(MIXUP, step, 32) for step in (5, 5, 6))
    assert one is not None
    assert again is not None
    assert other is not None
    np.testing.assert_array_equal(one.partner, again.partner)
    np.testing.assert_array_equal(one.share, again.share)
    assert (one.partner != other.partner).any()
    assert (drawn_mix(replace(MIXUP, seed=1), 5, 32).partner != one.partner).any()  # type: ignore[union-attr]
    assert drawn_mix(RECIPES["small"], 5, 32) is None


def test_mixups_shares_are_beta() -> None:
    """Of Beta(a, a) folded at a half: mean and spread over many steps, one share a batch."""
    for alpha in (0.2, 1.0):
        mixes = [drawn_mix(replace(MIXUP, mixup=alpha), step, 8) for step in range(1000)]
        shares = np.array([mix.share for mix in mixes if mix])
        assert (shares == shares[:, :1]).all()
        assert shares.min() >= 0.5
        # E (x - 1/2)^2 is the variance of Beta(a, a), folded or not.
        spread = ((shares[:, 0] - 0.5) ** 2).mean()
        assert spread == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)
        assert all(sorted(mix.partner) == [*range(8)] for mix in mixes if mix)


def test_fade_blends_a_share_of_the_images_with_others() -> None:
    mix = drawn_mix(FADE, 3, 10_000)
    assert mix is not None
    assert not mix.labels
    assert set(np.unique(mix.share)) == {np.float32(FADED), 1}
    assert (mix.share == np.float32(FADED)).mean() == pytest.approx(0.2, abs=0.02)
    assert (mix.partner != np.arange(10_000)).all()
    assert len(np.unique(mix.partner)) > 6000
    alone = drawn_mix(FADE, 3, 1)
    assert alone is not None
    assert alone.partner.tolist() == [0]


def test_images_and_labels_are_blended_alike() -> None:
    images = np.random.default_rng(0).normal(size=(4, 3, 5, 5)).astype(np.float32)
    labels = np.array([0, 1, 2, 2])
    mix = drawn_mix(replace(MIXUP, mixup=1.0), 0, 4)
    assert mix is not None
    x, target = mixed(images, images[mix.partner], mix.share), mixed_labels(labels, 3, mix)
    assert x.dtype == np.float32
    for i, (j, share) in enumerate(zip(mix.partner, mix.share, strict=True)):
        np.testing.assert_allclose(x[i], share * images[i] + (1 - share) * images[j], rtol=1e-6)
        expected = share * np.eye(3)[labels[i]] + (1 - share) * np.eye(3)[labels[j]]
        np.testing.assert_allclose(target[i], expected, rtol=1e-6)


def test_a_step_of_mixup_is_pytorchs(tmp_path: Path, narrow: Recipe, colours: Path) -> None:
    """Both labels in the loss, smoothing too; right is who names the larger part."""
    torch = pytest.importorskip("torch")
    recipe = replace(narrow, mixup=1.0, label_smoothing=0.1, dropout_p=0.0)
    splits = open_splits(colours, recipe)
    it = Trainer(tmp_path, recipe, splits, {"root": None, "train_images": len(splits.train)})
    _, (images, labels, places) = next(it.feed.batches(0, 0))
    mix = drawn_mix(recipe, 0, 8)
    assert mix is not None
    plain = torch.from_numpy(it.to_input(images, places.data).numpy().copy())
    x = mixed(plain, plain[mix.partner], torch.from_numpy(mix.share))
    logits = it.model.eval()(mg.tensor(x.numpy())).data
    target, own = torch.from_numpy(mixed_labels(labels.data, 3, mix)), labels.data
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits).double(), target, label_smoothing=0.1
    )
    pairs = [
        F.cross_entropy(mg.tensor(logits), y, reduction="none", label_smoothing=0.1).numpy()
        for y in (own, own[mix.partner])
    ]
    both = (mix.share * pairs[0] + (1 - mix.share) * pairs[1]).mean()
    it.model.train()
    it._step(images, labels, places)
    loss, right, _ = it.tally.totals._pending[-1]
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    assert float(loss) == pytest.approx(both, rel=1e-5)
    assert int(right) == (logits.argmax(1) == own).sum()


def test_two_ways_to_blend_are_one_too_many() -> None:
    with pytest.raises(RecipeError, match=r"mixup is 0.2 and fade 0.1: .* give one of them"):
        replace(MIXUP, fade=0.1)
