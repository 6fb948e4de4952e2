"""Networks without memory."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn.shapes import shapes_only
from minigrad.random import default_generator


def test_layers_have_shapes_and_no_memory() -> None:
    mg.manual_seed(3)
    before = default_generator.state
    with shapes_only():
        net = nn.Sequential(nn.Conv2d(4096, 4096, 63), nn.BatchNorm2d(8), nn.Linear(10**6, 10**6))
    assert default_generator.state == before  # nothing was drawn
    assert {name: tensor.shape for name, tensor in net.state_dict().items()} == {
        "0.weight": (4096, 4096, 63, 63), "0.bias": (4096,), "1.weight": (8,), "1.bias": (8,),
        "1.running_mean": (8,), "1.running_var": (8,), "1.num_batches_tracked": (),
        "2.weight": (10**6, 10**6), "2.bias": (10**6,),
    }  # fmt: skip
    assert sum(p.numel() for p in net.parameters()) > 10**12
    for name, tensor in net.state_dict().items():
        assert tensor.dtype == (np.int64 if name.endswith("tracked") else np.float32)
        if tensor.ndim:
            assert not any(tensor.data.strides)  # one number, seen everywhere
            with pytest.raises(ValueError, match="read-only"):
                tensor.data[...] = 1


def test_only_within_the_block_even_if_it_fails() -> None:
    with pytest.raises(ZeroDivisionError), shapes_only():
        _ = 1 / 0
    layer = nn.Linear(3, 2)
    assert layer.weight.data.flags.writeable
    assert (layer.weight.data != 0).all()
