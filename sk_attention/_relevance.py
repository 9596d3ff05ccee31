"""Tables without users and items: every column is a field, and the label of rows is learned."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.utils.validation import column_or_1d

from ._recording import has_items
from .multi_task import MultiTaskAttentionClassifier, MultiTaskAttentionRegressor

Fields = MultiTaskAttentionClassifier | MultiTaskAttentionRegressor

# What a fit without users and items shares with one of several tasks.
FIELD_PARAMETERS = (
    *("n_heads", "n_layers", "dropout", "optimizer", "weight_decay", "max_grad_norm"),
    *("batch_size", "max_epochs", "early_stopping", "n_iter_no_change", "refit", "callbacks"),
    *("learning_rate", "device", "precision", "compile", "random_state", "verbose"),
)

# Fields have no sessions, so there is one level less to read.
FIELD_ATTENTION = {
    "auto": "self",
    "self": "self",
    "cross": "cross",
    "double": "double",
    "hierarchical": "self",
}


def learn_relevance(
    recommender: Any, method: str, X: Any, y: Any, sample_weight: Any, classes: Any = None
) -> tuple[Fields, KeyboardInterrupt | None]:
    """Learn a number or a class per row with the settings of a recommender.

    Parameters
    ----------
    recommender : object
        Whose parameters, and whose fields learned so far.
    method : {"fit", "partial_fit"}
        How.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Their relevance, or labels.
    sample_weight : array-like of shape (n_samples,) or None
        Their weights.
    classes : array-like or None
        All classes, for the first partial fit.

    Returns
    -------
    fields : MultiTaskAttentionClassifier or MultiTaskAttentionRegressor
        Fitted.
    interrupt : KeyboardInterrupt or None
        What broke the training off, if it left something to keep.
    """
    shared = {name: getattr(recommender, name) for name in FIELD_PARAMETERS}
    kind = (
        MultiTaskAttentionClassifier
        if recommender.task == "classification"
        else MultiTaskAttentionRegressor
    )
    fields = kind(FIELD_ATTENTION[recommender.attention], **shared)
    if method == "partial_fit" and not has_items(recommender):
        fields = copy.deepcopy(recommender._fields).set_params(**shared)
    known = {} if classes is None else {"classes": classes}
    try:
        getattr(fields, method)(X, column_or_1d(y, warn=True), sample_weight=sample_weight, **known)
    except KeyboardInterrupt as caught:
        if not hasattr(fields, "attention_weights_"):
            raise
        return fields, caught
    return fields, None
