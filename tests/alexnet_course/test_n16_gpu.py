"""Notebook 16: what its checks do beyond right and wrong answers (`test_verdicts.py`)."""

from alexnet_course import n16_gpu as check


def test_a_scatter_is_told_to_gather():
    def scatter(i, dx, grad, winners, width, size, stride):
        y, x = divmod(i % grad.size, grad.shape[1])
        u, v = divmod(winners[y, x], size)
        dx[(y * stride + u) * width + x * stride + v] = grad[y, x]

    assert "ask which windows could" in check.pool_backward_thread.verdict(scatter)
