"""How tasks read the tokens of a row.

Shapes: B batch, T tokens, D embedding_dim, K tasks, H heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import similarity_weights, split_heads
from .layers import linear


class Reading(nn.Module):
    r"""Every task's own question to the tokens.

    Each query :math:`q_i` meets the keys :math:`k_j`, made from what the encoder says of the
    tokens, and reads the values :math:`v_j`, made from the tokens alone:

    .. math:: \alpha_{ij} = \mathrm{softmax}_j(q_i \cdot k_j / \sqrt{D / H}), \qquad
              z_i = \sum_j \alpha_{ij} v_j

    Context never enters the values: whatever weighs in :math:`z_i` weighs by its token's
    :math:`\alpha_{ij}`. With several heads each head reads its slice of the values with weights of
    its own; the weights returned are their mean.

    Neither keys nor values are written out for every token: :math:`q_i \cdot K x_j` is
    :math:`(K^\top q_i) \cdot x_j`, and :math:`\sum_j \alpha_{ij} V x_j` is
    :math:`V \sum_j \alpha_{ij} x_j`. A bias of the keys would change nothing, as it adds the same
    to all similarities of a query.

    Parameters
    ----------
    n_queries : int
        K, or 1 where all tasks share one reading.
    embedding_dim : int
        D, a multiple of ``n_heads``.
    n_heads : int
        H.
    sharpness : float
        Standard deviation of the initial queries: 0 starts with uniform attention.
    generator : torch.Generator
        Source of the initial weights.
    normalization : {"softmax", "sparsemax", "entmax"}, default="softmax"
        What stands for the softmax above.
    """

    forbidden: Tensor | None

    def __init__(
        self,
        n_queries: int,
        embedding_dim: int,
        n_heads: int,
        sharpness: float,
        generator: torch.Generator,
        normalization: str = "softmax",
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.normalization = normalization
        self.query = nn.Parameter(torch.empty(n_queries, embedding_dim))
        nn.init.normal_(self.query, std=sharpness, generator=generator)
        self.norm = nn.LayerNorm(embedding_dim)
        self.key = linear(embedding_dim, embedding_dim, generator, bias=False)
        self.value = linear(embedding_dim, embedding_dim, generator)
        self.register_buffer("forbidden", None)

    def forward(
        self, tokens: Tensor, encoded: Tensor, token_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read one batch of rows.

        Parameters
        ----------
        tokens : Tensor of shape (B, T, D)
            The tokens themselves: the values.
        encoded : Tensor of shape (B, T, D)
            The tokens after the encoder: the keys.
        token_mask : Tensor of shape (B, T), dtype bool, default=None
            True marks a real token.

        Returns
        -------
        weights : Tensor of shape (B, K, T)
            Attention weights of each query; rows sum to 1.
        representation : Tensor of shape (B, K, D)
            What each query read, z_i.
        """
        weights = self.weights(encoded, token_mask)  # B H K T
        per_head = weights.flatten(1, 2).to(tokens.dtype) @ tokens  # B HK D
        per_head = per_head.unflatten(1, weights.shape[1:3])
        value = self.value.weight.unflatten(0, (self.n_heads, -1)).to(per_head.dtype)
        read = per_head @ value.transpose(-1, -2)  # B H K D/H
        bias = self.value.bias.view(self.n_heads, 1, -1)
        read = read + bias * weights.sum(-1, keepdim=True)  # 1, or 0 where no token is real
        return weights.mean(dim=1), read.transpose(1, 2).flatten(-2)

    def weights(self, encoded: Tensor, token_mask: Tensor | None = None) -> Tensor:
        """Return the attention weights of each head (B, H, K, T), as `forward` reads with them."""
        key = self.key.weight.unflatten(0, (self.n_heads, -1))  # H D/H D
        query = split_heads(self.query, self.n_heads) @ key * key.shape[1] ** -0.5  # H K D
        similarity = F.linear(self.norm(encoded), query.flatten(0, 1))  # B T HK
        similarity = similarity.mT.unflatten(1, query.shape[:2])
        mask = None if token_mask is None else token_mask.unsqueeze(-2)
        return similarity_weights(similarity, mask, self.forbidden, self.normalization)


# Optimisers with a step size of their own move every parameter by about the learning rate a step:
# at that pace omega would hardly leave 1 / K in the hundreds of steps of a fit.
OMEGA_PACE = 10.0


class TaskMixture(nn.Module):
    r"""What the tasks share: :math:`z = \sum_i \omega_i \mathrm{LN}(z_i)`, omega learned.

    The normalisation makes omega identifiable: without it a task's weight could hide in the scale
    of its representation. Every task sees the same *z*, but hands its gradient on to omega and to
    its own :math:`z_i` alone: what another task reads is that task's answer to its own question,
    and omega weighs how much that helps. Otherwise a task of pure noise would end as a spare reader
    for the others, with a large omega.

    Parameters
    ----------
    n_tasks : int
        K.
    """

    def __init__(self, n_tasks: int) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(n_tasks))

    def task_weights(self) -> Tensor:
        """Return omega (K,): not negative, sums to 1."""
        return torch.softmax(OMEGA_PACE * self.logit, dim=0)

    def forward(self, representation: Tensor) -> Tensor:
        """Return z as each task sees it (B, K, D), of normalised representations (B, K, D)."""
        omega = self.task_weights().to(representation.dtype)
        # out of training gradients tell what depends on what, all of it
        others = representation.detach() if self.training else representation
        shared = torch.einsum("k,bkd->bd", omega, others).unsqueeze(1)
        return shared + omega.unsqueeze(-1) * (representation - others)  # the last term is 0
