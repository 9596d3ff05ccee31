"""Fields that hold any number of known tokens, such as the words of a text.

Shapes: B batch, N tokens of all rows end to end, V codes, Q queries, F fields, D embedding_dim.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import ragged_attention_weights
from .encoders.local_attention import FieldContext
from .layers import TokenDropout

# Optimisers with a step size of their own move every parameter by about the learning rate a step:
# at that pace a score would hardly leave its prior in the hundreds of steps of a fit.
SCORE_PACE = 5.0

# Share of the tokens that are left out in training, anew in each batch: a task must not lean on
# single words (docs/decisions/0018-fields-of-several-tokens.md).
DROPPED_SHARE = 0.4


class Bags(nn.Module):
    """The tokens of a table's rows, kept on the device so that some of them can be read.

    Parameters
    ----------
    id, value : Tensor of shape (N,)
        Codes and values of the tokens, row by row and field by field.
    length : Tensor of shape (R, F)
        Tokens of each field of each row.
    """

    id: Tensor
    value: Tensor
    length: Tensor
    start: Tensor

    def __init__(self, id: Tensor, value: Tensor, length: Tensor) -> None:
        super().__init__()
        self.register_buffer("id", id, persistent=False)
        self.register_buffer("value", value, persistent=False)
        self.register_buffer("length", length, persistent=False)
        total = length.sum(1)
        self.register_buffer("start", total.cumsum(0) - total, persistent=False)

    def forward(self, row: Tensor) -> dict[str, Tensor]:
        """Return what `BagTokens` reads of the rows ``row`` (B,)."""
        length = self.length[row]
        total = length.sum(1)
        before = total.cumsum(0) - total
        token = torch.repeat_interleave(self.start[row] - before, total)
        token = token + torch.arange(len(token), device=token.device)
        return {"id": self.id[token], "value": self.value[token], "length": length}


class BagTokens(nn.Module):
    r"""Bags of tokens, pooled within each field by each query's own attention.

    A token *j* of field *f* has a code with a vector :math:`e_j`, and a value :math:`x_j` that says
    how much of it there is. Query *i* pools the field to

    .. math:: \alpha_{ij|f} = \frac{|x_j| \exp(a_{ij})}{\sum_{k \in f} |x_k| \exp(a_{ik})}, \qquad
              \text{token}_{if} = \sum_{j \in f} \alpha_{ij|f}\, x_j\, e_j,

    with one learned score :math:`a_{ij}` per query and code, which starts at the logarithm of a
    prior: how much the code stands out. A code that is given several times weighs as often. A field
    without tokens is a token of its own, zero until training has seen one.

    A context may add to the score what the field's other tokens say, see `FieldContext`: each has
    seen the others as :math:`x_j e_j`. Where tokens have places, those at one place are a word,
    the mean of their vectors.

    No vector is ever copied per token: time and memory go by the number of tokens, not of codes.

    Parameters
    ----------
    prior : Tensor of shape (V,)
        Weight of each code in the initial attention, positive. The fields' codes follow each other.
    n_fields : int
        F.
    n_queries : int
        Q.
    embedding_dim : int
        D.
    generator : torch.Generator
        Source of the initial vectors, normal with variance 1 / D.
    normalization : {"softmax", "sparsemax", "entmax"}, default="softmax"
        How scores become weights.
    context : FieldContext, default=None
        Lets what a field holds look at each other; None for bags, whose tokens do not.
    """

    def __init__(
        self,
        prior: Tensor,
        n_fields: int,
        n_queries: int,
        embedding_dim: int,
        generator: torch.Generator,
        normalization: str = "softmax",
        context: FieldContext | None = None,
    ) -> None:
        super().__init__()
        self.context = context
        self.normalization = normalization
        self.score = nn.Parameter(prior.log().unsqueeze(1).repeat(1, n_queries) / SCORE_PACE)
        self.embedding = nn.Parameter(torch.empty(len(prior), embedding_dim))
        nn.init.normal_(self.embedding, std=embedding_dim**-0.5, generator=generator)
        self.empty = nn.Parameter(torch.zeros(n_fields, embedding_dim))
        self.drop = TokenDropout(DROPPED_SHARE)

    def within(
        self, id: Tensor, value: Tensor, length: Tensor, place: Tensor | None = None
    ) -> Tensor:
        r"""Return the attention within each field, :math:`\alpha_{ij|f}`, of shape (N, Q).

        Parameters
        ----------
        id : Tensor of shape (N,)
            Codes of the tokens, row by row and field by field.
        value : Tensor of shape (N,)
            Their values.
        length : Tensor of shape (B, F)
            Tokens of each field.
        place : Tensor of shape (N,), default=None
            Where each token stands in its field: not decreasing, from 0 on without a gap.
        """
        mass = self.drop(value.abs().to(self.score.dtype))
        score = SCORE_PACE * self.score[id]
        if self.context is not None and len(id):
            around = self._in_context(self.context, id, value, length.flatten(), place)
            score = score + around.to(score.dtype)
        return ragged_attention_weights(score, length.flatten(), mass, self.normalization)

    def vectors(self, id: Tensor, value: Tensor) -> Tensor:
        """Return what is pooled (N, D): a field's token is its mean, weighed by `within`."""
        return value.unsqueeze(1).to(self.embedding.dtype) * self.embedding[id]

    def _in_context(
        self,
        context: FieldContext,
        id: Tensor,
        value: Tensor,
        length: Tensor,
        place: Tensor | None,
    ) -> Tensor:
        """Return what the other tokens of its field add to each token's scores (N, Q)."""
        scores: Tensor
        if place is None:
            scores = context(self.vectors(id, value), length)
            return scores
        field = torch.repeat_interleave(length)
        n_words = torch.zeros_like(length).scatter_reduce(0, field, place + 1, "amax")
        word = (n_words.cumsum(0) - n_words)[field] + place
        n_tokens = torch.bincount(word, minlength=int(n_words.sum()))
        start = n_tokens.cumsum(0) - n_tokens
        words = F.embedding_bag(id, self.embedding, start, mode="mean")
        scores = context(words, n_words)
        return scores[word]

    def forward(
        self, id: Tensor, value: Tensor, length: Tensor, place: Tensor | None = None
    ) -> Tensor:
        """Return one token per row, query and field (B, Q, F, D); inputs as for `within`."""
        n_queries, n_fields = self.score.shape[1], length.shape[1]
        weights = self.within(id, value, length, place) * value.unsqueeze(1).to(self.score.dtype)
        flat = length.flatten()
        start = flat.cumsum(0) - flat
        # one bag per query, row and field
        queries = torch.arange(n_queries, device=id.device).unsqueeze(1)
        pooled = F.embedding_bag(
            id.repeat(n_queries),
            self.embedding,
            (start + queries * len(id)).flatten(),
            mode="sum",
            per_sample_weights=weights.t().flatten(),
        )
        pooled = pooled.view(n_queries, -1, n_fields, pooled.shape[-1]).transpose(0, 1)
        empty = (length == 0)[:, None, :, None]
        return torch.where(empty, self.empty, pooled)
