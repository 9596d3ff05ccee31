"""Training of tables so large that a step must touch only the rows it uses: sparse gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


class RowAdam(torch.optim.SparseAdam):
    """torch's ``SparseAdam``, with decoupled weight decay of the rows that have a gradient.

    Parameters
    ----------
    groups : list of dict
        Parameter groups with their ``weight_decay``.
    lr : float
        Learning rate.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float) -> None:
        # as for "adamw": with the usual 0.999 the first steps of each row would be thrice as long
        super().__init__(groups, lr=lr, betas=(0.9, 0.99))

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Decay and move the rows of which there is a gradient.

        Parameters
        ----------
        closure : callable, default=None
            Computes the gradients.

        Returns
        -------
        loss : float or None
            What the closure returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if not group["weight_decay"]:
                continue
            for table in group["params"]:
                if table.grad is not None:
                    rows = table.grad.coalesce().indices()[0]
                    table[rows] *= 1.0 - group["lr"] * group["weight_decay"]
        super().step()  # type: ignore[no-untyped-call]
        return loss


class Together(torch.optim.Optimizer):
    """Several optimisers as one: its parameter groups are theirs.

    Parameters
    ----------
    *optimizers : torch.optim.Optimizer
        Of different parameters.
    """

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        super().__init__(groups, {})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Let each of them do a step.

        Parameters
        ----------
        closure : callable, default=None
            Computes the gradients, once.

        Returns
        -------
        loss : float or None
            What the closure returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all.

        Returns
        -------
        state : dict
            Under "optimizers", a list.
        """
        return {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the states of all.

        Parameters
        ----------
        state_dict : dict
            As `state_dict` returned it.
        """
        for optimizer, state in zip(self.optimizers, state_dict["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.param_groups = [group for own in self.optimizers for group in own.param_groups]


def coalesce_gradients(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """Sum what sparse gradients hold twice, in place.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        Some with gradients.

    Returns
    -------
    values : list of Tensor
        The gradients; of sparse ones what they hold.
    """
    values = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            values.append(parameter.grad.values())
        else:
            values.append(parameter.grad)
    return values


def clip_gradients(gradients: list[Tensor], max_norm: float) -> None:
    """Scale gradients down in place, so that their common norm is ``max_norm`` at the most.

    torch's own function takes no sparse gradients.

    Parameters
    ----------
    gradients : list of Tensor
        As `coalesce_gradients` returns them.
    max_norm : float
        The norm.
    """
    if gradients:
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        torch._foreach_mul_(gradients, (max_norm / (norm + 1e-6)).clamp(max=1.0))
