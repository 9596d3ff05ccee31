"""What users are warned of."""

from __future__ import annotations

import sys
import warnings
from traceback import walk_stack
from typing import Any

# Whose lines tell nobody what to change.
NOT_THE_USERS = ("sk_attention", "sklearn", "joblib")


class LeakageWarning(UserWarning):
    """A score is too good: the model was trained on the future of what it is to foretell."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn of the line that called the package, be it by way of scikit-learn.

    Parameters
    ----------
    message : str
        What is odd, and what to do.
    category : type of Warning
        Its kind.
    """
    levels = enumerate(walk_stack(sys._getframe(1)), start=2)
    callers = (
        level
        for level, (frame, _) in levels
        if frame.f_globals.get("__name__", "").partition(".")[0] not in NOT_THE_USERS
    )
    warnings.warn(message, category, stacklevel=next(callers, 2))


def warn_of_leak(estimator: Any) -> None:
    """Warn that rows to be foretold are older than training rows of their users.

    Parameters
    ----------
    estimator : object
        Who is scored.
    """
    warn(
        f"{type(estimator).__name__} is asked to foretell rows that are older than what it was "
        "trained on: it knows what the same users did later, and scores come out too high. Splits "
        "by chance, as of KFold and train_test_split, do that; split by time with "
        "sk_attention.model_selection.GlobalTemporalSplit.",
        LeakageWarning,
    )
