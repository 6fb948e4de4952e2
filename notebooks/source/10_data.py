# %% [markdown]
# # 10. Data: from a file to the network's input
#
# **At the end you will know** how a photograph of any shape becomes 224×224×3 numbers, where the paper's
# "factor of 2048" comes from and why it should be 2178, what a mean image is and where it is subtracted,
# what noise on the colours really does, why the strength of the paper's formula depends on the unit of the pixels,
# and how ten crops are averaged. You will have written four of these steps.
#
# About 58 minutes to read, 25 for the four exercises. You need NumPy, the product of a matrix and a vector, mean and
# standard deviation, and notebook 3 for the softmax; notebook 4 (convolution) for one remark. What an eigenvector is
# stands where it is needed.

# %%
import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw

import minigrad as mg
from alexnet_course import n10_data as check
from alexnet_course import yours
from alexnet_course.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, use_style
from alexnet_scratch.data import load_image
from alexnet_scratch.data.augment import Place, TrainingView, centre, colour_axes, cut
from alexnet_scratch.data.statistics import measure
from alexnet_scratch.data.views import TEN_CROP
from alexnet_scratch.pixels import ToInput, pixel_statistics
from alexnet_scratch.recipe import RECIPES
from minigrad.nn import functional as F

use_style()

# %% [markdown]
# We draw our own landscapes: a sky, a sun, hills, a house, and light that differs from one to the next.
# Like photographs they have an up and a down, and colours that go together. You can skip the code.


# %%
def landscape(rng, width, height):
    """A drawn scene (height, width, 3), uint8."""
    sheet = Image.new("RGB", (width, height))
    pen = ImageDraw.Draw(sheet)
    for row in range(height):  # the sky, paler towards the horizon
        down = row / height
        pen.line((0, row, width, row), fill=(int(150 + 90 * down), int(180 + 50 * down), 235))
    unit = min(width, height)
    x, y, r = rng.uniform(0.15, 0.85) * width, rng.uniform(0.12, 0.3) * height, 0.08 * unit
    pen.ellipse((x - r, y - r, x + r, y + r), fill=(255, 235, 140))
    columns = np.arange(width)
    for depth, colour in ((0.5, (90, 130, 110)), (0.6, (95, 140, 60)), (0.72, (120, 120, 55))):
        wave = np.sin(columns / width * rng.uniform(4, 9) + rng.uniform(0, 6))
        edge = height * (depth + 0.05 * wave)
        colour = tuple(np.clip(colour + rng.normal(0, 15, 3), 0, 255).astype(int))
        pen.polygon([(0, height), *zip(columns, edge, strict=True), (width, height)], fill=colour)
    x, y, side = rng.uniform(0.1, 0.7) * width, 0.72 * height, rng.uniform(0.15, 0.25) * unit
    wall = tuple(int(v) for v in rng.uniform((150, 120, 90), (240, 220, 200)))
    pen.rectangle((x, y - side * 0.7, x + side, y), fill=wall)
    roof = [
        (x - side * 0.1, y - side * 0.7),
        (x + side / 2, y - side * 1.2),
        (x + side * 1.1, y - side * 0.7),
    ]
    pen.polygon(roof, fill=(160, 60, 45))
    light = np.exp(rng.normal(-0.2, 0.4)) * np.exp(rng.normal(0, 0.06, 3))
    return np.clip(np.asarray(sheet) * light, 0, 255).astype(np.uint8)


photo = landscape(np.random.default_rng(91), 480, 320)
file = io.BytesIO()
Image.fromarray(photo).save(file, "PNG")

# %% [markdown]
# ## 256×256
#
# The files of ImageNet have all sizes; the network takes one. The paper (section 2) scales each image so that
# its **short side** has 256 pixels, then takes the 256×256 pixels in the **middle**. Many follow-ups, Caffe's
# tutorial among them, *squash* the whole image to 256×256 instead. `load_image` does either:

# %%
cropped = load_image(file.getvalue(), 256, "crop")
squashed = load_image(file.getvalue(), 256, "squash")

fig, axes = plt.subplots(1, 3, figsize=(8.5, 3), width_ratios=[480, 320, 320])
for ax, image, title in zip(
    axes,
    (photo, cropped, squashed),
    ("The file: 480×320", "Crop: the sides are lost", "Squash: the sun is an egg"),
    strict=True,
):
    ax.imshow(image)
    ax.set_title(title, fontsize=11)
    ax.set_axis_off()
