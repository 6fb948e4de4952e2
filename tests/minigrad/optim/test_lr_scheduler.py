"""Learning rate schedules: values by hand, resuming, and PyTorch's over 40 steps."""

import importlib.util
import json
import math

import numpy as np
import pytest

from minigrad.core import Tensor
from minigrad.optim import SGD, Adam
from minigrad.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

SCHEDULES = {
    "step": ("StepLR", {"step_size": 7, "gamma": 0.5}),
    "every step": ("StepLR", {"step_size": 1, "gamma": 0.9}),
    "multistep": ("MultiStepLR", {"milestones": [20, 3, 3, 31], "gamma": 0.1}),
    "linear": ("LinearLR", {}),
    "linear down": ("LinearLR", {"start_factor": 1.0, "end_factor": 0.2, "total_iters": 12}),
    "exponential": ("ExponentialLR", {"gamma": 0.9}),
    "lambda": ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}),
    "lambda per group": ("LambdaLR", {"lr_lambda": [lambda e: 0.9**e, lambda e: 1 + e % 3]}),
    "one cycle": ("OneCycleLR", {"max_lr": 0.5, "total_steps": 41}),
    "one cycle linear": ("OneCycleLR", {"max_lr": [0.5, 0.1], "epochs": 5, "steps_per_epoch": 9,
                                        "anneal_strategy": "linear", "pct_start": 0.25}),
    "one cycle from the top": ("OneCycleLR", {"max_lr": 0.5, "total_steps": 41, "pct_start": 0.0}),
    "one cycle, three phases": ("OneCycleLR", {"max_lr": 1.0, "total_steps": 40,
                                               "three_phase": True, "div_factor": 10.0}),
    "cosine": ("CosineAnnealingLR", {"T_max": 40, "eta_min": 0.001}),
    "cosine twice up and down": ("CosineAnnealingLR", {"T_max": 9}),
}
PLATEAUS = {
    "defaults": {},
    "min abs": {"patience": 1, "threshold": 0.2, "threshold_mode": "abs", "factor": 0.5},
    "max rel": {"mode": "max", "patience": 0, "cooldown": 3, "factor": 0.5},
    "max abs": {"mode": "max", "patience": 2, "threshold_mode": "abs", "threshold": 0.5},
    "a step of eps": {"patience": 0, "factor": 0.5, "eps": 0.025},
    "floor": {"patience": 0, "min_lr": 0.02, "factor": 0.3},
    "floor per group": {"patience": 0, "min_lr": [0.02, 0.001], "factor": 0.3, "eps": 0.005},
}
OURS = {
    kind.__name__: kind
    for kind in (StepLR, MultiStepLR, LinearLR, CosineAnnealingLR, SequentialLR, ExponentialLR,
                 LambdaLR, OneCycleLR)

}


def optimizer(rates=(0.1, 0.04)):
    return SGD([{"params": [Tensor(np.ones(1), requires_grad=True)], "lr": r} for r in rates])


def rates_of(opt):
    return [group["lr"] for group in opt.param_groups]


def warm_up_then_cosine(opt):
    return SequentialLR(opt, [LinearLR(opt, total_iters=5), CosineAnnealingLR(opt, 20)], [5])


def run(opt, scheduler, steps):
    out = [rates_of(opt)]
    for _ in range(steps):
        scheduler.step()
        assert scheduler.get_last_lr() == rates_of(opt)
        out.append(rates_of(opt))
    return np.array(out)


def test_values_by_hand():
    def first(kind, **options):
        opt = optimizer([1.0])
        return run(opt, kind(opt, **options), 4)[:, 0]

    np.testing.assert_allclose(first(StepLR, step_size=2), [1, 1, 0.1, 0.1, 0.01])
    np.testing.assert_allclose(first(MultiStepLR, milestones=[1, 3]), [1, 0.1, 0.1, 0.01, 0.01])
    linear = first(LinearLR, start_factor=0.2, total_iters=4)
    np.testing.assert_allclose(linear, [0.2, 0.4, 0.6, 0.8, 1])
    half = math.sqrt(0.5)
    cosine = first(CosineAnnealingLR, T_max=4)
    np.testing.assert_allclose(cosine, [1, (1 + half) / 2, 0.5, (1 - half) / 2, 0], atol=1e-15)


