"""What users are warned of."""

from __future__ import annotations

import warnings
from typing import Any


class LeakageWarning(UserWarning):
    """A score is too good: the model was trained on the future of what it is to foretell."""


def warn_of_leak(estimator: Any) -> None:
    """Warn that rows to be foretold are older than training rows of their users.

    Parameters
    ----------
    estimator : object
        Who is scored.
    """
    warnings.warn(
        f"{type(estimator).__name__} is asked to foretell rows that are older than what it was "
        "trained on: it knows what the same users did later, and scores come out too high. Splits "
        "by chance, as of KFold and train_test_split, do that; split by time with "
        "sk_attention.model_selection.GlobalTemporalSplit.",
        LeakageWarning,
        stacklevel=5,
    )
