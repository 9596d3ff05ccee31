"""MultiTaskAttentionEstimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, log_expit
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.metaestimators import available_if
from torch import nn

from sk_attention._base import BaseMultiTaskAttention
from sk_attention._inputs import Table
from sk_attention._validation import MIXED_CONSTRAINTS
from sk_attention.data.targets import (
    ClassEncoder,
    EncodedTargets,
    MixedEncoder,
    NumberEncoder,
    SetEncoder,
    task_types,
)
from sk_attention.metrics import multi_task_score
from sk_attention.nn.mixed_losses import MixedTaskLoss
from sk_attention.training.optimizers import BuildOptimizer

from ._answers import as_frame, class_effects, classes_per_task, side_by_side, sum_to_one

Floats = NDArray[np.float64]


def _has_probabilities(estimator: Any) -> bool:
    """Whether a task has classes or sets; yes as long as no y was seen."""
    return any(kind != "regression" for kind in getattr(estimator, "task_types_", [""]))


class MultiTaskAttentionEstimator(BaseMultiTaskAttention):
    r"""Predict classes, numbers and sets of labels at once, each with its own attention.

    A task is a column of ``y``: what and where, label and time, sentiment and volume. The network
    is that of `MultiTaskAttentionClassifier`, and the loss of each task that of its kind: cross
    entropy of a class; squared error of a number, which is standardised; for a set of labels the
    sum over the labels of the cross entropy of whether each is in it. Each is a share of what it is
    without looking at the features, so that tasks of all kinds count alike, and the loss is their
    mean. A label may be missing for any row and task. With tasks of one kind it is
    `MultiTaskAttentionClassifier` or `MultiTaskAttentionRegressor`, to the last digit.

    Parameters
    ----------
    attention : {"cross", "self", "double", "hierarchical"}, default="cross"
        What the tasks' attention is paid to. "cross": each task's query meets the features' own
        tokens. "self": the tokens first attend to each other, and all tasks share one reading.
        "double": the tokens first attend to each other, then each task reads them by itself. The
        values read are the features' own in all three. "hierarchical": each task first pools the
        features of each of ``fields``, then reads the fields as in "double"; a feature's weight is
        its field's times that within the field.
        With all but "cross", words of a text, items of a list and steps look at those near them in
        their order, and the stored values of a sparse row at each other.
    task_types : mapping of str to str, or None, default=None
        What tasks are, by name ("y" if there is one without a name): "classification",
        "regression" or "multilabel", a set of labels. Others go by their dtype: floats and
        decimals are numbers, collections (lists, tuples, sets) are sets of labels, all else are
        classes; so are integers and categories, whatever these hold.
    explainable : bool, default=False
        Whether predictions are sums over the features, and over the words of texts, which
        `contributions` returns: towers are linear, and no task sees what another reads. It costs
        accuracy where features interact.
    forbid : dict or None, default=None
        Columns that a task must not use: from the name of a task ("y" if there is one without a
        name) to a list of names or positions. The task's predictions are then exactly the same
        whatever stands there. Only with ``explainable=True`` and ``attention="cross"``, and not for
        a sparse matrix, where that cannot be guaranteed.
    embedding_dim : int or "auto", default="auto"
        Size of the token of a feature. "auto" is 16, and less for more than 256 features.
    n_heads : int, default=1
        Attention heads; ``embedding_dim`` must be a multiple. Attention weights are the heads'
        mean.
    n_layers : int, default=1
        Blocks of self attention, in all kinds but ``"cross"``.
    n_members : int or "auto", default="auto"
        Members of the parameter-efficient ensemble in the towers. "auto" is 8, and less for many
        tasks or very many features. With ``explainable=True``: how often each task reads the
        features, each time with a query of its own; what is read is added up.
    hidden_layer_sizes : int or sequence of int, default=(128, 128)
        Hidden units of each layer of the towers; with ``explainable=True`` they have none.
    dropout : float, default=0.0
        Share of the hidden units dropped in training, in towers and self attention.
    attention_sharpness : float, default=0.7
        Standard deviation of the initial queries. 0 starts with uniform attention; larger values
        let attention concentrate.
    attention_normalization : {"softmax", "sparsemax", "entmax"}, default="softmax"
        What makes weights of the similarities between a task's query and the keys. "sparsemax"
        gives most features a weight of exactly 0, "entmax" is between it and the softmax.
    attention_window : int, "auto", "adaptive" or None, default="auto"
        How many words, items or steps away self attention looks within a text, a list or an array
        of three dimensions, whose tokens have an order: the cost is linear in their number, unless
        None lets all look at all. "auto" is 64; "adaptive" lets each head learn how much of these
        it needs.
    causal : bool, default=False
        Whether words, items and steps look back only, at what came before them.
    efficient : {"inducing", "linear"} or None, default=None
        How features look at each other where they are many, at a cost that is linear in their
        number: by way of a few learned points, or without a softmax. None lets each look at each.
        So for the stored values of a sparse row; words and items have ``attention_window``.
    numeric_embedding : {"piecewise", "periodic"}, default="piecewise"
        How a number becomes a token: by a piecewise-linear function over quantile bins, or by
        learned sine and cosine waves.
    n_bins : int, default=48
        Bins of the piecewise-linear embedding, at the most; small tables have fewer.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Which features are categories: those whose dtype says so (strings, categories), or these
        besides, as a mask, positions or names.
    fields : mapping of str to list, or None, default=None
        Groups of features for ``attention="hierarchical"``, by names or positions:
        ``{"income": ["salary", "bonus"]}``. Other features, each with all its parts if it is a
        date, are fields of their own.
    text_features : None or array-like, default=None
        Which features are texts, as a mask, positions or names: their words, pairs of words and
        parts of words are tokens, which each task reads with attention of its own. Other strings
        are categories.
    text_encoder : transformer, callable, mapping or None, default=None
        Gives each text a vector, which is one more token of its column: a transformer from texts
        to a dense array, cloned and fitted for each column; a callable from a list of texts to an
        array (n_texts, n_numbers); or vectors of words, whose mean is taken.
    optimizer : {"adamw", "sgd"} or callable, default="adamw"
        A torch optimiser: a class such as ``torch.optim.RAdam`` or a ``functools.partial`` of one,
        called with parameter groups and ``lr``.
    learning_rate : float, default=0.004
        Learning rate of the optimiser; the default is meant for "adamw".
    weight_decay : float, default=0.0001
        Weight decay of the matrices between layers; embeddings, queries, normalisations and biases
        are spared.
    max_grad_norm : float or None, default=1.0
        Norm to which gradients are clipped.
    batch_size : int or "auto", default="auto"
        Rows in a step. "auto" is about 64 to 1024, growing with the rows.
    max_epochs : int or "auto", default="auto"
        Passes of a training, at the most, but no fewer than make 15 steps. "auto" is 100, and
        15 steps for fewer than 60 rows, which nothing stops.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out rows and stop when their loss no longer falls, with the best weights
        restored unless ``refit`` trains once more. "auto" does so from 60 rows on.
    validation_fraction : float, default=0.15
        Share of the rows held out, stratified by all classes, unless ``X_val`` is passed.
    n_iter_no_change : int, default=12
        Passes in which the held-out loss does not fall before training stops; to count, it must
        fall by .0001 of that of a model that knows no features.
    refit : bool or "auto", default="auto"
        Whether to train once more, from the start, on all rows with those held out among them, for
        as many passes as served the held-out rows best; below some 2,700 labels of a task it is the
        median over two or three choices of the rows held out, and all of these networks but one
        answer beside the last. "auto" does so unless there are ``callbacks``, which may ask for a
        held-out loss, or ``warm_start``, which would hold out rows that were trained on. Rows of
        ``X_val`` are never trained on.
    class_weight : dict, "balanced", list of these or None, default=None
        Weights of the classes in the loss, for all tasks of classes, or a list with one entry per
        task, None for numbers and sets. "balanced" weighs each class by the inverse of its share.
    missing_label : object, default=None
        A class label that means "missing" besides NaN, None and ``pandas.NA``; such as -1, with
        which labels stay integers. Numbers and sets do not ask for it.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the last fit instead of starting anew: with the weights and
        codes of then, and the optimizer, callbacks and other training parameters of now.
    callbacks : list or None, default=None
        skorch callbacks, or pairs of a name and one; each fit trains with copies of them.
    device : str or torch.device, default="auto"
        Where to compute: "auto" takes a CUDA GPU if there is one, else the CPU.
    precision : {"auto", "float32", "float64", "bf16"}, default="auto"
        "auto": float64 for fits of fewer than 500 rows; else float32, with bf16 matrix products in
        training where the device is fast at them. "bf16" uses them in prediction too.
    compile : bool, default=False
        Whether to compile the network with ``torch.compile``: slow to start, faster afterwards on
        some GPUs, but not where they replay steps (see the guide on training).
    random_state : int, RandomState or None, default=None
        Seed of initial weights, held-out rows, order of the rows and dropout. None takes fresh
        entropy. Global generators are never touched.
    verbose : int, default=0
        1 shows a progress bar, 2 also a line per pass.

    Attributes
    ----------
    task_types_ : list of str
        "classification", "regression" or "multilabel" for each task.
    classes_ : ndarray of shape (n_classes,), or list of ndarray or None
        Classes of the task, or labels in its sets; a list with one entry per task, None for a
        number, if ``y`` had two dimensions. Not there for a single number.
    attention_weights_ : ndarray of shape (n_tasks, n_features_in_)
        Weighted mean over the training rows of where each task looks; rows sum to 1.
    task_weights_ : ndarray of shape (n_tasks,)
        omega: how much each task's representation weighs in what the tasks share; sums to 1.
        Equal for ``attention="self"``, where all representations are one, and with
        ``explainable=True``, where the tasks share nothing.
    contribution_weights_ : ndarray of shape (n_tasks, n_features_in_)
        Only with ``explainable=True``: mean size of each feature's contributions to each task over
        the training rows, as a share of all features'; rows sum to 1.
    task_names_ : list of str
        Names of the tasks: the columns of ``y`` if it had names, else "y" or "y0", "y1", ...
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if ``X`` had names.
    n_iter_ : int
        Passes over the rows, those of every training included.
    loss_curve_ : list of float
        Training loss of each pass.
    validation_scores_ : ndarray of shape (n_scored_passes, n_tasks) or None
        Score of each task in each pass that had held-out rows, 1 at the best: the share by which
        the loss falls below that of the same answer for all rows. NaN for a task without held-out
        labels; None without held-out rows.
    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` is the network, or an ensemble of ``networks``.

    See Also
    --------
    MultiTaskAttentionClassifier : For classes alone; a classifier to scikit-learn.
    MultiTaskAttentionRegressor : For numbers alone; a regressor to scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sk_attention import MultiTaskAttentionEstimator
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = pd.DataFrame({"late": X[:, 0] > 0, "delay": 10.0 * X[:, 0] + X[:, 1]})
    >>> model = MultiTaskAttentionEstimator(random_state=0, max_epochs=20).fit(X, y)
    >>> model.task_types_
    ['classification', 'regression']
    >>> model.predict(X).dtypes.astype(str).tolist()
    ['bool', 'float64']
    """

    _parameter_constraints = MIXED_CONSTRAINTS
    _target_encoder: MixedEncoder

    def __init__(
        self,
        attention: str = "cross",
        *,
        task_types: Mapping[str, str] | None = None,
        explainable: bool = False,
        forbid: dict[str, Any] | None = None,
        embedding_dim: int | str = "auto",
        n_heads: int = 1,
        n_layers: int = 1,
        n_members: int | str = "auto",
        hidden_layer_sizes: int | Sequence[int] = (128, 128),
        dropout: float = 0.0,
        attention_sharpness: float = 0.7,
        attention_normalization: str = "softmax",
        attention_window: int | str | None = "auto",
        causal: bool = False,
        efficient: str | None = None,
        numeric_embedding: str = "piecewise",
        n_bins: int = 48,
        categorical_features: Any = "from_dtype",
        fields: Mapping[str, Any] | None = None,
        text_features: Any = None,
        text_encoder: Any = None,
        optimizer: str | BuildOptimizer = "adamw",
        learning_rate: float = 0.004,
        weight_decay: float = 0.0001,
        max_grad_norm: float | None = 1.0,
        batch_size: int | str = "auto",
        max_epochs: int | str = "auto",
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.15,
        n_iter_no_change: int = 12,
        refit: bool | str = "auto",
        class_weight: Any = None,
        missing_label: Any = None,
        warm_start: bool = False,
        callbacks: list[Any] | None = None,
        device: str | torch.device = "auto",
        precision: str = "auto",
        compile: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.attention = attention
        self.task_types = task_types
        self.explainable = explainable
        self.forbid = forbid
        self.embedding_dim = embedding_dim
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.n_members = n_members
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.attention_sharpness = attention_sharpness
        self.attention_normalization = attention_normalization
        self.attention_window = attention_window
        self.causal = causal
        self.efficient = efficient
        self.numeric_embedding = numeric_embedding
        self.n_bins = n_bins
        self.categorical_features = categorical_features
        self.fields = fields
        self.text_features = text_features
        self.text_encoder = text_encoder
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.refit = refit
        self.class_weight = class_weight
        self.missing_label = missing_label
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.precision = precision
        self.compile = compile
        self.random_state = random_state
        self.verbose = verbose

    def _fit_targets(self, table: Table, classes: Any) -> MixedEncoder:
        types = task_types(table.labels, self.task_types, self.missing_label)
        encoder = MixedEncoder(types, self.missing_label)
        encoder.fit(table.labels, table.weight, classes)
        self.task_types_ = types
        self._frame = table.labels.frame
        if self.class_weight is not None:
            targets = encoder.transform(table.labels)
            factors = encoder.class_factors(self.class_weight, targets, table.weight)
            encoder.expect_classes(targets, factors * table.weight[:, None])
        self.__dict__.pop("classes_", None)
        if not self._one_dimensional:
            self.classes_ = encoder.classes_
        elif types != ["regression"]:
            self.classes_ = encoder.classes_[0]
        return encoder

    def _n_outputs(self) -> list[int]:
        return [1 if own is None else len(own) for own in self._target_encoder.classes_]

    def _task_loss(self) -> nn.Module:
        return MixedTaskLoss(self.task_types_, self._target_encoder.n_columns)

    def _row_weight(self, targets: EncodedTargets, weight: Floats) -> Floats:
        if self.class_weight is None:
            return weight
        factors = self._target_encoder.class_factors(self.class_weight, targets, weight)
        return factors * weight[:, None]

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> MultiTaskAttentionEstimator:
        """Pass once over some more rows.

        The first call learns what tasks are, how features become codes and how numbers are
        standardised; later calls keep that.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Features.
        y : array-like or DataFrame of shape (n_samples,) or (n_samples, n_tasks)
            Labels.
        classes : array-like of shape (n_classes,), or list of these or None, default=None
            All classes, or labels in sets, that there will be; one array per task, None for a
            number, if ``y`` has two dimensions. By default those of the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a label is none of the classes, or ``classes`` differ from those of the first call.
        """
        if classes is not None:
            classes = classes_per_task(classes)
            if hasattr(self, "net_"):
                self._target_encoder.check_classes(classes)
        self._partial_fit(X, y, classes, sample_weight)
        return self

    def predict(self, X: Any) -> Any:
        """Return the most probable class, the expected number or the more probable set of labels.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows like those of ``fit``. Categories unseen in training are read as unknown.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_tasks), or DataFrame
            Labels in the form that ``fit`` was given: a DataFrame of the same library, with the
            index of ``X`` where both are of pandas, or an array, of objects where tasks differ.
            Sets are lists, tuples or sets as the first one was.
        """
        outputs = self._ensemble_outputs(X)
        labels = [self._labels(own, task) for task, own in enumerate(self._by_outputs(outputs))]
        if self._one_dimensional:
            return labels[0]
        if self._frame is not None:
            return as_frame(labels, self.task_names_, self._frame, X)
        return side_by_side(labels)

    def _labels(self, outputs: Floats, task: int) -> NDArray[Any]:
        """Return the labels that the outputs (n, C) of a task mean."""
        encoder = self._target_encoder.encoders_[task]
        if isinstance(encoder, ClassEncoder):
            return encoder.inverse_transform(outputs.argmax(axis=1)[:, None])[0]
        if isinstance(encoder, SetEncoder):
            return encoder.inverse_transform(outputs > 0.0)
        return encoder.inverse_transform(outputs)[:, 0]

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Floats | list[Floats | None]:
        """Return the probability of each class, or of each label to be in the set.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), or list of these or None
            In the order of ``classes_``; one entry per task, None for a number, if ``y`` had two
            dimensions. Those of classes sum to 1, those of the labels of a set do not.
        """
        return self._of_each(X, np.exp, expit)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> Floats | list[Floats | None]:
        """Return the logarithm of the probability of each class, or of each label.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes), or list of these or None
            As `predict_proba`.
        """
        return self._of_each(X, np.asarray, log_expit)

    def _of_each(self, X: Any, of_classes: Any, of_sets: Any) -> Any:
        """Return functions of log probabilities of classes and of log odds of sets."""
        by_task = self._by_outputs(self._ensemble_outputs(X))
        answers: list[Floats | None] = []
        for own, kind in zip(by_task, self.task_types_, strict=True):
            if kind == "classification":
                answers.append(of_classes(sum_to_one(own)))
            else:
                answers.append(of_sets(own) if kind == "multilabel" else None)
        return self._as_predicted(answers)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the mean over tasks of accuracy, :math:`R^2` or Jaccard index, by their kinds.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Features.
        y : array-like or DataFrame of shape (n_samples,) or (n_samples, n_tasks)
            Labels; missing ones do not count.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            1 at the best; see `sk_attention.metrics.multi_task_score`.
        """
        return multi_task_score(
            self._same_tasks(y),
            self.predict(X),
            task_types=self.task_types_,
            missing_label=self.missing_label,
            sample_weight=sample_weight,
        )

    def _by_outputs(self, values: Floats) -> list[Floats]:
        """Return the values (n, K, C, ...) of each task's own outputs."""
        return [values[:, task, :size] for task, size in enumerate(self._n_outputs())]

    def _as_predicted(self, per_task: list[Any]) -> Any:
        return per_task[0] if self._one_dimensional else per_task

    def _effects(self, values: Floats) -> list[Floats]:
        effects = []
        for task, own in enumerate(self._by_outputs(values)):
            encoder = self._target_encoder.encoders_[task]
            if isinstance(encoder, NumberEncoder):
                effects.append(own[:, 0] * encoder.scale_[0])
            else:
                effects.append(class_effects(own) if isinstance(encoder, ClassEncoder) else own)
        return effects

    def _logits(self, outputs: Floats) -> list[Floats]:
        encoders = self._target_encoder.encoders_
        return [
            own + encoder.mean_[0] if isinstance(encoder, NumberEncoder) else own
            for own, encoder in zip(self._effects(outputs), encoders, strict=True)
        ]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # neither classifier nor regressor, but what there is to say of both holds
        tags.classifier_tags = ClassifierTags(multi_label=True)
        tags.regressor_tags = RegressorTags()
        return tags
