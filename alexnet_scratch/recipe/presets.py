"""The recipes that have a name: a preset states what it changes of the paper's text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .fields import Recipe


def paper() -> Recipe:
    """The paper's text to the letter: made for ImageNet; a small set may never leave ln(C).

    Weights are N(0, 0.01) in all layers, biases 1 in conv2, conv4, conv5, fc6 and fc7 (section 5);
    pixels are raw (0-255) less the mean image; crops at 32 x 32 places and mirrors (the "factor of
    2048") and colour noise by eigenvalues (section 4.1); batch 128, rate 0.01, divided by 10 up to
    three times when the validation error stops improving, the rate inside the velocity, 90 epochs;
    dropout masks in training and halves at test (section 4.2).

    Why it may sit at ln(C): at the start the image moves the logits by about 0.003; the biases of 1
    swamp it. With the 10,000 iterations of an ImageNet epoch that passes; a set of a few thousand
    images has spent its epochs by then.
    """
    return Recipe()


def source2012() -> Recipe:
    """What the authors' published code ran (its net 145), which the paper does not quite say.

    Changed against `paper`, as read in that code (computerhistory/AlexNet-Source-Code): 0.03 for
    the weights of conv3 to conv5; LRN's alpha divided by its window; in layer 1 LRN and pooling
    before the ReLU; a second normalisation, within each map, after LRN in layer 2; conv1 by the
    ceil rule, which reads three rows and columns of zeros beyond the 224 pixels; biases at twice
    the rate and without decay; crops at 33 x 33 places, shared by 32 images in a row; the mean
    image's centre subtracted wherever the crop was; colour noise by standard deviations, the sum
    divided by 1.1, and none near the end. The schedule replays the epochs of the 2012 log: the rate
    was lowered by hand after 25, 51 and 79 epochs, conv1's third drop came at 67, at 72 it was
    frozen, at 91 the run was ended.
    """
    return Recipe(
        name="source2012",
        conv1_edge="ceil",
        orders=("lrn-pool-relu", "relu-lrn-contrast-pool"),
        lrn_alpha=1e-4 / 5,
        init="source2012",
        mean="image-centre",
        crop="random",
        crop_chunk=32,
        colour_noise="deviation",
        colour_divisor=1.1,
        colour_epochs=67,
        bias_lr_factor=2.0,
        bias_decay=False,
        epochs=91,
        schedule="steps",
        drop_epochs=(25, 51, 79),
        conv1_drop_epochs=(25, 51, 67),
        conv1_freeze_epoch=72,
        replayed_epochs=91,
    )


def caffe() -> Recipe:
    """Caffe's bvlc_alexnet: biases of 0.1, with which small sets leave the plateau.

    One column of layers in groups, LRN over all channels with k 1 and alpha / size; 227-pixel crops
    and no border in conv1; fc6 and fc7 from N(0, 0.005); inverted dropout; biases at twice the rate
    and without decay; no colour noise; batch 256 and a drop every 100,000 of its 450,000
    iterations, which are 20 of 90 epochs of ImageNet. Its tutorial squashes images to 256 x 256:
    `alexnet prepare --resize squash`. Source: models/bvlc_alexnet.
    """
    return Recipe(
        name="caffe",
        variant="grouped",
        input_size=227,
        conv1_edge="ceil",
        lrn_k=1.0,
        lrn_alpha=1e-4 / 5,
        dropout="inverted",
        init="caffe",
        crop="random",
        colour_noise="none",
        batch_size=256,
        bias_lr_factor=2.0,
        bias_decay=False,
        schedule="steps",
        drop_epochs=(20, 40, 60, 80),
        replayed_epochs=90,
    )


def owt() -> Recipe:
    """torchvision's AlexNet ("One weird trick", Krizhevsky 2014), whose weights load into it.

    64 filters in conv1, no groups, no LRN, dropout before fc6 and fc7; PyTorch's default
    initialisation; pixels by channel mean and standard deviation; random-resized crops; batch 256,
    decay 1e-4, a tenth of the rate every 30 of 90 epochs. Source: torchvision's
    references/classification.
    """
    return Recipe(
        name="owt",
        variant="one-tower",
        norm="none",
        dropout="inverted",
        init="pytorch",
        mean="constant",
        input_mean=(123.675, 116.28, 103.53),
        input_std=(58.395, 57.12, 57.375),
        crop="resized",
        colour_noise="none",
        batch_size=256,
        weight_decay=1e-4,
        rule="torch",
        schedule="steps",
        drop_epochs=(30, 60),
        replayed_epochs=90,
    )


def small() -> Recipe:
    """The paper's network made to learn a few thousand images in minutes, from any seed.

    Layers, sizes, normalisation and batch order are the paper's. Changed, and why:

    - initialisation LSUV: each layer's weights are scaled on one batch of real images until its
      output has variance 1, so that the image reaches the classes; the paper's 0.01 shrinks the
      signal to a third in each of conv3 to conv5;
    - biases 0: the paper's biases of 1 carry a constant that hides the image;
    - pixels divided to about unit variance, which LSUV's scale and the rate presume, and no colour
      noise, which a few epochs do not need;
    - inverted dropout, so that training and test see the same scale;
    - batch 32: more steps from few images; a warm-up, since the first steps of a network with
      momentum are the ones that blow up; a cosine to 0, since a few epochs leave no time to wait
      for a plateau;
    - PyTorch's momentum, whose velocity follows a rate that changes in each step.
    """
    return Recipe(
        name="small",
        init="lsuv",
        dropout="inverted",
        mean="constant",
        input_mean=(127.5, 127.5, 127.5),
        input_std=(64.0, 64.0, 64.0),
        crop="random",
        colour_noise="none",
        epochs=5,
        batch_size=32,
        lr=0.01,
        rule="torch",
        schedule="cosine",
        warmup_steps=40,
    )


def modern() -> Recipe:
    """The paper's network, LRN included, trained as one would since: the best of a small set.

    Layers, sizes and normalisation are the paper's. Changed against `small`, and why:

    - initialisation He: ReLU lets half of the signal through, so that weights of variance 2 / fan
      in keep its size without a look at the images; the last layer's are smaller, so that the
      first loss is near ln C (He et al. 2015);
    - crops of random size and shape from 35% of the image on: a small set is learnt by heart
      otherwise (Szegedy et al. 2015, who begin at 8%, with millions of images);
    - a tenth of the label given to all classes, for the same reason (Szegedy et al. 2016);
    - 40 epochs, which these changes need: each of them makes the training harder;
    - batch 64 at twice the rate: half of the steps, of which each also moves the average;
    - what is validated and used is a running average of the weights, which is where the noise of
      the last steps averages out (Polyak and Juditsky 1992).
    """
    return replace(
        small(),
        name="modern",
        init="he",
        crop="resized",
        crop_area=(0.35, 1.0),
        epochs=40,
        batch_size=64,
        lr=0.02,
        label_smoothing=0.1,
        average=0.996,
        warmup_steps=150,
    )


def cifar() -> Recipe:
    """Images of 32 pixels, as CIFAR's: the 2012 code's small network of four layers, see `cifar`.

    Three convolutions of 5 x 5, overlapping pooling and one fully connected layer are those of the
    code's layer file for 18% error, random crops with flips, the mean image and the ten views at
    test those of its own method for 13 and 11%. Changed, and why:

    - twice the maps in conv2 and conv3, and crops of 28 pixels in place of 24, to learn in a
      quarter of the epochs;
    - normalisation across maps (9 of them, as in the file for 11%) in place of within each map, its
      alpha 400 times the file's: that met raw pixels, 64 times larger than these, and would do
      nothing here; 64 squared times the file's slowed learning in our trials;
    - LSUV in place of N(0, 0.0001) in conv1 and N(0, 0.01), which presume raw pixels; pixels are
      divided to unit variance for it;
    - a cosine over 35 epochs after a short warm-up, where the rates were lowered by hand after 120;
    - the paper's decay for all weights, in place of the code's 0.004, and 1 in the last layer, at a
      rate of 0.001; one rate for weights and biases.
    """
    return Recipe(
        name="cifar",
        variant="cifar",
        input_size=28,
        image_size=32,
        widths=(32, 64, 128),
        lrn_size=9,
        lrn_k=1.0,
        lrn_alpha=400 * 1e-3 / 9,
        init="lsuv",
        mean="image",
        input_std=(64.0, 64.0, 64.0),
        crop="random",
        colour_noise="none",
        epochs=35,
        batch_size=128,
        lr=0.08,
        rule="torch",
        schedule="cosine",
        warmup_steps=100,
    )


def tiny() -> Recipe:
    """Images of 64 pixels, as Tiny ImageNet's: the paper's eight layers behind a smaller conv1.

    Layers, towers, normalisation, overlapping pooling and dropout are the paper's, and so is the
    crop of seven eighths, 56 of 64 pixels. Changed, and why:

    - conv1 has filters of 5 x 5 at stride 2 in place of 11 x 11 at stride 4, which would leave
      conv2 six pixels to look at: its maps are 28, 13 and 6 pixels wide where the paper's are 55,
      27 and 13;
    - two thirds of the maps and 1024 units in fc6 and fc7, enough for 200 classes and a fifth of
      the arithmetic;
    - initialisation, scale of the pixels, dropout's form, warm-up and cosine as in `small`, for the
      same reasons; batch 64.
    """
    return replace(
        small(),
        name="tiny",
        input_size=56,
        image_size=64,
        conv1_kernel=5,
        conv1_stride=2,
        widths=(64, 192, 256, 256, 192),
        fc_width=1024,
        epochs=30,
        batch_size=64,
        lr=0.02,
        warmup_steps=100,
    )


def boxed() -> Recipe:
    """What the network that comes with the package was trained by: `small`, narrow enough for 3 MB.

    All eight layers, both towers and LRN are the paper's, on crops of 128 pixels. Changed against
    `small`, and why:

    - half of the maps and a twelfth of fc6 and fc7: 1.4 million parameters in place of 57, which
      are 2.9 MB in float16;
    - crops of random size and shape from 35% of the image on, and a tenth of the label for all
      classes, as 40 epochs would have a few thousand photographs learnt by heart;
    - a dropout of 0.3, since a narrow layer has fewer units to lose;
    - batch 64 at twice the rate: half of the steps, which cost a narrow network the most.
    """
    return replace(
        small(),
        name="boxed",
        input_size=128,
        image_size=144,
        widths=(48, 128, 256, 256, 160),
        fc_width=320,
        dropout_p=0.3,
        crop="resized",
        crop_area=(0.35, 1.0),
        epochs=40,
        batch_size=64,
        lr=0.02,
        label_smoothing=0.1,
        warmup_steps=150,
    )


def transfer() -> Recipe:
    """For a few images of new classes, from the weights of another run: `--init-from RUN`.

    The network and the scale of its pixels are those of that run, whatever stands here. Changed
    against `small`, and why:

    - the last layer, which is new, learns ten times as fast as the layers that are trained already
      (Caffe's fine-tuning of Flickr style, which had 0.001 and ten times that);
    - crops of random size and shape from 35% of the image on, since a few images are soon learnt by
      heart;
    - 15 epochs, as hardly anything changes afterwards, and a lower rate: what is learnt already is
      to be kept.
    """
    return replace(
        small(),
        name="transfer",
        crop="resized",
        crop_area=(0.35, 1.0),
        epochs=15,
        lr=0.004,
        lr_factor=("head=10",),
        warmup_steps=20,
    )


PRESETS: tuple[Callable[[], Recipe], ...] = (
    small, modern, paper, source2012, caffe, owt, cifar, tiny, boxed, transfer,
)  # fmt: skip
RECIPES = {preset.__name__: preset() for preset in PRESETS}
