"""Notebook 15: edits that make the solution wrong, and words of the hint that each must get."""

COPY = """            covered = image.copy()
"""
WRONG = {
    "saliency": [
        ("np.abs(slopes.numpy()[0]).max(axis=0)", "slopes.numpy()[0].max(axis=0)", "size of each"),
        ("np.abs(slopes.numpy()[0]).max(axis=0)", "abs(slopes.numpy()[0].max(0))", "First the"),
        ("np.abs(slopes.numpy()[0]).max(axis=0)", "np.abs(slopes.numpy()[0])", "for each colour"),
        ("np.abs(slopes.numpy()[0]).max(axis=0)", "abs(slopes.numpy()).max(1)", "batch of one"),
        (".max(axis=0)", ".sum(axis=0)", "adds up the colours"),
        ("model(x)[0, label]", "model(x).softmax(1)[0, label]", "of the probability"),
        ("model(x)[0, label]", "model(x).log_softmax(1)[0, label]", "of the loss"),
        ("model(x)[0, label]", "model(x).sum()", "where does `label`"),
        ("model(x)[0, label]", "model(x)[0, 1]", "another class"),
        ("model(x)[0, label]", "model(x)[0, label] ** 2", "finite differences"),
    ],
    "occlusion": [
        ("size - patch + 1", "size - patch", "still fits"),
        ("size - patch + 1", "size", "as long as it fits"),
        (".mean(axis=(1, 2))[:, None, None]", ".mean() * 0", "with 0"),
        (".mean(axis=(1, 2))[:, None, None]", ".mean()", "its own mean"),
        ("found[row, column]", "found[column, row]", "exchanged"),
        ("= probability(covered)", "= probability(image) - probability(covered)", "the change"),
        ("probability(covered)", "probability(image)", "say the same"),
        ("= probability(covered)", "= 1 - probability(covered)", "1 minus"),
        ("= probability(covered)", "= probability(covered) ** 2", "what `probability` returned"),
        ("] = mean", "] = 0.5", "not with the mean colour"),
        ("] = mean", "] = image.max()", "not with the mean colour"),
        (".mean(axis=(1, 2))[:, None, None]", ".mean(axis=(0, 2))[:patch, None]", "not with the"),
        ("j : j + patch]", "j : j + patch + 1]", "Not even the first"),
        ("i : i + patch,", "i // 2 : i // 2 + patch,", "where do their patches"),
        (COPY, COPY.replace("image.copy()", "image"), "changes the array"),
        ([(COPY, ""), ("    for row, i in", "    covered = image.copy()\n    for row, i in")],
         "stay covered"),
        (
            "covered[:, i : i + patch, j : j + patch] = mean",
            "covered[:] = mean; covered[:, i : i + patch, j : j + patch] = "
            "image[:, i : i + patch, j : j + patch]",
            "everything but",
        ),
        ("] = mean", "] = image[:, i:i+patch, j:j+patch].mean((1, 2))[:, None, None]", "the patch"),
    ],
}