axes[0].add_patch(plt.Rectangle((79.5, 0), 320, 319, fill=False, edgecolor=RED, linewidth=2))
plt.show()
print(f"share of the file that the crop throws away: {1 - 320 / 480:.0%}")

# %% [markdown]
# Neither is wrong. But a network has to be tested with the form that it was trained with.
#
# ## The crops, counted
#
# Training never shows the 256×256 image as a whole. Each time it takes a 224×224 piece at a random place,
# and mirrors it left to right half of the time. The paper (section 4.1) says that this "increases the size of our
# training set by a factor of 2048".
#
# ## Exercise 1: all crops
#
# List every different crop, so that we can count. A crop has a row `top` and a column `left` where it begins,
# and is mirrored or not.


# %% tags=["exercise"]
def all_places(image_size, size):
    """All crops of side `size` of a square image: a list of (top, left, mirrored)."""
    raise NotImplementedError


# %%
check.all_places(all_places)

# %% [markdown]
# A crop of $k$ pixels within $S$ pixels can begin at $0, 1, \dots, S - k$. These are $S - k + 1$ places:
#
# $$2 \, (256 - 224 + 1)^2 = 2 \cdot 33^2 = 2178, \qquad \text{and not} \qquad 2 \, (256 - 224)^2 = 2 \cdot 32^2 = 2048 .$$
#
# The paper's number leaves out the last place. The authors' published code, however, draws from 33 (convdata.py:
# `randint(0, border * 2 + 1)` with a border of 16; the upper end is exclusive). So the paper's sentence is off
# by one, and the program was right. Our recipes (the settings of a training run) have both: `paper`, which follows the
# text, has 32 places a side, and `source2012`, which follows the code, has 33.
# What would really be lost with 32? We draw crops and note which rows of the image they ever touch:

# %%
rows = np.arange(256)
numbered = np.broadcast_to(rows[:, None, None], (256, 256, 3))  # each pixel holds its row's number
for last, recipe in ((False, "paper"), (True, "source2012")):
    view = TrainingView(224, last=last)
    rng = np.random.default_rng(0)
    seen = {int(row) for _ in range(2000) for row in view(numbered, rng)[[0, -1], 0, 0]}
    print(f"{recipe:10s} crops touch the rows {min(seen)} to {max(seen)}")

# %% [markdown]
# With 32 places the last row and the last column of the image are never seen. No network will notice. But
# count yourself: the same slip at another place (a window that stops one early) is a bug.
#
# How often is each pixel seen? In one dimension, pixel $p$ lies in the crops that begin at $p - 223, \dots, p$,
# as far as there are such. In two dimensions the shares are multiplied:

# %%
starts = np.arange(33)
covered = ((starts <= rows[:, None]) & (rows[:, None] < starts + 224)).mean(axis=1)
share = np.outer(covered, covered)

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4), width_ratios=[1.4, 1])
left.plot(rows, 100 * covered, color=BLUE, linewidth=2)
left.set(xlabel="row", ylabel="crops that contain it (%)", title="The margin is seen less often")
picture = right.imshow(100 * share, vmin=0, vmax=100)
right.set(xlabel="column", ylabel="row", title="Rows times columns")
right.grid(False)
fig.colorbar(picture, ax=right, label="%")
plt.show()
print(
    f"a corner pixel is in 1 of {1 / share[0, 0]:.0f} places, "
    f"the middle in all: {share[128, 128]:.0%}"
)

# %% [markdown]
# 2178 crops are not 2178 images. The paper calls them "highly interdependent". **Predict before you run:** what
# percentage of its area does a random crop share with another random crop of the same image, on average?

# %% tags=["answer"]
shared_area = None

# %%
check.shared_area(shared_area)

# %% [markdown]
# Counted, over all pairs of places:

# %%
distance = np.abs(starts[:, None] - starts)  # between two places, along one side
overlap = (224 - distance).mean() / 224
print(f"{distance.mean():.2f} pixels apart, {overlap:.1%} of a side and {overlap**2:.1%} of the area")