def test_warm_up_then_cosine():
    opt = optimizer([0.9])
    rates = run(opt, warm_up_then_cosine(opt), 25)[:, 0]
    np.testing.assert_allclose(rates[[0, 5, 15]], [0.3, 0.9, 0.45])
    assert rates[25] == 0
    assert (np.diff(rates[:6]) > 0).all()
    assert (np.diff(rates[5:]) < 0).all()


def test_plateau_by_hand():
    opt = optimizer([1.0])
    plateau = ReduceLROnPlateau(opt, patience=1, cooldown=1)
    rates = []
    for loss in [3.0, 2.0, 2.0, 1.9999, 1.0, float("nan"), 1.0, 1.0, 1.0, 1.0]:
        plateau.step(Tensor(np.array(loss)))
        rates.append(plateau.get_last_lr()[0])
    # 1.9999 is no improvement by 1e-4 of 2; the epoch after a reduction is not counted
    np.testing.assert_allclose(rates, [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001])


@pytest.mark.parametrize(("kind", "threshold"), [("rel", 0.1), ("abs", 1.0)])
@pytest.mark.parametrize(("mode", "near", "beyond"), [("min", 9.1, 8.9), ("max", 10.9, 11.1)])
def test_an_improvement_is_one_by_more_than_the_threshold(kind, threshold, mode, near, beyond):
    for metric, bad in ((near, 1), (beyond, 0)):
        plateau = ReduceLROnPlateau(
            optimizer(), mode, threshold=threshold, threshold_mode=kind, patience=5
        )
        plateau.step(10.0)
        plateau.step(metric)
        assert plateau.num_bad_epochs == bad


@pytest.mark.parametrize("case", [*SCHEDULES, "warm-up"])
def test_resuming_midway_gives_the_same_rates(case):
    def make(opt):
        if case == "warm-up":
            return warm_up_then_cosine(opt)
        name, options = SCHEDULES[case]
        return OURS[name](opt, **options)

    opt = optimizer()
    whole = run(opt, make(opt), 40)
    for stop in (0, 1, 5, 9, 21):
        first = optimizer()
        scheduler = make(first)
        run(first, scheduler, stop)
        saved = json.loads(json.dumps([first.state_dict(), scheduler.state_dict()]))
        second = optimizer()
        second.load_state_dict(saved[0])  # before the scheduler exists, and after: both orders
        resumed = make(second)
        second.load_state_dict(saved[0])
        resumed.load_state_dict(saved[1])
        np.testing.assert_array_equal(run(second, resumed, 40 - stop), whole[stop:])


def test_plateau_resumes():
    losses = np.random.default_rng(0).standard_normal(40).tolist()
    opt = optimizer()
    plateau = ReduceLROnPlateau(opt, patience=2)
    for loss in losses[:13]:
        plateau.step(loss)
    saved = json.loads(json.dumps([opt.state_dict(), plateau.state_dict()]))
    second = optimizer()
    resumed = ReduceLROnPlateau(second, patience=2)
    second.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    for loss in losses[13:]:
        plateau.step(loss)
        resumed.step(loss)
        assert rates_of(opt) == rates_of(second)
    assert rates_of(opt)[0] < 0.1


def test_last_epoch_resumes_without_a_state_dict():
    opt = optimizer()
    whole = run(opt, StepLR(opt, 3), 20)
    first = optimizer()
    run(first, StepLR(first, 3), 7)
    np.testing.assert_array_equal(run(first, StepLR(first, 3, last_epoch=6), 13), whole[7:])
    with pytest.raises(KeyError, match="initial_lr"):
        StepLR(optimizer(), 3, last_epoch=6)


