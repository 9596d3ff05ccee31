"""Integrated gradients: the effect of each feature on the way from a mean row to this one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sk_attention._token_reading import rows_at_a_time
from sk_attention.nn.tokens import bag_codes

from ._token_model import TokenModel

# Nodes of the Gauss-Legendre rule along the path from baseline to row.
N_NODES = 24


def by_field(model: TokenModel) -> NDArray[np.float64]:
    """Return integrated gradients of each output by each field.

    Parameters
    ----------
    model : TokenModel
        The rows and the model.

    Returns
    -------
    effects : ndarray of shape (n_samples, n_tasks, n_outputs, n_fields)
        In a row they sum to the output less that of the mean tokens.
    """
    baseline = model.tokens.mean(dim=0)
    parts = []
    for tokens in model.tokens.split(model.network.rows_at_a_time()):
        effects = (_mean_slopes(model, tokens, baseline) * (tokens - baseline)).sum(-1)
        if tokens.ndim == 4:  # a field's tokens of all queries together
            effects = effects.sum(-2)
        parts.append(effects.movedim(2, 0))
    return torch.cat(parts).cpu().double().numpy()


def by_token(model: TokenModel) -> NDArray[np.float64]:
    r"""Return integrated gradients by each token of the fields that hold several.

    A field's token is the mean of its tokens' vectors :math:`x_k` by the attention
    :math:`\alpha_k` within it: so :math:`\alpha_k (x_k - \bar x) \cdot \int \partial o / \partial
    x \, dt` sum to what is said of the field.

    Parameters
    ----------
    model : TokenModel
        The rows, of columns that hold several tokens, and the model.

    Returns
    -------
    effects : ndarray of shape (n_tokens, n_tasks, n_outputs)
        Row by row and field by field.
    """
    baseline = model.tokens.mean(dim=0)
    size = rows_at_a_time(model.network, model.rows)
    parts = []
    for start in range(0, len(model), size):
        which = slice(start, start + size)
        slopes = _mean_slopes(model, model.tokens[which], baseline)
        with torch.no_grad():
            parts.append(_within(model, model.rows[which][0], slopes, baseline))
    return torch.cat(parts).cpu().double().numpy()


def _within(model: TokenModel, inputs: Any, slopes: Tensor, baseline: Tensor) -> Tensor:
    """Return what each token of fields of several does (N, K, C), of slopes (K, C, B, Q, T, D)."""
    bags, codes = model.network.tokens.bags, bag_codes(inputs)
    id, value, length, _ = codes
    n_bags = length.shape[1]
    field = torch.repeat_interleave(length.flatten())  # of each token
    slopes, start = slopes[..., -n_bags:, :], baseline[..., -n_bags:, :]
    shares, vectors = bags.within(*codes), bags.vectors(id, value)
    effects = slopes.new_zeros(len(vectors), *slopes.shape[:2])
    for query, share in enumerate(shares.unbind(1)):
        slope = slopes[:, :, :, query].flatten(2, 3)[:, :, field]  # K C N D
        way = vectors - start[query][field % n_bags]
        effects += share[:, None, None] * torch.einsum("kcnd,nd->nkc", slope, way)
    return effects


def _mean_slopes(model: TokenModel, tokens: Tensor, baseline: Tensor) -> Tensor:
    """Return the gradients of outputs by tokens, means over the path (K, C, B, ..., T, D)."""
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)  # on [-1, 1]
    total = tokens.new_zeros(())
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        point = (baseline + node * (tokens - baseline)).requires_grad_()
        total = total + weight * _gradients(model, point)
    return total


def _gradients(model: TokenModel, point: Tensor) -> Tensor:
    """Return the gradient of each output, zero where a task has no such class (K, C, B, ...)."""
    outputs = model.outputs(point)
    gradients = point.new_zeros(*outputs.shape[1:], *point.shape)
    for task, n_classes in enumerate(model.estimator._n_outputs()):
        for c in range(n_classes):
            own = outputs[:, task, c].sum()
            (gradients[task, c],) = torch.autograd.grad(own, point, retain_graph=True)
    return gradients
