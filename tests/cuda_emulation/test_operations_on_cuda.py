"""Every line of the table of operations, forward and backward, on "cuda" as on the CPU."""

import numpy as np
import operations
import pytest

import minigrad as mg
from minigrad.testing import cupy_on_cpu as standin


@pytest.mark.parametrize("case", operations.CASES, ids=lambda case: case.name)
def test_operation(kernels, case):
    arrays = case.arrays(np.float32)
    expected, gradients = case.run(arrays)
    inputs = on_cuda(arrays)
    out = case.call(*inputs)
    if case.operation != "to_device":
        assert out.device == "cuda:0"
    np.testing.assert_allclose(
        out.detach().cpu().numpy(), np.asarray(expected), rtol=1e-5, atol=1e-6
    )
    if case.differentiable:
        upstream = case.upstream(tuple(out.shape), np.float32)
        out.backward(mg.tensor(upstream, device=out.device))
        found = [i.grad.cpu().numpy() for i in inputs if i.requires_grad]
        for ours, theirs in zip(found, gradients, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", operations.CASES, ids=lambda case: case.name)
def test_operation_is_the_plain_one(kernels, case):
    """In float64 to 1e-12 of the largest number."""
    arrays = case.arrays()
    with mg.plain():
        expected, gradients = case.run(arrays)
    inputs = on_cuda(arrays)
    out = case.call(*inputs)
    found = [out]
    if case.differentiable:
        out.backward(mg.tensor(case.upstream(tuple(out.shape)), device=out.device))
        found += [i.grad for i in inputs if i.requires_grad]
    for ours, theirs in zip(found, [expected, *gradients], strict=True):
        scale = float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0))
        ours = ours.detach().cpu().numpy()
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * scale)


@pytest.mark.parametrize(
    "case", [c for c in operations.CASES if c.differentiable], ids=lambda case: case.name
)
def test_complex_step(kernels, case):
    """Forward with complex numbers takes array code; the backward that is checked, the kernels."""
    assert mg.gradcheck(case.call, on_cuda(case.arrays()))


def on_cuda(arrays):
    return [mg.tensor(a, device="cuda", requires_grad=a.dtype.kind == "f") for a in arrays]


@pytest.mark.parametrize("loss", ["cross_entropy", "nll_loss"])
def test_a_label_out_of_range_gives_nan_without_waiting_for_the_device(cupy, loss):
    x = mg.zeros(3, 4, device="cuda", requires_grad=True)
    labels = mg.tensor([1, 4, -1], device="cuda")
    standin.transfers.clear()
    losses = getattr(mg, loss)(x, labels, reduction="none")
    losses.sum().backward()
    assert not standin.transfers
    assert np.isnan(losses.detach().cpu().numpy()).tolist() == [False, True, True]


def test_products_with_the_hessian_by_inputs_and_parameters(kernels):
    layer = mg.nn.Linear(3, 1).double()
    x, v = mg.randn(2, 3, dtype="float64"), mg.randn(2, 3, dtype="float64")

    def products(x, v):
        leaves = (x, *layer.parameters())
        return mg.hvp(lambda x, *_: (layer(x) ** 2).sum(), leaves, (v, None, None))

    expected = products(x, v)
    layer.to("cuda")
    with pytest.raises(mg.DeviceError, match=r"hvp: argument 0 .* is on cuda:0, argument 1"):
        products(x.to("cuda"), v)
    for ours, theirs in zip(products(x.to("cuda"), v.to("cuda")), expected, strict=True):
        assert ours.device == "cuda:0"
        np.testing.assert_allclose(ours.cpu().numpy(), theirs.numpy(), rtol=1e-12)


def test_the_weights_of_a_loss_follow_it(kernels):
    loss = mg.nn.BCEWithLogitsLoss(weight=[1.0, 2.0], pos_weight=[3.0, 0.5])
    x, y = mg.randn(4, 2), mg.rand(4, 2)
    expected = loss(x, y).item()
    assert [b.device for b in loss.to("cuda").buffers()] == ["cuda:0"] * 2
    assert loss(x.to("cuda"), y.to("cuda")).item() == pytest.approx(expected, rel=1e-6)