def test_a_rate_that_somebody_else_changed_is_an_error():
    opt = optimizer()
    scheduler = StepLR(opt, 3)
    opt.param_groups[1]["lr"] = 7.0
    with pytest.raises(RuntimeError, match=r"set the learning rates .*, now they are \[0.1, 7.0\]"):
        scheduler.step()


def test_a_group_that_came_later_is_an_error():
    opt = optimizer()
    scheduler = StepLR(opt, 3)
    opt.add_param_group({"params": [Tensor(np.ones(1), requires_grad=True)]})
    with pytest.raises(RuntimeError, match="set the learning rates"):
        scheduler.step()


def test_one_cycle_ends():
    opt = optimizer()
    scheduler = OneCycleLR(opt, 1.0, total_steps=3, pct_start=1 / 3)  # the peak at once
    assert rates_of(opt) == [1, 1]
    run(opt, scheduler, 3)
    with pytest.raises(ValueError, match=r"step 4 of a schedule of 3: .*batches, not epochs"):
        scheduler.step()


def test_wrong_arguments_raise():
    opt, other = optimizer(), optimizer()
    with pytest.raises(ValueError, match="give total_steps, or epochs and steps_per_epoch"):
        OneCycleLR(opt, 1.0, epochs=3)
    with pytest.raises(ValueError, match=r"total_steps is 5, epochs \* steps_per_epoch 6"):
        OneCycleLR(opt, 1.0, total_steps=5, epochs=3, steps_per_epoch=2)
    with pytest.raises(ValueError, match=r"pct_start must be between 0 and 1, got 30"):
        OneCycleLR(opt, 1.0, 10, pct_start=30)
    with pytest.raises(ValueError, match="anneal_strategy 'sin' is unknown"):
        OneCycleLR(opt, 1.0, 10, anneal_strategy="sin")
    with pytest.raises(ValueError, match="expected 2 max_lrs"):
        OneCycleLR(opt, [1.0], 10)
    with pytest.raises(ValueError, match="expected 2 lr_lambdas"):
        LambdaLR(opt, [abs])
    with pytest.raises(ValueError, match="give one lr_lambda for all groups"):
        SequentialLR(opt, [StepLR(opt, 3), LambdaLR(opt, [abs, abs])], [1]).step()
    with pytest.raises(TypeError, match="expected an optimizer first, got float"):
        StepLR(0.1, 3)
    with pytest.raises(ValueError, match="step_size must be at least 1, got 0"):
        StepLR(opt, 0)
    with pytest.raises(ValueError, match="T_max must be at least 1"):
        CosineAnnealingLR(opt, 0)
    with pytest.raises(ValueError, match="start_factor"):
        LinearLR(opt, start_factor=0)
    with pytest.raises(ValueError, match="end_factor"):
        LinearLR(opt, end_factor=2)
    with pytest.raises(ValueError, match=r"Invalid factor: 1\.0"):
        ReduceLROnPlateau(opt, factor=1.0)
    with pytest.raises(ValueError, match="mode 'down' is unknown"):
        ReduceLROnPlateau(opt, mode="down")
    with pytest.raises(ValueError, match="expected 2 min_lrs"):
        ReduceLROnPlateau(opt, min_lr=[0.1])
    with pytest.raises(ValueError, match="scheduler 0 is ReduceLROnPlateau"):
        SequentialLR(opt, [ReduceLROnPlateau(opt)], [])
    with pytest.raises(ValueError, match="scheduler 0 is StepLR"):
        SequentialLR(opt, [StepLR(other, 3)], [])
    with pytest.raises(ValueError, match="one milestone fewer"):
        SequentialLR(opt, [StepLR(opt, 3)], [5])
    for group in ([1.0], {"lr": 0.1}, "params"):
        with pytest.raises(TypeError, match="a dict with a 'params' entry"):
            opt.add_param_group(group)


