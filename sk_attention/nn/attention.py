"""The attention maths, as plain functions of tensors.

Shapes: B batch, H heads, Q queries, T tokens, D size of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .sparsity import sparse_weights

# Up to this many tokens the plain softmax beats the fused kernel on a CPU
# (benchmarks/speed/attention_kernels.py).
PLAIN_TOKENS_ON_CPU = 32


def attention_weights(
    query: Tensor,
    key: Tensor,
    token_mask: Tensor | None = None,
    forbidden: Tensor | None = None,
    normalization: str = "softmax",
) -> Tensor:
    r"""Return the weights with which each query reads the tokens.

    .. math:: \alpha_{ij} = \mathrm{softmax}_j(q_i \cdot k_j / \sqrt{D})

    Scaled dot-product attention [1]_, computed in float32 at least, whatever autocast says.
    ``normalization`` may put `sparse_weights` in the place of the softmax.

    Parameters
    ----------
    query : Tensor of shape (..., Q, D)
        One row per query; leading dimensions broadcast against those of ``key``.
    key : Tensor of shape (..., T, D)
        One row per token.
    token_mask : Tensor of shape (..., T), dtype bool, default=None
        True marks a real token; padding gets a weight of exactly 0. A row of padding alone gets
        zeros throughout.
    forbidden : Tensor of shape (Q, T), dtype bool, default=None
        True where a query must not read a token, whose weight is then exactly 0; every query must
        be left a token.
    normalization : {"softmax", "sparsemax", "entmax"}, default="softmax"
        How similarities become weights: the last two give many tokens exactly 0.

    Returns
    -------
    weights : Tensor of shape (..., Q, T)
        Not negative; each row sums to 1 over the real tokens.

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", NeurIPS 2017.

    Examples
    --------
    >>> import torch
    >>> from sk_attention.nn.attention import attention_weights
    >>> query, key = torch.tensor([[2.0]]), torch.tensor([[0.0], [0.0], [9.0]])
    >>> attention_weights(query, key, torch.tensor([True, True, False]))
    tensor([[0.5000, 0.5000, 0.0000]])
    """
    similarity = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    return similarity_weights(similarity, token_mask, forbidden, normalization)


def similarity_weights(
    similarity: Tensor,
    token_mask: Tensor | None = None,
    forbidden: Tensor | None = None,
    normalization: str = "softmax",
) -> Tensor:
    """Return the weights that belong to similarities, see `attention_weights`.

    Parameters
    ----------
    similarity : Tensor of shape (..., Q, T)
        Of each query to each token.
    token_mask : Tensor of shape (..., T), dtype bool, default=None
        True marks a real token.
    forbidden : Tensor of shape (Q, T), dtype bool, default=None
        True where a query must not read a token.
    normalization : {"softmax", "sparsemax", "entmax"}, default="softmax"
        How similarities become weights.

    Returns
    -------
    weights : Tensor of shape (..., Q, T)
        Not negative; each row sums to 1 over the real tokens.
    """
    similarity = similarity.to(torch.promote_types(similarity.dtype, torch.float32))
    if normalization != "softmax":
        readable = torch.ones_like(similarity, dtype=torch.bool)
        if token_mask is not None:
            readable = readable & token_mask.unsqueeze(-2)
        if forbidden is not None:
            readable = readable & ~forbidden
        return sparse_weights(similarity, normalization, readable.to(similarity.dtype))
    if forbidden is not None:
        similarity = similarity.masked_fill(forbidden, -torch.inf)
    if token_mask is None:
        return torch.softmax(similarity, dim=-1)
    real = token_mask.unsqueeze(-2)
    weights = torch.softmax(similarity.masked_fill(~real, torch.finfo(similarity.dtype).min), -1)
    return weights * real


def grouped_attention_weights(
    similarity: Tensor,
    group: Tensor,
    n_groups: int,
    dim: int,
    mass: Tensor | None = None,
    normalization: str = "softmax",
) -> Tensor:
    r"""Return attention weights within groups of tokens.

    .. math:: \alpha_j = m_j \exp(s_j) / \sum_{k \in g} m_k \exp(s_k)

    for the tokens *k* of the group *g* of token *j*: a softmax in which a token of mass 2 weighs as
    two of mass 1; or `sparse_weights` in its place.

    Parameters
    ----------
    similarity : Tensor
        Of each token to each query; the tokens along ``dim``.
    group : Tensor of shape (T,), dtype int64
        The group of each token, from 0 on.
    n_groups : int
        G.
    dim : int
        The dimension of the tokens, not negative.
    mass : Tensor, default=None
        Not negative, of a shape that broadcasts; None for 1 throughout.
    normalization : {"softmax", "sparsemax", "entmax"}, default="softmax"
        How similarities become weights.

    Returns
    -------
    weights : Tensor
        Shaped as ``similarity``; they sum to 1 over the tokens of a group, unless all have mass 0.

    Examples
    --------
    >>> import torch
    >>> from sk_attention.nn.attention import grouped_attention_weights
    >>> grouped_attention_weights(torch.zeros(1, 3), torch.tensor([0, 1, 1]), 2, dim=1)
    tensor([[1.0000, 0.5000, 0.5000]])
    """
    shape = list(similarity.shape)
    shape[dim] = n_groups
    view = [1] * similarity.ndim
    view[dim] = len(group)
    index = group.view(view).expand_as(similarity)

    def total(x: Tensor) -> Tensor:
        return x.new_zeros(shape).index_add(dim, group, x)

    def top(x: Tensor) -> Tensor:
        return x.new_full(shape, -torch.inf).scatter_reduce(dim, index, x, "amax")

    if normalization != "softmax":
        mass = torch.ones_like(similarity) if mass is None else mass.expand_as(similarity)
        return sparse_weights(
            similarity,
            normalization,
            mass,
            total=lambda x: total(x).index_select(dim, group),
            top=lambda x: top(x).index_select(dim, group),
        )
    share = torch.exp(similarity - top(similarity.detach()).index_select(dim, group))
    share = share if mass is None else mass * share
    sums = total(share)
    return share / torch.where(sums == 0, 1.0, sums).index_select(dim, group)


def ragged_attention_weights(
    similarity: Tensor, length: Tensor, mass: Tensor, normalization: str = "softmax"
) -> Tensor:
    r"""Return attention weights within fields of any number of tokens, given end to end.

    `grouped_attention_weights` of the fields. Nothing is padded, so that a field does not depend on
    the others.

    Parameters
    ----------
    similarity : Tensor of shape (N, Q)
        Of each token to each query.
    length : Tensor of shape (F,), dtype int64
        Tokens of each field, N in all; there may be none.
    mass : Tensor of shape (N,)
        Not negative; a token of mass 0 is as good as absent.
    normalization : {"softmax", "sparsemax", "entmax"}, default="softmax"
        How similarities become weights.

    Returns
    -------
    weights : Tensor of shape (N, Q)
        Not negative; they sum to 1 over the tokens of a field, unless all have mass 0.

    Examples
    --------
    >>> import torch
    >>> from sk_attention.nn.attention import ragged_attention_weights
    >>> length, mass = torch.tensor([1, 0, 2]), torch.tensor([1.0, 1.0, 3.0])
    >>> ragged_attention_weights(torch.zeros(3, 1), length, mass).squeeze(1)
    tensor([1.0000, 0.2500, 0.7500])
    """
    field = torch.repeat_interleave(length)
    return grouped_attention_weights(
        similarity, field, len(length), 0, mass.unsqueeze(1), normalization
    )


def attend(query: Tensor, key: Tensor, value: Tensor, token_mask: Tensor | None = None) -> Tensor:
    r"""Return the weighted sums :math:`\sum_j \alpha_{ij} v_j` without keeping the weights.

    Short token lists on a CPU take the plain product, everything else torch's fused kernel: the
    same numbers, whichever is faster.

    Parameters
    ----------
    query : Tensor of shape (B, H, Q, D)
        Queries of each head.
    key : Tensor of shape (B, H, T, D)
        Keys of each head.
    value : Tensor of shape (B, H, T, D)
        Values of each head.
    token_mask : Tensor of shape (B, T), dtype bool, default=None
        True marks a real token.

    Returns
    -------
    mixed : Tensor of shape (B, H, Q, D)
        One weighted sum of the values per query.
    """
    if query.device.type == "cpu" and key.shape[-2] <= PLAIN_TOKENS_ON_CPU:
        mask = None if token_mask is None else token_mask.unsqueeze(-2)
        return attention_weights(query, key, mask).to(value.dtype) @ value
    mask = None if token_mask is None else token_mask[:, None, None, :]
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """Reshape (B, T, H x D) into (B, H, T, D).

    Parameters
    ----------
    x : Tensor of shape (B, T, H x D)
        The heads side by side.
    n_heads : int
        H.

    Returns
    -------
    heads : Tensor of shape (B, H, T, D)
        A view of ``x``.
    """
    return x.view(*x.shape[:-1], n_heads, x.shape[-1] // n_heads).transpose(-2, -3)


def merge_heads(x: Tensor) -> Tensor:
    """Reshape (B, H, T, D) into (B, T, H x D): the inverse of `split_heads`.

    Parameters
    ----------
    x : Tensor of shape (B, H, T, D)
        One slab per head.

    Returns
    -------
    merged : Tensor of shape (B, T, H x D)
        The heads side by side.
    """
    return x.transpose(-2, -3).flatten(-2)
