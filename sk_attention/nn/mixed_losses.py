"""The loss of tasks of several kinds, and their ensemble's predictions.

Shapes: B batch, K tasks, M members, C outputs, S columns of targets.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .losses import (
    ensemble_log_odds,
    ensemble_log_probability,
    ensemble_mean,
    task_cross_entropy,
    task_set_cross_entropy,
    task_squared_error,
)

KINDS = ("classification", "regression", "multilabel")


class MixedTaskLoss(nn.Module):
    """Cross entropy for classes and sets of labels, squared error for numbers.

    Parameters
    ----------
    types : sequence of str
        "classification", "regression" or "multilabel" for each task.
    n_columns : sequence of int
        Columns of the targets that belong to each task: one, or one per label of a set.
    """

    def __init__(self, types: Sequence[str], n_columns: Sequence[int]) -> None:
        super().__init__()
        of_kind = [[i for i, own in enumerate(types) if own == kind] for kind in KINDS]
        self.classes, self.numbers, self.sets = of_kind
        ends = torch.tensor(n_columns).cumsum(0).tolist()
        self.columns = [slice(end - n, end) for end, n in zip(ends, n_columns, strict=True)]
        order = [*self.classes, *self.numbers, *self.sets]
        self.places = [order.index(task) for task in range(len(types))]

    def forward(self, outputs: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss of each task (K,): of the members in training, else of the ensemble.

        Outputs are (B, K, M, C), targets (B, S), weights (B, K).
        """
        if not self.training:
            outputs = self.ensemble(outputs)
        losses = []
        if self.classes:
            codes = self._single(target, self.classes).long()
            own = _of(outputs, self.classes)
            losses.append(task_cross_entropy(own, codes, _of(weight, self.classes)))
        if self.numbers:
            own = _of(outputs, self.numbers)[..., :1]
            numbers = self._single(target, self.numbers)
            losses.append(task_squared_error(own, numbers, _of(weight, self.numbers)))
        for task in self.sets:
            inside = target[:, None, self.columns[task]]
            own = outputs[:, task : task + 1, :, : inside.shape[-1]]
            losses.append(task_set_cross_entropy(own, inside, weight[:, task : task + 1]))
        return _of(torch.cat(losses), self.places, dim=0)

    def ensemble(self, outputs: Tensor) -> Tensor:
        """Return log probabilities, numbers and log odds (B, K, 1, C), as a single member.

        Parameters
        ----------
        outputs : Tensor of shape (B, K, M, C)
            What the members say; behind a number, and the labels of a set, anything.

        Returns
        -------
        ensemble : Tensor of shape (B, K, 1, C)
            Minus infinity where a task has no such output.
        """
        parts = []
        if self.classes:
            parts.append(ensemble_log_probability(_of(outputs, self.classes)))
        if self.numbers:
            parts.append(ensemble_mean(_of(outputs, self.numbers)[..., :1]))
        for task in self.sets:
            n_labels = self.columns[task].stop - self.columns[task].start
            parts.append(ensemble_log_odds(outputs[:, task : task + 1, :, :n_labels]))
        n_outputs = outputs.shape[-1]
        parts = [F.pad(own, (0, n_outputs - own.shape[-1]), value=-torch.inf) for own in parts]
        return _of(torch.cat(parts, dim=1), self.places)

    def decide(self, ensemble: Tensor) -> Tensor:
        """Return what the ensemble predicts, as targets are coded.

        Parameters
        ----------
        ensemble : Tensor of shape (B, K, C)
            What `ensemble` returned, without its members.

        Returns
        -------
        predicted : Tensor of shape (B, S)
            Codes of the most probable classes, numbers, and 1 for each label that is more probable
            than not.
        """
        parts = []
        for task, columns in enumerate(self.columns):
            own = ensemble[:, task]
            if task in self.classes:
                parts.append(own.argmax(-1, keepdim=True))
            elif task in self.numbers:
                parts.append(own[:, :1])
            else:
                parts.append(own[:, : columns.stop - columns.start] > 0)
        return torch.cat([part.to(ensemble.dtype) for part in parts], dim=1)

    def _single(self, target: Tensor, tasks: Sequence[int]) -> Tensor:
        """Return the targets of tasks that take one column each."""
        return _of(target, [self.columns[task].start for task in tasks])


def _of(values: Tensor, places: Sequence[int], dim: int = 1) -> Tensor:
    """Return some places of a dimension; a list as an index would wait for the GPU."""
    return torch.stack([values.select(dim, place) for place in places], dim)