# %% [markdown]
# So crops are no new images. The gain is another one: the network cannot rely on *where* something is. (A detail of the
# 2012 code that the paper does not mention: 32 images in a row shared one place and one flip. The recipe
# `source2012` has it as `crop_chunk`.)
#
# ## The mean image
#
# Section 2: "we did not pre-process the images in any other way, except for subtracting the mean activity over
# the training set from each pixel". So a mean for every pixel of the 256×256 image, a **mean image**; not one
# number for each colour, as is usual now. `measure` takes it over our training set, 200 landscapes:

# %%
training = np.stack([landscape(np.random.default_rng([8, i]), 256, 256) for i in range(200)])
statistics = measure(training)
mean_image = statistics.mean_image_0_255
print(
    "mean image:",
    mean_image.shape,
    " channel means (R, G, B):",
    statistics.channel_mean_0_255.round(1),
)

fig, axes = plt.subplots(1, 4, figsize=(8.5, 2.5))
for ax, image, title in zip(
    axes,
    (*training[[4, 2]], mean_image / 255, np.clip(0.5 + (training[4] - mean_image) / 510, 0, 1)),
    ("An image", "Another", "The mean of 200", "The first, less the mean"),
    strict=True,
):
    ax.imshow(image)
    ax.set_title(title, fontsize=11)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# What all images have in common, a bright sky above and a darker ground below, is in the mean, and it is
# taken away. (In the last picture grey stands for 0.)
#
# But the network sees crops. Which part of the mean image belongs to a crop?
#
# - The paper's words, and Caffe: the part **where the crop was**, pixel by pixel.
# - The 2012 code: always the **centre** 224×224 of the mean image, wherever the crop was.
# - Today: one mean for each colour; then the place does not matter.
#
# How much do the first two differ, for the top left crop and over all places? We print the root of the mean square
# (rms) over pixels and colours, in grey levels:

# %%
middle = cut(mean_image, centre(256, 224), 224)
squares = np.array([  # mean square of the difference, for each place
    [((cut(mean_image, Place(top, left, False), 224) - middle) ** 2).mean() for left in range(33)]
    for top in range(33)
])  # fmt: skip
print(f"top left crop: {np.sqrt(squares[0, 0]):.1f}")
print(f"all places:    {np.sqrt(squares.mean()):.1f}, at most {np.sqrt(squares.max()):.1f}")
print(f"an image less its mean has {np.sqrt(((training - mean_image) ** 2).mean()):.0f}")

# %% [markdown]
# So over all places the difference is a fifth of what is left of an image, and a third for the worst.
# Photographs have their horizons at all heights; their mean should be smoother, and the difference smaller. All
# three are in use. But test with the mean that you trained with: another one would shift every test image. So a
# run keeps its mean in its checkpoints.
#
# ## Exercise 2: subtract the mean
#
# `crop` is a crop as it came from the image: bytes, and if `mirrored`, left and right are exchanged. Subtract
# the part of the mean image where the crop was. A trap is waiting.


# %% tags=["exercise"]
def subtract_mean(crop, mean_image, top, left, mirrored):
    """crop (s, s, 3) uint8, mean_image (S, S, 3) float -> (s, s, 3) float."""
    raise NotImplementedError


# %%
check.subtract_mean(subtract_mean)

# %% [markdown]
# **A question.** A network was trained like this, with the mean image's part where each crop was. Now it is tested on
# the centre of each test image. What is to be subtracted? (a) The centre of the mean image of the test set. (b) The
# centre of the mean image of the training set. (c) One mean for each colour: at test there is no crop at random.
# (d) The test image's own mean.

# %% tags=["answer"]
mean_at_test = None

# %%
check.mean_at_test(mean_at_test)

# %% [markdown]
# Another trap, for those who keep the mean as bytes to save memory: bytes cannot be negative. They wrap
# around.

# %%
print(np.array([10], np.uint8) - np.array([20], np.uint8))

# %% [markdown]
# ## What an eigenvector is
#
# (Skip this if you know.) A matrix moves vectors: $C x$ usually points another way than $x$. But there may be
# directions that it only stretches,
#
# $$C\,p = \lambda\, p .$$
#
# Then $p$ is an *eigenvector* of $C$ and the factor $\lambda$ its *eigenvalue*. If $C$ is symmetric, there are as many of
# them as $C$ has rows, at right angles to each other, and they tell all about $C$: to apply it, take $x$ apart along
# them, stretch each part by its own $\lambda$, and add the parts up. That is what $C = P\, \mathrm{diag}(\lambda)\,
# P^\top$ says, with the eigenvectors as columns of $P$. Vectors of length 1, and where a matrix takes them:

