"""The recommender: who did what when -> what may come next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import ClassifierTags, RegressorTags

from ._history_training import HistoryTrainingMixin
from ._inputs import read_columns
from ._interactions import check_relevance, find_roles
from ._relevance import learn_relevance
from ._validation import RECOMMENDER_CONSTRAINTS, all_or_nothing, check_unchanged
from .data.columns import Column
from .data.targets import ClassEncoder

# What a network is built with, and partial fits cannot change.
BUILDING_PARAMETERS = (
    *("task", "user", "item", "timestamp", "session", "session_gap", "attention"),
    *("embedding_dim", "n_heads", "n_layers", "max_history"),
    *("context", "text_features"),
)


class AttentionRecommender(HistoryTrainingMixin, BaseEstimator):
    r"""Rank all items by what a user did so far, with attention to the history.

    ``X`` is a table of interactions: a row says which user met which item, and when. Each row is
    learned from the rows of the same user before it, so the order in time matters and the order
    of the rows does not. If times are known, it matters when a recommendation is asked for, and how
    long ago each event was [3]_. ``attention`` says how the history is read:

    - "self": causal self attention makes it a vector *h*, and item *i* scores
      :math:`h \cdot e_i + b_i`; the loss is the cross entropy of the next item among all items
      [1]_, [2]_, estimated where there are very many.
    - "cross": each item reads the history with weights :math:`\alpha_{ij}` of its own and scores
      the sum of what it finds there, :math:`c_i = \sum_j \alpha_{ij}\, e_i \cdot v_j`, plus
      :math:`b_i` [4]_; learned among up to 512 sampled items. The event *j* has the value
      :math:`v_j`.
    - "double": both, learned together, the sum of the two losses. The best 256 items by the first
      score are ranked anew by :math:`h \cdot e_i + b_i + c_i`, ahead of the rest.
    - "hierarchical": like "self", but *h* reads within each session of the history, then across the
      sessions: an event's weight is that of its session times its own within the session [5]_.

    To the scores of rankings is added what followed the latest events of the user most often,
    :math:`a f_i` with :math:`f_i = \log(1 + I \sum_l w_l P_{x_l i})`: *i*, one of *I* items, came
    after the item :math:`x_l` of *l* events ago in the share :math:`P_{x_l i}` [8]_. Nothing
    but *a* is learned of it, ``transition_weight_``: by what was held out, after the training.

    Users without a history get what is popular lately: their scores are logarithms of shares, for
    which an interaction counts half as much as one a tenth of all later. What is known of them and
    of the context adds what it adds to the scores of a history that has not begun.

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
        Name or position of the column of times: numbers, datetimes or strings of these such as
        "2026-03-01 12:30". Where there is none, or for None, the order of the rows is the order in
        time.
    session : "auto", str, int or None, default="auto"
        Name or position of the column of sessions, such as visits or invoices, for "hierarchical"
        attention: successive events of a user that have the same one form a session. "auto" takes
        the column called "session" or "session_id".
    session_gap : "auto", number, timedelta or str, default="auto"
        Without a column of sessions, a longer time between two events ends a session: seconds, the
        unit of a column of numbers, a timedelta, or a string such as "30min" (s, min, h, d, w).
        "auto" takes the gap that parts short gaps from long ones best on a logarithmic scale.
    attention : {"auto", "self", "cross", "double", "hierarchical"}, default="auto"
        How the history is read. "auto" is "self" where items are ranked, and "double" where labels
        are foretold. Without users and items the same kind is used between fields, "self" for
        "auto" and "hierarchical".
    context : list of str or int, default=None
        Names or positions of the columns of ``X`` that are known when a recommendation is asked
        for, such as a device: rankings read them of the moment that asks, and of past events. Other
        columns are read of past events alone; name none that tells which item it will be. With
        other tasks all columns are known when a row is asked about.
    item_features : DataFrame, default=None
        What is known of the items: a column of ids, called as in ``X`` or "item" or "item_id", and
        others with numbers, categories, datetimes, texts or vectors, such as those of a text
        encoder; one row per item. Items of which there is nothing but this can be recommended, too.
    user_features : DataFrame, default=None
        The same of the users. Users without a history are recommended what is popular lately,
        corrected by what their features say.
    text_features : list of str, default=None
        Names of columns of ``X``, ``item_features`` and ``user_features`` that are texts, of which
        words and parts of words are read. Strings are categories otherwise.
    embedding_dim : int, default=64
        Size of the vectors of items and histories, a multiple of ``n_heads``.
    n_heads : int, default=2
        Heads of the attention.
    n_layers : int, default=2
        Blocks of self attention; "cross" has none.
    dropout : float, default=0.2
        Share of the tokens and of what blocks add that is dropped in training.
    max_history : int, default=50
        Events of a user that a recommendation looks at, the latest ones.
    loss : {"auto", "cross_entropy", "sampled_softmax", "gbce"}, default="auto"
        What is trained: the cross entropy of the next item among all items; the same, estimated
        from items that each step draws anew, and corrected for how often each is drawn [6]_; or
        the binary cross entropy against such items, calibrated [7]_. With the last two the cost
        of a step does not depend on the number of items. "auto" ranks all items up to 50,000 of
        them, and is "sampled_softmax" above.
    n_negatives : int, default=256
        Items that a step draws for a loss that is sampled; its targets share them.
    index : {"faiss"} or None, default=None
        None compares each user with all items. "faiss" looks for the best ones in an index, which
        may miss some of them; what it finds is scored exactly. It needs the extra "ann". What items
        read of the history, with "cross" and "double", plays no part in either.
    optimizer : {"adamw", "sgd"} or callable, default="adamw"
        A torch optimiser: a class such as ``torch.optim.RAdam`` or a ``functools.partial`` of one,
        called with parameter groups and ``lr``. With a sampled loss ``torch.optim.SparseAdam``
        trains the items' vectors, whatever trains the rest.
    learning_rate : float, default=0.004
        Learning rate of the optimiser; the default is meant for "adamw".
    weight_decay : float, default=0.0
        Weight decay of the matrices between layers and of the items' vectors; with a sampled loss
        of those vectors that a step uses.
    max_grad_norm : float or None, default=1.0
        Norm to which gradients are clipped.
    batch_size : int or "auto", default="auto"
        Stretches of histories in a step, each of up to ``max_history`` events. "auto" is 16 to 128,
        growing with the interactions.
    max_epochs : int, default=100
        Passes of a training, at the most.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out the last interaction of users, 5,000 at the most, and stop when NDCG@10
        on them no longer rises. Above 200,000 items it is fewer users, 1,000 for a million items.
        "auto" does so from 20 users with three interactions on.
    n_iter_no_change : int, default=10
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
    compile : bool, default=False
        Whether to compile what reads histories with ``torch.compile``: slow to start, faster
        afterwards on some GPUs. Batches may be of any length.
    random_state : int, RandomState or None, default=None
        Seed of initial weights, held-out users, order of the stretches, dropout and drawn items.
        None takes fresh entropy. Global generators are never touched.
    verbose : int, default=0
        1 shows a progress bar, 2 a line per pass too.

    Attributes
    ----------
    attention_weights_ : ndarray of shape (1, max_history) or (1, n_features_in_)
        Where the last block looks when it recommends, by lag: first the latest event. With "cross",
        where an item looks of which nothing is known. The mean over the users of ``fit``; sums to
        1. Without users and items, where the features are read.
    items_ : ndarray of shape (n_items,)
        The items known, sorted.
    item_reach_ : ndarray of shape (n_items,), dtype float64
        Share of the users who met each item.
    users_ : ndarray of shape (n_users,)
        The users known, sorted.
    n_iter_ : int
        Passes done, those of all trainings.
    loss_curve_ : list of float
        The loss in training in each pass; with "double" the sum of both.
    validation_scores_ : ndarray of shape (n_passes,) or None
        NDCG@10 of the held-out interactions after each pass, all items ranked by the network alone;
        where labels are foretold, 1 less the held-out loss as a share of that of one answer for
        all. None where nothing was held out.
    net_ : skorch.NeuralNet
        The trained network.
    n_features_in_ : int
        Number of columns in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where they are all strings.
    classes_ : ndarray of shape (n_classes,)
        The classes, for ``task="classification"``.
    temperature_ : float
        What scores are divided by in `predict_proba` where items are ranked: above 1, they are too
        sure. Found on the held-out interactions, and 1 where nothing was held out.
    transition_weight_ : float
        How much what followed the latest events adds to the scores of rankings. Found on the
        held-out interactions, together with ``temperature_``, and 0 where nothing was held out.

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
    .. [4] Zhou et al., "Deep interest network for click-through rate prediction", KDD 2018.
    .. [5] Ying et al., "Sequential recommender system based on hierarchical attention network",
       IJCAI 2018.
    .. [6] Khrylchenko et al., "Correcting the LogQ correction: revisiting sampled softmax for
       large-scale retrieval", RecSys 2025.
    .. [7] Petrov and Macdonald, "gSASRec: reducing overconfidence in sequential recommendation
       trained with negative sampling", RecSys 2023.
    .. [8] Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", UMUAI 2018.

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
        session: Any = "auto",
        session_gap: Any = "auto",
        attention: str = "auto",
        context: Any = None,
        item_features: Any = None,
        user_features: Any = None,
        text_features: Any = None,
        embedding_dim: int = 64,
        n_heads: int = 2,
        n_layers: int = 2,
        dropout: float = 0.2,
        max_history: int = 50,
        loss: str = "auto",
        n_negatives: int = 256,
        index: str | None = None,
        optimizer: Any = "adamw",
        learning_rate: float = 0.004,
        weight_decay: float = 0.0,
        max_grad_norm: float | None = 1.0,
        batch_size: int | str = "auto",
        max_epochs: int = 100,
        early_stopping: bool | str = "auto",
        n_iter_no_change: int = 10,
        refit: bool | str = "auto",
        callbacks: list[Any] | None = None,
        device: Any = "auto",
        precision: str = "auto",
        compile: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.task = task
        self.user = user
        self.item = item
        self.timestamp = timestamp
        self.session = session
        self.session_gap = session_gap
        self.attention = attention
        self.context = context
        self.item_features = item_features
        self.user_features = user_features
        self.text_features = text_features
        self.embedding_dim = embedding_dim
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.dropout = dropout
        self.max_history = max_history
        self.loss = loss
        self.n_negatives = n_negatives
        self.index = index
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
        self.compile = compile
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
            How much each interaction counts as something to recommend; an item with 0 or less was
            turned down: it is no part of the history, ranks behind what the user liked next
            instead, and is recommended to that user no more. None counts all alike. Without users
            and items, the number to foretell. For other tasks, the label of each row; where it is
            missing the row is history only.
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
            self._remember_parameters()
            if self._roles.user is None:
                interrupt = self._learn_fields("fit", X, y, sample_weight, columns)
            else:
                interrupt = self._fit_histories(columns, y, sample_weight)
        if interrupt is not None:
            raise interrupt
        return self

    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, classes: Any = None
    ) -> AttentionRecommender:
        """Learn from more interactions, in a single pass over them.

        The rows join the histories of their users, and each is learned from what its user did
        before; an item turned down is learned to rank behind what the user took next, else last.
        Users and items may be new. In rankings an item begins as the mean of what was expected
        where it turns up; where labels are foretold, new users begin as unknown ones, and new items
        as the mean of all, or as what is said of them. ``item_features`` and ``user_features`` may
        be set to tables with more rows before a call; their columns mean what they meant at first.

        The first call builds the network; after `fit` training goes on from there, and a tenth of
        the ``learning_rate`` of that fit forgets less. Nothing is held out, what counts as the
        usual time from one event to the next stays as it was, and the moments of the optimiser
        start anew in each call.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Interactions that were not passed before, in any order.
        y : array-like of shape (n_samples,), default=None
            As in `fit`; but for the first call, all items may have been turned down.
        sample_weight : array-like of shape (n_samples,), default=None
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes, in the first call, for ``task="classification"``. None takes those of
            ``y``. Later calls may leave it out, and cannot bring others.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X or y breaks a rule, a parameter that the network was built with has
            changed, or a label is none of the classes. The estimator is then as it was.
        KeyboardInterrupt
            If the user interrupts the training; the estimator then has what it learned so far.
        """
        with all_or_nothing(self):
            self._validate_params()
            cold = not hasattr(self, "net_")
            columns = read_columns(self, X, reset=cold)
            if cold:
                self._roles = find_roles(self, columns)
                self._remember_parameters()
            check_unchanged(self, self._built_with)
            self._check_classes(classes)
            if self._roles.user is None:
                interrupt = self._learn_fields("partial_fit", X, y, sample_weight, columns, classes)
            elif cold:
                self._begin(columns, y, sample_weight, classes)
                interrupt = self._pass_over(np.ones(len(self._histories), dtype=bool))
            else:
                interrupt = self._pass_over(*self._take_up(columns, y, sample_weight))
        if interrupt is not None:
            raise interrupt
        return self

    def _check_classes(self, classes: Any) -> None:
        """Refuse classes where there are none, or other ones than before."""
        if classes is None:
            return
        if self.task != "classification":
            raise ValueError(
                f"classes was passed to partial_fit, but task={self.task!r} knows of none."
            )
        if "_label_encoder" in vars(self):
            assert isinstance(self._label_encoder, ClassEncoder)
            self._label_encoder.check_classes([classes])

    def _remember_parameters(self) -> None:
        self._built_with = {name: getattr(self, name) for name in BUILDING_PARAMETERS}

    def _fit_histories(
        self, columns: Sequence[Column], y: Any, sample_weight: Any
    ) -> KeyboardInterrupt | None:
        self._begin(columns, y, sample_weight)
        interrupt = self._train()
        self._look_back()
        return interrupt

    def _learn_fields(
        self,
        method: str,
        X: Any,
        y: Any,
        sample_weight: Any,
        columns: Sequence[Column],
        classes: Any = None,
    ) -> KeyboardInterrupt | None:
        """Learn the label ``y`` of rows without users and items: every column is a field."""
        check_relevance(self, y, columns)
        fields, interrupt = learn_relevance(self, method, X, y, sample_weight, classes)
        self._fields, self.net_ = fields, fields.net_
        if self.task == "classification":
            self.classes_ = np.asarray(fields.classes_)
        self.n_iter_, self.loss_curve_ = fields.n_iter_, fields.loss_curve_
        scores = fields.validation_scores_
        self.validation_scores_ = None if scores is None else scores[:, 0]
        self.attention_weights_ = fields.attention_weights_
        return interrupt

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        if self.task == "classification":
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        elif self.task == "regression":
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        tags.target_tags.required = self.task in ("classification", "regression")
        return tags
