"""The photographs of the lessons."""

import numpy as np
import pytest

from alexnet_course import photographs


def test_each_is_a_photograph_and_says_where_it_is_from():
    told = (photographs.FOLDER / "README.md").read_text("utf-8")
    assert len(photographs.NAMES) == 10
    for name in photographs.NAMES:
        image = photographs.photograph(name)
        assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
        assert 300 <= min(image.shape[:2]) <= 320
        assert f"| `{name}.jpg` |" in told


def test_an_unknown_one_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no photograph 'dog'; there are astronaut, bricks"):
        photographs.path("dog")
