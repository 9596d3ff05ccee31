"""The recommender: who did what when -> what may come next."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import log2
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.validation import column_or_1d
from torch import nn

from ._foretelling import ForetellingMixin
from ._inputs import read_columns
from ._interactions import check_relevance, find_roles
from ._random import draw_seed
from ._recommending import Asked
from ._retrieval import Catalogue
from ._validation import RECOMMENDER_CONSTRAINTS, all_or_nothing, check_heads
from .data.columns import Column
from .data.histories import OutcomeWindows, WindowBatches, Windows, training_windows
from .multi_task import MultiTaskAttentionClassifier, MultiTaskAttentionRegressor
from .nn.ranking import RankingLoss
from .nn.recommender import HistoryNetwork
from .training.devices import resolve_device, resolve_precision
from .training.net import AttentionNet
from .training.optimizers import resolve_optimizer
from .training.plan import Plan
from .training.train import history_values, train, training_callbacks

# What a fit without users and items shares with one of several tasks.
FIELD_PARAMETERS = (
    *("n_heads", "n_layers", "dropout", "optimizer", "weight_decay", "max_grad_norm"),
    *("batch_size", "max_epochs", "early_stopping", "n_iter_no_change", "refit", "callbacks"),
    *("learning_rate", "device", "precision", "random_state", "verbose"),
)

# A user's last interaction is held out to tell when to stop: of so many users at the most.
MAX_HELD_OUT = 5_000

# Fewer users than this are too few to hold anything out.
MIN_USERS_TO_HOLD_OUT = 20


class AttentionRecommender(ForetellingMixin, BaseEstimator):
    r"""Rank all items by what a user did so far, with causal self attention over the history.

    ``X`` is a table of interactions: a row says which user met which item, and when. Each row is
    learned from the rows of the same user before it, so the order in time matters and the order
    of the rows does not. What a user's history says becomes a vector *h*, and item *i* scores
    :math:`h \cdot e_i + b_i`; the loss is the cross entropy of the next item among all items [1]_,
    [2]_. If times are known, it matters when a recommendation is asked for, and how long ago each
    event was [3]_.

    Which column is what is read from its name: "user" or "user_id", "item" or "item_id",
    "timestamp"; or say so. Where there are neither users nor items every column is a feature, ``y``
    says how relevant a row is, and there is nothing to recommend from: only `predict` and its like
    are there.

    Parameters
    ----------
    task : {"ranking", "classification", "regression"}, default="ranking"
        What is learned: which item comes next, or the label ``y`` of each interaction, such as
        whether it was bought or how it was rated. A label is told by the user, the item, the other
        columns of its row and the events before, each with its label.
    user : "auto", str or int, default="auto"
        Name or position of the column of users.
    item : "auto", str or int, default="auto"
        Name or position of the column of items.
    timestamp : "auto", str, int or None, default="auto"
        Name or position of the column of times, numbers or datetimes. Where there is none, or for
        None, the order of the rows is the order in time.
    item_features : DataFrame, default=None
        What is known of the items: a column of ids, called as in ``X`` or "item" or "item_id", and
        others with numbers, categories, datetimes or vectors, such as those of a text encoder; one
        row per item. Items of which there is nothing but this can be recommended, too.
    user_features : DataFrame, default=None
        The same of the users.
    embedding_dim : int, default=64
        Size of the vectors of items and histories, a multiple of ``n_heads``.
    n_heads : int, default=2
        Heads of the attention.
    n_layers : int, default=2
        Blocks of self attention.
    dropout : float, default=0.2
        Share of the tokens and of what blocks add that is dropped in training.
    max_history : int, default=50
        Events of a user that a recommendation looks at, the latest ones.
    optimizer : {"adamw", "sgd"} or callable, default="adamw"
        A torch optimiser: a class such as ``torch.optim.RAdam`` or a ``functools.partial`` of one,
        called with parameter groups and ``lr``.
    learning_rate : float, default=0.004
        Learning rate of the optimiser; the default is meant for "adamw".
    weight_decay : float, default=0.0
        Weight decay of the matrices between layers and of the items' vectors.
    max_grad_norm : float or None, default=1.0
        Norm to which gradients are clipped.
    batch_size : int or "auto", default="auto"
        Stretches of histories in a step, each of up to ``max_history`` events. "auto" is 16 to 128,
        growing with the interactions.
    max_epochs : int, default=100
        Passes of a training, at the most.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out the last interaction of users, 5,000 at the most, and stop when NDCG@10
        on them no longer rises. "auto" does so from 20 users with three interactions on.
    n_iter_no_change : int, default=6
        Passes without a better held-out NDCG before training stops.
    refit : bool or "auto", default="auto"
        Whether to train once more, from the start, on all interactions, for as many passes as
        served those held out best. "auto" does so unless there are ``callbacks``.
    callbacks : list or None, default=None
        skorch callbacks, or pairs of a name and one; each fit trains with copies of them.
    device : str or torch.device, default="auto"
        Where to compute: "auto" takes a CUDA GPU if there is one, else the CPU.
    precision : {"auto", "float32", "float64", "bf16"}, default="auto"
        "auto": float32, with bf16 matrix products in training where the device is fast at them.
        "bf16" uses them in prediction too.
    random_state : int, RandomState or None, default=None
        Seed of initial weights, held-out users, order of the stretches and dropout. None takes
        fresh entropy. Global generators are never touched.
    verbose : int, default=0
        1 shows a progress bar, 2 a line per pass too.

    Attributes
    ----------
    attention_weights_ : ndarray of shape (1, max_history) or (1, n_features_in_)
        Where the last block looks when it recommends, by lag: first the latest event. The mean over
        the users of ``fit``; sums to 1. Without users and items, where the features are read.
    items_ : ndarray of shape (n_items,)
        The items known, sorted.
    users_ : ndarray of shape (n_users,)
        The users known, sorted.
    n_iter_ : int
        Passes done, those of all trainings.
    loss_curve_ : list of float
        Cross entropy of the next item in each pass.
    validation_scores_ : ndarray of shape (n_passes,) or None
        NDCG@10 of the held-out interactions after each pass, all items ranked; None where nothing
        was held out.
    net_ : skorch.NeuralNet
        The trained network.
    n_features_in_ : int
        Number of columns in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where they are all strings.
    classes_ : ndarray of shape (n_classes,)
        The classes, for ``task="classification"``.

    See Also
    --------
    sk_attention.model_selection.GlobalTemporalSplit : Splits without a look into the future.

    References
    ----------
    .. [1] Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018.
    .. [2] Klenitskiy and Vasilev, "Turning dross into gold loss: is BERT4Rec really better than
       SASRec?", RecSys 2023.
    .. [3] Zhai et al., "Actions speak louder than words: trillion-parameter sequential transducers
       for generative recommendations", ICML 2024.

    Examples
    --------
    >>> from sk_attention import AttentionRecommender
    >>> from sk_attention.datasets import make_interactions
    >>> X = make_interactions(n_users=50, n_items=40, n_interactions=15, random_state=0).data
    >>> model = AttentionRecommender(embedding_dim=8, max_epochs=3, random_state=0).fit(X)
    >>> items, scores = model.recommend([0, 1, 2], k=5)
    >>> items.shape
    (3, 5)
    """

    _parameter_constraints: dict[str, Any] = RECOMMENDER_CONSTRAINTS

    def __init__(
        self,
        task: str = "ranking",
        *,
        user: Any = "auto",
        item: Any = "auto",
        timestamp: Any = "auto",
        item_features: Any = None,
        user_features: Any = None,
        embedding_dim: int = 64,
        n_heads: int = 2,
        n_layers: int = 2,
        dropout: float = 0.2,
        max_history: int = 50,
        optimizer: Any = "adamw",
        learning_rate: float = 0.004,
        weight_decay: float = 0.0,
        max_grad_norm: float | None = 1.0,
        batch_size: int | str = "auto",
        max_epochs: int = 100,
        early_stopping: bool | str = "auto",
        n_iter_no_change: int = 6,
        refit: bool | str = "auto",
        callbacks: list[Any] | None = None,
        device: Any = "auto",
        precision: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.task = task
        self.user = user
        self.item = item
        self.timestamp = timestamp
        self.item_features = item_features
        self.user_features = user_features
        self.embedding_dim = embedding_dim
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.dropout = dropout
        self.max_history = max_history
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.refit = refit
        self.callbacks = callbacks
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    # ---- fit -----------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> AttentionRecommender:
        """Learn from interactions.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            One interaction per row, in any order; rows of equal time keep theirs.
        y : array-like of shape (n_samples,), default=None
            How much each interaction counts as something to recommend; rows of 0 or less are left
            out. None counts all alike. Without users and items, the number to foretell. For other
            tasks, the label of each row; where it is missing the row is history only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; multiplied by ``y`` in ranking.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X or y breaks a rule; the message says which, and what was found. An
            estimator fitted before is then as it was.
        KeyboardInterrupt
            If the user interrupts the training; the estimator is then fitted with the best weights
            so far.
        """
        with all_or_nothing(self):
            self._validate_params()
            self._forget()
            columns = read_columns(self, X, reset=True)
            self._roles = find_roles(self, columns)
            if self._roles.user is None:
                interrupt = self._fit_fields(X, y, sample_weight, columns)
            else:
                interrupt = self._fit_histories(columns, y, sample_weight)
        if interrupt is not None:
            raise interrupt
        return self

    def _fit_histories(
        self, columns: Sequence[Column], y: Any, sample_weight: Any
    ) -> KeyboardInterrupt | None:
        check_heads(self.embedding_dim, self.n_heads)
        self._seed = draw_seed(self.random_state)
        generator = torch.Generator().manual_seed(self._seed)
        if self.task == "ranking":
            columns, weight = self._counted(columns, y, sample_weight)
            self._learn_ids(columns)
            self._sort_events(columns, weight)
            self._build(self._history_network(generator), RankingLoss())
        else:
            self._record_labelled(columns, y, sample_weight)
            self._build(self._outcome_network(generator), self._outcome_loss())
        interrupt = self._train()
        self._look_back()
        return interrupt

    def _fit_fields(
        self, X: Any, y: Any, sample_weight: Any, columns: Sequence[Column]
    ) -> KeyboardInterrupt | None:
        """Learn the relevance ``y`` of rows without users and items: every column is a field."""
        check_relevance(self, y, columns)
        shared = {name: getattr(self, name) for name in FIELD_PARAMETERS}
        classes = self.task == "classification"
        kind = MultiTaskAttentionClassifier if classes else MultiTaskAttentionRegressor
        fields = kind("self", **shared)
        interrupt = None
        try:
            fields.fit(X, column_or_1d(y, warn=True), sample_weight)
        except KeyboardInterrupt as caught:
            if not hasattr(fields, "attention_weights_"):
                raise
            interrupt = caught
        self._fields, self.net_ = fields, fields.net_
        if classes:
            self.classes_ = np.asarray(fields.classes_)
        self.n_iter_, self.loss_curve_ = fields.n_iter_, fields.loss_curve_
        scores = fields.validation_scores_
        self.validation_scores_ = None if scores is None else scores[:, 0]
        self.attention_weights_ = fields.attention_weights_
        return interrupt

    def _history_network(self, generator: torch.Generator) -> HistoryNetwork:
        return HistoryNetwork(
            len(self.items_),
            self.embedding_dim,
            self.n_heads,
            self.n_layers,
            self.dropout,
            self.max_history,
            self._usual_gap if self._has_times else None,
            generator,
        )

    def _build(self, network: nn.Module, loss: nn.Module) -> None:
        device = resolve_device(self.device)
        precision = resolve_precision(self.precision, device, tiny=False)
        patience = None if self.early_stopping is False else self.n_iter_no_change
        self.net_ = AttentionNet(
            network.to(device, precision.dtype),
            loss,
            train_bf16=precision.train_bf16,
            predict_bf16=precision.predict_bf16,
            device=str(device),
            optimizer=resolve_optimizer(self.optimizer),
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            max_grad_norm=self.max_grad_norm,
            callbacks=training_callbacks(self.callbacks, patience),
            verbose=self.verbose,
            iterator_train=WindowBatches,
            iterator_valid=WindowBatches,
        ).initialize()

    def _train(self) -> KeyboardInterrupt | None:
        """Train; the user's interrupt is returned, so that what was learned until then stays."""
        held_out = self._held_out()
        again = None
        if held_out.any() and (self.refit is True or (self.refit == "auto" and not self.callbacks)):
            again = partial(self._windows, np.zeros(len(held_out), dtype=bool))
        windows = self._windows(held_out)
        scored = self._scored(np.flatnonzero(held_out)) if held_out.any() else None
        size = self.batch_size
        if size == "auto":
            size = int(min(max(2 ** round(log2(windows.n_windows / 32)), 16), 128))
        walk = Plan(int(size), self.max_epochs)
        try:
            train(self.net_, [(windows, scored)], walk, self._seed, again)
        except KeyboardInterrupt as interrupt:
            return interrupt
        return None

    def _held_out(self) -> NDArray[np.bool_]:
        """Choose the events to hold out: the last ones of some users with three or more."""
        histories = self._histories
        held_out = np.zeros(len(histories), dtype=bool)
        users = np.flatnonzero(np.diff(histories.starts) >= 3)
        few = len(users) < MIN_USERS_TO_HOLD_OUT
        if self.early_stopping is False or (self.early_stopping == "auto" and few):
            return held_out
        if not len(users):
            raise ValueError(
                "early_stopping=True holds out the last interaction of users with at least three, "
                "and there is none. Pass early_stopping=False."
            )
        rng = np.random.default_rng(self._seed)
        chosen = rng.permutation(users)[: min(MAX_HELD_OUT, len(users))]
        held_out[histories.starts[chosen + 1] - 1] = True
        return held_out

    def _windows(self, held_out: NDArray[np.bool_]) -> Windows:
        """Return all events but those held out, to train on."""
        starts = self._histories.starts
        stops = starts[1:].copy()
        some = np.diff(starts) > 0
        stops[some] -= held_out[stops[some] - 1]
        first, last = training_windows(starts[:-1], stops, self.max_history)
        return self._make_windows(first, last, np.ones(len(held_out), dtype=bool))

    def _scored(self, events: NDArray[np.int64]) -> Windows:
        """Return the events to score, each behind its user's history."""
        users = self._histories.users[events]
        first = np.maximum(events + 1 - self.max_history, self._histories.starts[users])
        scored = np.zeros(len(self._histories), dtype=bool)
        scored[events] = True
        return self._make_windows(first, events + 1, scored)

    def _make_windows(
        self, first: NDArray[np.int64], last: NDArray[np.int64], scored: NDArray[np.bool_]
    ) -> Windows:
        start = len(self.items_) + 1
        windows = Windows if self.task == "ranking" else OutcomeWindows
        return windows(self._histories, first, last, scored, start, self.net_.device)

    def _look_back(self) -> None:
        """Set what users look at after a fit."""
        self.n_iter_ = len(self.net_.history)
        self.loss_curve_ = history_values(self.net_, ["train_loss"])[:, 0].tolist()
        scores = 1.0 - history_values(self.net_, ["valid_loss"])[:, 0]
        self.validation_scores_ = scores if len(scores) else None
        self._take_vectors()
        if self.task == "ranking":
            users = np.arange(len(self.users_))
            asked = Asked(users, None, np.full(len(users), self._now))
        else:
            asked = self._last_rows()
        weights = self._attention(asked)
        looked = weights[weights.sum(axis=1) > 0]
        self.attention_weights_ = looked.mean(axis=0, keepdims=True)

    def _take_vectors(self) -> None:
        """Keep the items' vectors, which every recommendation needs."""
        module = self.net_.module_.eval()
        with torch.no_grad():
            if self.task == "ranking":
                vectors, bias = module.embedding, module.item_bias
            else:
                vectors, bias = module.items(), torch.zeros(len(self.items_))
            items = vectors[1 : len(self.items_) + 1].float().cpu().numpy().copy()
            bias = bias.float().cpu().numpy().copy()
        self._catalogue = Catalogue(items, bias)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        if self.task == "classification":
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        elif self.task == "regression":
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        tags.target_tags.required = self.task in ("classification", "regression")
        return tags