# %%
matrix = np.array([[2.0, 0.8], [0.8, 1.0]])
stretch, directions = np.linalg.eigh(matrix)  # the smaller eigenvalue first
turns = np.arange(12) * np.pi / 6
starts_at = np.stack([np.cos(turns), np.sin(turns)], 1)
circle = np.stack([np.cos(np.linspace(0, 7, 200)), np.sin(np.linspace(0, 7, 200))])
plt.figure(figsize=(6.4, 4.0))
plt.plot(*circle, color="grey", linewidth=1, label="all x of length 1")
plt.plot(*(matrix @ circle), color=BLUE, label="their Cx")
for start in starts_at:
    plt.annotate("", matrix @ start, start, arrowprops={"arrowstyle": "->", "color": SKY})
for factor, p in zip(stretch, directions.T, strict=True):
    ends = np.array([-factor * p, factor * p])
    plt.plot(*ends.T, color=RED, linewidth=2.5)
    right = ends[ends[:, 0].argmax()]
    plt.annotate(f"eigenvalue {factor:.2f}", right, right + np.array([0.1, -0.3]), color=RED)
plt.xlim(-2.5, 3.4)
plt.gca().set_aspect("equal")
plt.title("Two directions are only stretched (red)")
plt.legend(loc="upper left", fontsize=9)
plt.show()

# %% [markdown]
# ## The colours of a data set
#
# The second augmentation of section 4.1 changes the colours. Take every pixel of the training set as a point
# $(R, G, B)$. Its mean is $\mu$ and its covariance the 3×3 matrix
#
# $$C = \frac{1}{n} \sum_{j=1}^{n} (x_j - \mu)(x_j - \mu)^\top = P \, \mathrm{diag}(\lambda_1, \lambda_2, \lambda_3) \, P^\top .$$
#
# The columns $p_1, p_2, p_3$ of $P$ (`eigenvectors`) are the principal axes of the cloud: unit vectors at right
# angles with $C p_i = \lambda_i p_i$. So along $p_i$ the pixels have the variance
#
# $$\frac{1}{n} \sum_{j=1}^{n} \left( p_i^\top (x_j - \mu) \right)^2 = p_i^\top C \, p_i = \lambda_i$$
#
# (`eigenvalues`), that is the standard deviation $\sqrt{\lambda_i}$. Numbers in grey levels, 0 to 255:

# %%
mu = statistics.channel_mean_0_255
eigenvectors = statistics.colour_eigenvectors
eigenvalues = statistics.colour_eigenvalues_0_255_squared
along = (training.reshape(-1, 3) - mu) @ eigenvectors
print("mean squares along the axes:", (along**2).mean(axis=0).round())
for i in range(3):
    print(
        f"p{i + 1} = {eigenvectors[:, i].round(2)}   variance {eigenvalues[i]:7.0f}   "
        f"standard deviation {np.sqrt(eigenvalues[i]):5.1f}"
    )

# %% [markdown]
# ImageNet has 1.2 million images, 80 billion pixels at 256×256. Nobody holds them in memory at once, and nobody needs
# to: $C$ is made of *sums*, and sums can be taken batch by batch. Thirteen numbers go along, how many pixels there were,
# $\sum x$ and $\sum x x^\top$; at the end
#
# $$\mu = \frac1n \sum x, \qquad C = \frac1n \sum x x^\top - \mu \mu^\top .$$
#
# (A difference of two large numbers loses digits if they are rounded. Pixels are whole numbers: added as such they are
# exact, and that is what `measure` does.)

# %%
count, total, products = 0, np.zeros(3, int), np.zeros((3, 3), int)
for batch in np.array_split(training, 7):
    x = batch.reshape(-1, 3).astype(int)
    count, total, products = count + len(x), total + x.sum(axis=0), products + x.T @ x
in_batches = products / count - np.outer(total / count, total / count)
print("eigenvalues from seven batches:", np.linalg.eigvalsh(in_batches)[::-1].round(1))
print("of all pixels at once:         ", eigenvalues.round(1))

