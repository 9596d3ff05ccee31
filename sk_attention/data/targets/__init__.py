"""Labels <-> codes: classes, numbers, sets of labels, and labels that are missing."""

from .classes import ClassEncoder
from .encoded import EncodedTargets
from .kinds import task_types
from .mixed import MixedEncoder
from .numbers import NumberEncoder
from .sets import SetEncoder
from .weights import class_null_loss, class_weight_factors, label_weights

__all__ = [
    "ClassEncoder",
    "EncodedTargets",
    "MixedEncoder",
    "NumberEncoder",
    "SetEncoder",
    "class_null_loss",
    "class_weight_factors",
    "label_weights",
    "task_types",
]
