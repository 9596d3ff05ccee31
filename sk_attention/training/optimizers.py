"""Optimisers, and which parameters weight decay spares."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

Optimizer = torch.optim.Optimizer
BuildOptimizer = Callable[..., Optimizer]

# Parameters named so are spared by weight decay although they are matrices.
_SPARED = ("query", "points", "scale", "logit", "bias")


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Split the parameters into those that decay and those that do not.

    Embeddings, queries, member scales, normalisations and biases are spared: shrinking them
    towards zero means something else than simplicity.

    Parameters
    ----------
    module : nn.Module
        A network.
    weight_decay : float
        Decay of the other parameters, the matrices between layers.

    Returns
    -------
    groups : list of dict
        Parameter groups as torch's optimisers take them.
    """
    decayed: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        words = name.split(".")
        embedded = "tokens" in words and "context" not in words
        spare = parameter.ndim < 2 or embedded or words[-1] in _SPARED
        (spared if spare else decayed).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]


def split_groups(
    groups: list[dict[str, Any]], tables: list[nn.Parameter]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Part the groups into those of tables and those of all other parameters.

    Parameters
    ----------
    groups : list of dict
        Parameter groups.
    tables : list of nn.Parameter
        Some of their parameters.

    Returns
    -------
    others, rows : list of dict
        Groups alike, of the other parameters and of the tables.
    """
    apart = {id(table) for table in tables}

    def those(wanted: bool) -> list[dict[str, Any]]:
        return [
            {**group, "params": [p for p in group["params"] if (id(p) in apart) == wanted]}
            for group in groups
        ]

    return those(False), [group for group in those(True) if group["params"]]


def resolve_optimizer(optimizer: str | BuildOptimizer) -> BuildOptimizer:
    """Return what builds the optimiser from parameter groups and ``lr``.

    Parameters
    ----------
    optimizer : {"adamw", "sgd"} or callable
        "adamw": betas (0.9, 0.99), fused. "sgd": momentum 0.9. A class of torch's, or a partial of
        one, is taken as it is.

    Returns
    -------
    build : callable
        ``build(groups, lr=...)`` returns a torch optimiser.
    """
    if optimizer == "adamw":
        return partial(torch.optim.AdamW, betas=(0.9, 0.99), fused=True)
    if optimizer == "sgd":
        return partial(torch.optim.SGD, momentum=0.9, nesterov=True)
    assert callable(optimizer)  # the estimators check the parameter
    return optimizer
