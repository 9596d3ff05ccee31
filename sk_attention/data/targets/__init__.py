"""Labels <-> codes: classes, numbers, and labels that are missing."""

from .classes import ClassEncoder
from .encoded import EncodedTargets
from .numbers import NumberEncoder
from .weights import class_null_loss, class_weight_factors, label_weights

__all__ = [
    "ClassEncoder",
    "EncodedTargets",
    "NumberEncoder",
    "class_null_loss",
    "class_weight_factors",
    "label_weights",
]
