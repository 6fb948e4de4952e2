"""Looking inside a network on a GPU gives what it gives on the CPU."""

import numpy as np

import alexnet_scratch
from alexnet_scratch import inside


def looked_at(device: str) -> dict[str, np.ndarray]:
    """What every function finds in the network of the package."""
    trained = alexnet_scratch.load("boxed", device)
    model, (black, white) = trained.model, trained.black_and_white()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    images = pixels.repeat(16, 1).repeat(16, 2)
    x = trained.preprocess(images)
    fooled = inside.fooling(model, trained.preprocess(images[:1]), 3, black, white, most=2)
    one = trained.preprocess(images[:1])
    return {
        "images": trained.as_images(x),
        "features": trained.features(images),
        "probabilities": inside.probabilities(model, x),
        "saliency": inside.saliency(model, x, [1, 2]),
        "guided": inside.guided_backpropagation(model, x, [1, 2]),
        "grad_cam": inside.grad_cam(model, x, [1, 2], inside.last_maps(model, x)),
        "occlusion": inside.occlusion(model, one, 1, patch=64, stride=64),
        "class": inside.class_images(model, [4], black, white, steps=1).cpu().numpy(),
        "fooled": fooled.after,
        "peaks": inside.peaks(model, x, "relu5")[0],
        "filters": np.concatenate(inside.first_filters(model)[1]),
    }


def test_it_is_the_same_as_on_the_cpu(cupy: object) -> None:
    expected = looked_at("cpu")
    for name, found in looked_at("cuda").items():
        assert isinstance(found, np.ndarray), name
        size = np.abs(expected[name].astype(float)).max()
        np.testing.assert_allclose(found, expected[name], atol=1e-3 * size, err_msg=name)