def test_a_state_of_another_scheduler_or_optimizer_raises():
    opt = optimizer()
    with pytest.raises(ValueError, match=r"not that of StepLR: missing \['gamma', 'step_size'\]"):
        StepLR(opt, 3).load_state_dict(CosineAnnealingLR(opt, 3).state_dict())
    single = optimizer([0.1])
    with pytest.raises(ValueError, match="has 1 base_lrs, the optimizer 2 parameter groups"):
        StepLR(opt, 3).load_state_dict(StepLR(single, 3).state_dict())
    with pytest.raises(ValueError, match="not that of ReduceLROnPlateau"):
        ReduceLROnPlateau(opt).load_state_dict({})


if importlib.util.find_spec("torch"):
    import torch

    def torch_optimizer(rates=(0.1, 0.04)):
        opt = torch.optim.SGD(
            [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": r} for r in rates]
        )
        opt.step()  # PyTorch warns of a scheduler that steps first
        return opt

    def torch_rates(opt, scheduler, steps):
        out = [rates_of(opt)]
        for _ in range(steps):
            opt.step()
            scheduler.step()
            out.append(rates_of(opt))
        return np.array(out)

    @pytest.mark.parametrize("case", SCHEDULES)
    def test_rates_are_pytorchs(case):
        name, options = SCHEDULES[case]
        ours, theirs = optimizer(), torch_optimizer()
        expected = torch_rates(
            theirs, getattr(torch.optim.lr_scheduler, name)(theirs, **options), 40
        )
        rates = run(ours, OURS[name](ours, **options), 40)
        # PyTorch multiplies step by step and drifts a little: near a cosine's zero, absolutely
        np.testing.assert_allclose(rates, expected, rtol=1e-12, atol=1e-14)

    def test_warm_up_then_cosine_is_pytorchs():
        ours, theirs = optimizer(), torch_optimizer()
        module = torch.optim.lr_scheduler
        parts = [module.LinearLR(theirs, total_iters=5), module.CosineAnnealingLR(theirs, 20)]
        expected = torch_rates(theirs, module.SequentialLR(theirs, parts, [5]), 40)
        np.testing.assert_allclose(
            run(ours, warm_up_then_cosine(ours), 40), expected, rtol=1e-12, atol=1e-14
        )

    @pytest.mark.parametrize("case", PLATEAUS)
    def test_plateau_is_pytorchs(case):
        ours, theirs = optimizer(), torch_optimizer()
        one = ReduceLROnPlateau(ours, **PLATEAUS[case])
        two = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **PLATEAUS[case])
        rng = np.random.default_rng(1)
        metrics = 3 + rng.standard_normal(40) * 0.3 - np.minimum(np.arange(40), 15) * 0.1
        reductions = set()
        for metric in metrics.tolist():
            one.step(metric)
            two.step(metric)
            np.testing.assert_allclose(rates_of(ours), rates_of(theirs), rtol=1e-14)
            reductions.add(rates_of(ours)[0])
        assert len(reductions) > 1

    @pytest.mark.parametrize("name", ["SGD", "Adam"])
    def test_the_momentum_of_one_cycle_is_pytorchs(name):
        weight = Tensor(np.ones(1), requires_grad=True)
        ours = {"SGD": SGD, "Adam": Adam}[name]([weight], lr=0.1)
        theirs = getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(1))], lr=0.1)
        theirs.step()
        one = OneCycleLR(ours, 0.3, 12, max_momentum=0.9)
        two = torch.optim.lr_scheduler.OneCycleLR(theirs, 0.3, 12, max_momentum=0.9)
        for _ in range(11):
            option = "momentum" if name == "SGD" else "betas"
            np.testing.assert_allclose(
                ours.param_groups[0][option], theirs.param_groups[0][option], rtol=1e-12
            )
            one.step()
            theirs.step()
            two.step()