# %%
sample = training.reshape(-1, 3)[np.random.default_rng(1).integers(0, training.size // 3, 3000)]
plt.figure(figsize=(6.4, 4.4))
plt.scatter(sample[:, 0], sample[:, 2], c=sample / 255, s=7)
for i, colour in enumerate((BLACK, RED, PURPLE)):
    dx, _, dz = eigenvectors[:, i] * np.sqrt(eigenvalues[i])
    plt.annotate(
        "", (mu[0] + dx, mu[2] + dz), (mu[0], mu[2]),
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.5},
    )  # fmt: skip
    label = f"p{i + 1} times its deviation, seen in red and blue"
    plt.plot([], [], color=colour, linewidth=2.5, label=label)
plt.xlabel("red")
plt.ylabel("blue")
plt.title("3000 pixels in their own colours, and the axes of the cloud")
plt.legend(loc="upper left", fontsize=9)
plt.show()

# %% [markdown]
# The first axis is brightness: red, green and blue rise together. On ImageNet it is so, too: Krizhevsky's later library
# cuda-convnet2 ships its axes (in `make-data/input_meta`), and the first is 0.564, 0.576, 0.592 (or
# with three minus signs: the opposite direction is the same axis). The second and third change the tint. The noise of
# the paper moves all pixels of an image together along these axes, as if the light had been another:
#
# $$x \leftarrow x + [p_1 \; p_2 \; p_3] \, [\alpha_1 \lambda_1, \; \alpha_2 \lambda_2, \; \alpha_3 \lambda_3]^\top,
# \qquad \alpha_i \sim N(0, 0.1^2),$$
#
# with three new $\alpha$ each time an image is used.
#
# ## Eigenvalue or standard deviation?
#
# The formula says $\lambda_i$, the eigenvalue. Can that be meant? Look at the units. If the pixels $x$ are
# measured in grey levels, $\lambda_i$ has grey levels *squared*, and it is added to grey levels. Change the unit,
# from 0–255 to 0–1: $x$ gets 255 times smaller, $\lambda_i$ gets $255^2$ times smaller. So the strength of the
# noise, next to the image, depends on the unit. With $\sqrt{\lambda_i}$ it does not. How far does a typical draw
# ($\alpha_1 = 0.1$) move the pixels along the first axis? We ask for our landscapes, and for ImageNet, whose
# three deviations in cuda-convnet2's file are 121.78, 37.09 and 19.72.

# %%
imagenet = np.array([121.78, 37.09, 19.72])  # standard deviations in grey levels
print("                                 landscapes   ImageNet   (grey levels)")
for words, shift in (
    ("eigenvalue, pixels 0 to 255   ", lambda value: 0.1 * value),
    ("eigenvalue, pixels 0 to 1     ", lambda value: 0.1 * value / 255**2 * 255),
    ("standard deviation, any unit  ", lambda value: 0.1 * np.sqrt(value)),
):
    print(f"{words}   {shift(eigenvalues[0]):10.1f} {shift(imagenet[0] ** 2):10.1f}")

# %% [markdown]
# The first line is nonsense: an image has only 256 grey levels. The second is possible, and it is what many
# programs do. The third is what the authors' published code does: the numbers are called `color_stdevs` there, and
# the sum is divided by 1.1 afterwards. On the first axis the two readings differ by a factor of two, on the
# others by more:

# %%
by_value, by_deviation = 0.1 * imagenet**2 / 255, 0.1 * imagenet
print("eigenvalue, 0 to 1: ", by_value.round(1))
print("standard deviation: ", by_deviation.round(1))
print("ratio:              ", (by_deviation / by_value).round(1))

# %% [markdown]
# With eigenvalues the tint hardly moves at all: under a grey level on the second and third axes. A trap for those
# who copy: the numbers 0.2175, 0.0188 and 0.0045 that stand in many programs (they come from Facebook's
# fb.resnet.torch) are ImageNet's eigenvalues for pixels from 0 to 1. One sees it by taking roots, in grey levels:

# %%
print((255 * np.sqrt([0.2175, 0.0188, 0.0045])).round(1), "against", imagenet)

# %% [markdown]
# They agree to a few percent, the third to 13%. Two measurements of ImageNet need not agree better: the numbers on the
# left are "computed from random subset of ImageNet training images", says the comment above them.
#
# And this is how it looks. Each row has the same five draws, $\alpha_1 = -0.2, \dots, 0.2$ (two deviations to each
# side), with $\alpha_2 = -\alpha_1$:

# %%
kinds = {
    "eigenvalue,\n0 to 255": eigenvectors * eigenvalues,
    "eigenvalue,\n0 to 1": colour_axes(eigenvectors, eigenvalues, "eigenvalue"),
    "standard\ndeviation": colour_axes(eigenvectors, eigenvalues, "deviation"),
}
fig, axes = plt.subplots(3, 5, figsize=(8.5, 5.8))
for row, (name, scaled_axes) in zip(axes, kinds.items(), strict=True):
    row[0].set_ylabel(name, fontsize=10)
    for ax, alpha in zip(row, (-0.2, -0.1, 0, 0.1, 0.2), strict=True):
        moved = cropped + scaled_axes @ np.array([alpha, -alpha, 0])
        ax.imshow(np.clip(moved, 0, 255).astype(np.uint8))
        ax.set(xticks=[], yticks=[])
        ax.spines[["right", "top"]].set_visible(True)
        ax.grid(False)
        ax.set_title(f"α₁ = {alpha}", fontsize=10)
plt.show()

# %% [markdown]
# ## Exercise 3: the shift
#
# Write the noise as the authors' code has it, with standard deviations (but without the division by 1.1): one
# shift $(R, G, B)$ for one image.


# %% tags=["exercise"]
def colour_shift(eigenvectors, eigenvalues, alpha):
    """eigenvectors (3, 3), in columns; eigenvalues, alpha (3,) -> added to R, G, B (3,)."""
    raise NotImplementedError


# %%
check.colour_shift(colour_shift)

# %% [markdown]
# ## What the noise does to the first layer
#
# The shift is the same for all pixels, and a convolution is linear. So behind the first convolution the shift
# is **one constant for each kernel**: the shift times the sum of the kernel's weights (away from a padded
# border). A kernel whose weights sum to 0 in each colour, such as an edge detector, does not see it.

# %%
rng = np.random.default_rng(5)
kernels = rng.normal(0, 0.01, (8, 3, 11, 11))
kernels[4:] -= kernels[4:].mean(axis=(2, 3), keepdims=True)  # the last four: sums of 0
shift = colour_axes(eigenvectors, eigenvalues, "deviation") @ np.array([0.1, -0.05, 0.02])
x = np.moveaxis(cropped.astype(float), 2, 0)[None]
plain, noisy = (
    F.conv2d(mg.tensor(image), mg.tensor(kernels), stride=4).data[0]
    for image in (x, x + shift[:, None, None])
)
change = noisy - plain
print("the same at all places:", np.allclose(change, change[:, :1, :1]))
print(
    "it is shift · sum of weights:", np.allclose(change[:, 0, 0], kernels.sum(axis=(2, 3)) @ shift)
)
print("kernels that see it:", [k for k in range(8) if not np.allclose(change[k], 0)])

# %% [markdown]
# So the noise teaches the network not to trust the overall colour, and leaves its edges alone. The paper says that
# it lowers the top-1 error by over 1 point.
#
# ## Ten crops at test time
#
# At test there is no chance involved. The paper takes five places, the four corners and the centre, and each of
# them mirrored: ten crops. The predictions for all ten are averaged.

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 4))
left.imshow((cropped * 0.6).astype(np.uint8))
count = np.zeros((256, 256), int)
colours = (ORANGE, SKY, GREEN, PURPLE, "white")
for view, colour in zip(TEN_CROP, colours, strict=False):  # the first five are not mirrored
    top, start, _ = view.within(cropped.shape, 224)
    count[top : top + 224, start : start + 224] += 2
    box = plt.Rectangle(
        (start - 0.5, top - 0.5), 224, 224, fill=False, edgecolor=colour, linewidth=2,
        label=str(view), clip_on=False,
    )  # fmt: skip
    left.add_patch(box)
