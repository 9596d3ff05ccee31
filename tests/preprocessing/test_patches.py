import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_attention.preprocessing import image_patches


@pytest.mark.parametrize("colours", [(), (3,)])
def test_patches_are_pieces_of_the_image(colours):
    images = np.random.default_rng(0).random((2, 6, 9, *colours))
    patches = image_patches(images, 3)
    assert patches.shape == (2, 6, 9 * 3 ** len(colours))
    for number in range(6):
        top, left = 3 * (number // 3), 3 * (number % 3)
        piece = images[:, top : top + 3, left : left + 3]
        assert_array_equal(patches[:, number], piece.reshape(2, -1))


@pytest.mark.parametrize(
    ("shape", "size", "match"),
    [
        ((4, 4), 2, r"images must have the shape .*; got \(4, 4\)"),
        ((1, 4, 6), 4, "size must divide height and width of the images, 4 and 6; got 4"),
        ((1, 4, 4), 0, "got 0"),
    ],
)
def test_images_that_cannot_be_cut_are_refused(shape, size, match):
    with pytest.raises(ValueError, match=match):
        image_patches(np.zeros(shape), size)
