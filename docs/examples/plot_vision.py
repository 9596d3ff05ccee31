"""What and where: a digit and its box in a cluttered image
==========================================================

Images of 16 x 16 pixels with one handwritten digit in one of nine places, among scraps of others;
in one image of ten there are scraps alone. One model tells which digit it is, a class, and where
its box is, four numbers; an image without a digit has no box, so that these labels are missing.
Beside it stand two networks of scikit-learn, one for the class and one for the box.
"""

# %%
# The digits ship with scikit-learn. Those of test images are in no training image.
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_attention import MultiTaskAttentionEstimator
from sk_attention.preprocessing import image_patches

SIDE, PATCH, SCRAP = 16, 4, 4
BOX = ["left", "top", "right", "bottom"]


def compose(digits, labels, n_images, rng):
    """Return images, and what is where."""
    images, rows = np.zeros((n_images, SIDE, SIDE)), []
    for image in images:
        for scrap in digits[rng.integers(len(digits), size=3)]:
            (y, x), (top, left) = rng.integers(9 - SCRAP, size=2), rng.integers(SIDE - 3, size=2)
            image[top : top + SCRAP, left : left + SCRAP] = scrap[y : y + SCRAP, x : x + SCRAP]
        if rng.random() < 0.1:
            rows.append(("none", *[np.nan] * 4))
            continue
        chosen, (top, left) = rng.integers(len(digits)), PATCH * rng.integers(3, size=2)
        image[top : top + 8, left : left + 8] = digits[chosen]
        y, x = np.nonzero(digits[chosen])
        box = left + x.min(), top + y.min(), left + x.max() + 1.0, top + y.max() + 1.0
        rows.append((str(labels[chosen]), *box))
    return images, pd.DataFrame(rows, columns=["digit", *BOX])


rng = np.random.default_rng(0)
source = train_test_split(*load_digits(return_X_y=True), test_size=0.3, random_state=0)
digits_train, digits_test, labels_train, labels_test = source
images, y = compose(digits_train.reshape(-1, 8, 8), labels_train, 4000, rng)
images_test, y_test = compose(digits_test.reshape(-1, 8, 8), labels_test, 1000, rng)
print(f"{len(images)} images to train on, {len(images_test)} to test; the labels:")
print(y.head(3).to_string(index=False))

# %%
# Each patch of 4 x 4 pixels is a feature of 16 numbers; classes are told from numbers by dtype.
start = time.process_time()
model = MultiTaskAttentionEstimator(
    n_members=4,
    max_epochs=12,
    refit=False,
    random_state=0,
).fit(image_patches(images, PATCH), y)
print(f"\nMultiTaskAttentionEstimator: {time.process_time() - start:.0f} s of CPU")
print("tasks:", dict(zip(model.task_names_, model.task_types_, strict=True)))

# %%
# The baseline: a network for the class, and one for the box, of pixels.
start = time.process_time()
pixels, pixels_test = (own.reshape(len(own), -1) for own in (images, images_test))
layers = {"hidden_layer_sizes": (256, 128), "early_stopping": True, "random_state": 0}
what = make_pipeline(StandardScaler(), MLPClassifier(**layers)).fit(pixels, y["digit"])
there = y["left"].notna()
where = make_pipeline(StandardScaler(), MLPRegressor(**layers)).fit(pixels[there], y[there][BOX])
print(f"MLPClassifier and MLPRegressor: {time.process_time() - start:.0f} s of CPU")


def overlap(one, other):
    """Return intersection over union of boxes, row by row."""
    low, high = np.maximum(one, other), np.minimum(one, other)
    sides = np.clip(high[:, 2:] - low[:, :2], 0, None)
    area, others = (np.prod(np.clip(b[:, 2:] - b[:, :2], 0, None), axis=1) for b in (one, other))
    shared = np.prod(sides, axis=1)
    return shared / (area + others - shared)


predicted = model.predict(image_patches(images_test, PATCH))
boxes = {"attention": predicted[BOX].to_numpy(), "MLPs of pixels": where.predict(pixels_test)}
digits = {"attention": predicted["digit"], "MLPs of pixels": what.predict(pixels_test)}
seen = y_test["left"].notna().to_numpy()
rows = {}
for name in boxes:
    shared = overlap(boxes[name][seen], y_test.loc[seen, BOX].to_numpy())
    rows[name] = {
        "accuracy": f"{np.mean(digits[name] == y_test['digit']):.3f}",
        "intersection over union": f"{shared.mean():.3f}",
        "boxes above 0.5": f"{np.mean(shared > 0.5):.3f}",
    }
print(f"\n{pd.DataFrame(rows).T.to_string()}")

# %%
# The map: how much each patch is looked at for the digit, and on average for the box.
alpha = model.attend(image_patches(images_test[:6], PATCH))
maps = np.stack([alpha[:, 0], alpha[:, 1:].mean(axis=1)]).reshape(2, 6, SIDE // PATCH, -1)
folder = Path("runs") / "vision"
folder.mkdir(parents=True, exist_ok=True)
predicted.to_csv(folder / "predictions.csv", index_label="image")
written = "predictions.csv"
try:
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle
except ImportError:
    print("\nNo picture: pip install 'sk-attention[plot]'")
else:
    figure, axes = plt.subplots(2, 6, figsize=(11, 4.3), layout="constrained")
    for column, told in predicted.head(6).iterrows():
        left, top, right, bottom = told[BOX]
        titles = told["digit"], "box"
        for ax, weights, title in zip(axes[:, column], maps[:, column], titles, strict=True):
            ax.imshow(images_test[column], cmap="gray_r", extent=(0, SIDE, SIDE, 0))
            ax.imshow(weights, cmap="Reds", alpha=0.45, extent=(0, SIDE, SIDE, 0))
            ax.set(xticks=[], yticks=[], title=title)
            if told["digit"] != "none":
                box = Rectangle((left, top), right - left, bottom - top, fill=False, color="C0")
                ax.add_patch(box)
    figure.savefig(folder / "attention.png", dpi=80)
    written = "attention.png, predictions.csv"
print(f"\nWritten to {folder.resolve()}: {written}")