left.legend(loc="center", fontsize=9)
left.set_title("Five places, each also mirrored")
left.set_axis_off()
picture = right.imshow(count, vmin=0, vmax=10)
right.set(title="How many of the ten see a pixel", xlabel="column", ylabel="row")
right.grid(False)
fig.colorbar(picture, ax=right)
plt.show()

# %% [markdown]
# On ILSVRC-2010 that brought the paper's network from 39.0% top-1 error to 37.5% (section 6, with its
# footnote).
#
# "Averaged" means: the *probabilities*. The network gives $V$ rows of logits $z_{v,c}$ (view $v$ of $V = 10$,
# class $c$), and
#
# $$p_c = \frac{1}{V} \sum_{v=1}^{V} \frac{e^{z_{v,c}}}{\sum_{c'} e^{z_{v,c'}}} .$$
#
# To average the logits first and to take one softmax is something else. It can even name another class. Three
# views, three classes: one view is very sure of class 0, two lean to class 1:

# %%
logits = np.array([[9.0, 0, 0], [0, 2, 1], [0, 2, 1]])
p = F.softmax(mg.tensor(logits), 1).data
print("mean of the probabilities:", p.mean(axis=0).round(3))
print("softmax of the mean:      ", F.softmax(mg.tensor(logits.mean(axis=0)), 0).data.round(3))

