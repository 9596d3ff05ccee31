"""Attention of tokens to those near them, at a cost that is linear in the number of tokens.

Lists of tokens lie end to end: nothing is padded but the end of the last block.

Shapes: H heads, N tokens of all lists, D size of a head, S size of a block, C = N / S blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Lists(NamedTuple):
    """Which tokens lie in one list; tokens of a list follow each other."""

    number: Tensor  # (N,), the list of each token; -1 for a token that no other may read
    longest: int  # tokens of the longest list

    @classmethod
    def of_lengths(cls, length: Tensor) -> Lists:
        """Return lists of these many tokens."""
        return cls(torch.repeat_interleave(length), int(length.max()) if len(length) else 0)


def near_bias(bias: Tensor, size: int, window: int, causal: bool) -> Tensor:
    r"""Return what distances add to similarities between a block and its neighbourhood.

    Parameters
    ----------
    bias : Tensor of shape (H, 2 C + 1)
        For the distances from -C to C of a token that is read from the one that reads; larger ones
        are as good as C.
    size : int
        S.
    window : int
        The largest distance that is read over, S at the most.
    causal : bool
        Whether only earlier tokens, and a token itself, are read.

    Returns
    -------
    near : Tensor of shape (H, S, 3 S)
        -inf where nothing is read.
    """
    index = torch.arange(3 * size, device=bias.device)
    distance = index - size - index[:size].unsqueeze(1)
    clipped = bias.shape[1] // 2
    near = bias[:, distance.clamp(-clipped, clipped) + clipped]
    far = distance.abs() > window
    return near.masked_fill(far | (distance > 0) if causal else far, -torch.inf)


def local_attention_weights(query: Tensor, key: Tensor, number: Tensor, near: Tensor) -> Tensor:
    r"""Return the weights with which each token reads those in its block and the two beside it.

    .. math:: \alpha_{ij} = \mathrm{softmax}_j(q_i \cdot k_j / \sqrt{D} + b_{j - i})

    over the tokens *j* of the list of *i* that are near, as in sliding windows [1]_, with a bias by
    relative position as in [2]_.

    Parameters
    ----------
    query, key : Tensor of shape (H, N, D)
        N a multiple of S.
    number : Tensor of shape (N,), dtype int64
        The list of each token; -1 for tokens that others must not read.
    near : Tensor of shape (H, S, 3 S)
        b, as `near_bias` gives it.

    Returns
    -------
    weights : Tensor of shape (H, C, S, 3 S)
        Rows sum to 1; 0 for tokens that are not near or of other lists.

    References
    ----------
    .. [1] Beltagy, Peters and Cohan, "Longformer: the long-document transformer", 2020.
    .. [2] Raffel et al., "Exploring the limits of transfer learning with a unified text-to-text
       transformer", JMLR 2020.
    """
    size = near.shape[1]
    keys = neighbourhood(key.unflatten(1, (-1, size)), 0.0)  # H C 3S D
    similarity = query.unflatten(1, (-1, size)) @ keys.mT * query.shape[-1] ** -0.5
    similarity = similarity.to(near.dtype) + near.unsqueeze(1)
    lists = number.view(1, -1, size)
    same = lists.unsqueeze(-1) == neighbourhood(lists, -2).unsqueeze(-2)  # 1 C S 3S
    return torch.softmax(similarity.masked_fill(~same, -torch.inf), dim=-1)


def neighbourhood(blocks: Tensor, fill: float) -> Tensor:
    """Return each block between the one before and the one after it.

    Parameters
    ----------
    blocks : Tensor of shape (H, C, S, ...)
        Blocks.
    fill : float
        What stands before the first and after the last.

    Returns
    -------
    neighbourhood : Tensor of shape (H, C, 3 S, ...)
        Three times as large.
    """
    nothing = torch.full_like(blocks[:, :1], fill)
    before = torch.cat([nothing, blocks[:, :-1]], dim=1)
    return torch.cat([before, blocks, torch.cat([blocks[:, 1:], nothing], dim=1)], dim=2)


def local_attention(
    query: Tensor, key: Tensor, value: Tensor, number: Tensor, near: Tensor
) -> Tensor:
    """Return what each token reads near it, with the weights of `local_attention_weights`.

    Parameters
    ----------
    query, key, value : Tensor of shape (H, N, D)
        Any number of tokens.
    number : Tensor of shape (N,), dtype int64
        The list of each token; -1 for tokens that others must not read.
    near : Tensor of shape (H, S, 3 S)
        As `near_bias` gives it.

    Returns
    -------
    mixed : Tensor of shape (H, N, D)
        Weighted sums of the values.
    """
    n_tokens, size = query.shape[1], near.shape[1]
    missing = -n_tokens % size
    query, key, value = (F.pad(part, (0, 0, 0, missing)) for part in (query, key, value))
    weights = local_attention_weights(query, key, F.pad(number, (0, missing), value=-1), near)
    values = neighbourhood(value.unflatten(1, (-1, size)), 0.0)
    return (weights.to(value.dtype) @ values).flatten(1, 2)[:, :n_tokens]
