"""What to do with data before they go to an estimator."""

from ._patches import image_patches

__all__ = ["image_patches"]