# %% [markdown]
# Each view has one vote in the first line. In the second line a view that is loud enough outvotes the others.
#
# ## Exercise 4: average the views
#
# Mind large logits: $e^{1000}$ is not a number that a computer has.


# %% tags=["exercise"]
def average_views(logits):
    """logits (views, classes) -> probabilities (classes,), the mean over the views."""
    raise NotImplementedError


# %%
check.average_views(average_views)

# %% [markdown]
# ## All steps together
#
# A training step of a recipe: bytes are cropped and mirrored; then, where the network is, the mean is subtracted,
# the shift added, and all of it scaled:
#
# $$\text{input} = (\text{crop} - \text{mean} + \text{shift}) \,/\, \text{divisor} \,/\, \text{std}$$
#
# The processor (CPU) cuts and mirrors while the GPU is busy with the batch before, so that augmentation costs no time:
# "in effect, computationally free", says the paper (section 4.1). minigrad does the same: its loader (`DataLoader` with
# `workers`) prepares the next batches on the side.
#
# `divisor` is 1.1 in `source2012` when there is noise, else 1; `std` is 1 in both recipes here. Only bytes travel
# to a GPU: a quarter of what floats would weigh. `ToInput` is that step. Nothing is cut off at 0 or 255. We print
# the range with the noise and without:

# %%
alphas = np.array([[0.1, -0.05, 0.02]], np.float32)
for name in ("paper", "source2012"):
    recipe = RECIPES[name]
    view = TrainingView(224, last=recipe.crop != "random-2048")
    crop, place = view.draw(training[4], np.random.default_rng(11))  # the same place for both
    to_input = ToInput(recipe, pixel_statistics(recipe, statistics))
    pixels = mg.tensor(np.ascontiguousarray(crop)[None])
    x, quiet = to_input(pixels, [place], alphas), to_input(pixels, [place])
    print(
        f"{name}: mean {recipe.mean}, noise {recipe.colour_noise}, "
        f"divisor {recipe.colour_divisor}, std {recipe.input_std}\n"
        f"    crop bytes {crop.nbytes}, input {x.shape} bytes {x.data.nbytes}, "
        f"from {x.data.min():.0f} to {x.data.max():.0f}, "
        f"without noise {quiet.data.min():.0f} to {quiet.data.max():.0f}"
    )

# %% [markdown]
# Without noise, and so without the divisor, the ranges still differ: the crop is the same, but the two subtract
# different parts of the mean image.
#
# See it for a picture of your own with `alexnet show-augment --image FILE`.
#
# ## Your code is the network
#
# The next cell compares your four functions with those that prepare the images of a training run.

# %%
yours.plug("10_data", globals())

# %% [markdown]
# ## What to remember
#
# - Resize, crop and mean belong to the network: test with what it was trained with.
# - 256 − 224 gives 33 places a side, not 32: 2178 crops. On average two overlap by nine tenths of their area.
# - The colour noise is one shift for the whole image. In the code its size is $0.1 \sqrt{\lambda}$; the paper's
#   $0.1 \, \lambda$ depends on the unit of the pixels.
# - Ten crops: average the probabilities, not the logits.
#
# ## Further
#
# No check, only for you. Open a photograph of your own, `mine = load_image(open(FILE, "rb").read(), 256, "crop")`, and
# draw the row of five colour shifts for it with the deviations of ImageNet's photographs, 121.78, 37.09 and 19.72, and
# the eigenvectors of your photograph's own pixels (`measure(mine[None]).colour_eigenvectors`). You should see light and
# tint change as if the sun had moved.
# Then give each *pixel* its own $\alpha$ in place of one for the image: what do you see, and why would an edge detector
# no longer be blind to it?
#
# [Solutions](solutions/10_data.ipynb). Next: [notebook 11](11_alexnet.ipynb), AlexNet.
