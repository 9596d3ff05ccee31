"""Images -> patches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def image_patches(images: ArrayLike, size: int) -> NDArray[Any]:
    """Cut images into square patches, each of which an estimator reads as one feature.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width) or (n_images, height, width, n_colours)
        Images of one size.
    size : int
        Height and width of a patch; both sides of the images must be multiples of it.

    Returns
    -------
    patches : ndarray of shape (n_images, n_patches, size * size * n_colours)
        Patches from left to right, then from top to bottom; in each, pixels in the same order.

    Raises
    ------
    ValueError
        If the images have another shape, or cannot be cut so.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention.preprocessing import image_patches
    >>> image_patches(np.arange(16).reshape(1, 4, 4), size=2)
    array([[[ 0,  1,  4,  5],
            [ 2,  3,  6,  7],
            [ 8,  9, 12, 13],
            [10, 11, 14, 15]]])
    """
    pixels = np.asarray(images)
    if pixels.ndim not in (3, 4):
        raise ValueError(
            "images must have the shape (n_images, height, width) or (n_images, height, width, "
            f"n_colours); got {pixels.shape}."
        )
    n_images, height, width = pixels.shape[:3]
    if size < 1 or height % size or width % size:
        raise ValueError(
            f"size must divide height and width of the images, {height} and {width}; got {size}."
        )
    cut = pixels.reshape(n_images, height // size, size, width // size, size, -1)
    n_patches = (height // size) * (width // size)
    return cut.swapaxes(2, 3).reshape(n_images, n_patches, size * size * cut.shape[-1])
