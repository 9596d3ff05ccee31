"""Attention within fields: the lower of two levels.

Shapes: B batch, Q queries, T tokens, F fields, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sk_attention.nn.attention import grouped_attention_weights
from sk_attention.nn.layers import linear


class FieldPooling(nn.Module):
    r"""Each query pools the tokens of a field by attention.

    With a query :math:`q_i` of its own for this level and keys :math:`k_j` of the tokens,

    .. math:: \alpha_{ij|f} = \frac{\exp(q_i \cdot k_j / \sqrt{D})}
              {\sum_{k \in f} \exp(q_i \cdot k_k / \sqrt{D})}, \qquad
              \text{field}_{if} = \sum_{j \in f} \alpha_{ij|f}\, x_j,

    as in hierarchical attention networks [1]_. A field of one token is that token.

    Parameters
    ----------
    field : sequence of int
        The field of each token, T numbers from 0 to F - 1, each at least once.
    n_queries : int
        Q.
    embedding_dim : int
        D.
    sharpness : float
        Standard deviation of the initial queries: 0 starts with uniform attention.
    generator : torch.Generator
        Source of the initial weights.
    normalization : {"softmax", "sparsemax", "entmax"}, default="softmax"
        How similarities become weights.

    References
    ----------
    .. [1] Yang et al., "Hierarchical attention networks for document classification", NAACL 2016.
    """

    field: Tensor

    def __init__(
        self,
        field: Sequence[int],
        n_queries: int,
        embedding_dim: int,
        sharpness: float,
        generator: torch.Generator,
        normalization: str = "softmax",
    ) -> None:
        super().__init__()
        self.normalization = normalization
        self.n_fields = max(field) + 1
        self.register_buffer("field", torch.tensor(field), persistent=False)
        self.query = nn.Parameter(torch.empty(n_queries, embedding_dim))
        nn.init.normal_(self.query, std=sharpness, generator=generator)
        self.norm = nn.LayerNorm(embedding_dim)
        self.key = linear(embedding_dim, embedding_dim, generator)

    def forward(self, tokens: Tensor, token_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pool one batch of rows.

        Parameters
        ----------
        tokens : Tensor of shape (B, T, D) or (B, Q, T, D)
            Tokens of the rows, or of each query.
        token_mask : Tensor of shape (B, T), dtype bool, default=None
            True marks a real token.

        Returns
        -------
        fields : Tensor of shape (B, Q, F, D)
            One token per query and field.
        weights : Tensor of shape (B, Q, T)
            Attention within the fields; sums to 1 over the tokens of each.
        """
        tokens = tokens.unsqueeze(1) if tokens.ndim == 3 else tokens
        key = self.key(self.norm(tokens))  # B Q T D, or B 1 T D
        query = self.query.to(key.dtype).unsqueeze(-1)  # Q D 1
        similarity = (key @ query).squeeze(-1) * key.shape[-1] ** -0.5  # B Q T
        similarity = similarity.to(torch.promote_types(similarity.dtype, torch.float32))
        mass = None if token_mask is None else token_mask.unsqueeze(1).to(similarity.dtype)
        weights = grouped_attention_weights(
            similarity, self.field, self.n_fields, 2, mass, self.normalization
        )
        weighted = weights.unsqueeze(-1).to(tokens.dtype) * tokens  # B Q T D
        fields = weighted.new_zeros(*weights.shape[:2], self.n_fields, tokens.shape[-1]).index_add(
            2, self.field, weighted
        )
        return fields, weights
