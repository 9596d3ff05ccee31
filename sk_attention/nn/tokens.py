"""Codes of fields -> tokens.

Shapes: B batch, F fields of one kind, T tokens, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock

import torch
from rtdl_num_embeddings import PeriodicEmbeddings
from torch import Tensor, nn
from torch.nn import functional as F

from .bags import BagTokens
from .layers import CodeDropout, uniform_
from .vectors import VectorTokens

# Share of the categories that are hidden in training, to learn what an unknown one means
# (docs/decisions/0011-unknown-categories.md).
UNKNOWN_SHARE = 0.05

_GLOBAL_GENERATOR = Lock()


class PiecewiseTokens(nn.Module):
    r"""Numbers as piecewise-linear functions, read from a table.

    With the bins :math:`[e_t, e_{t+1})` of a field, a number in bin *b* at the fraction *f* of its
    width becomes

    .. math:: \text{token} = c + \sum_{t<b} w_t + f\, w_b + u\, x,

    the piecewise-linear encoding of [1]_ followed by its linear layer, plus a slope *u* for the
    number *x* itself. The sum over bins is taken once per batch and per bin, not per number: a
    number costs one look-up and one multiplication. A missing number is a token of its own,
    zero until training has seen one.

    Parameters
    ----------
    edges : Tensor of shape (F, n_bins + 1)
        Edges of the bins, not decreasing; fields with fewer bins repeat their last edge.
    embedding_dim : int
        D.
    generator : torch.Generator
        Source of the initial weights.

    References
    ----------
    .. [1] Gorishniy et al., "On embeddings for numerical features in tabular deep learning",
       NeurIPS 2022.
    """

    edges: Tensor
    offset: Tensor

    def __init__(self, edges: Tensor, embedding_dim: int, generator: torch.Generator) -> None:
        super().__init__()
        n_fields, n_bins = edges.shape[0], edges.shape[1] - 1
        self.n_bins = n_bins
        self.register_buffer("edges", edges)
        # row `offset + bin` of the flat table; bin n_bins is the missing number
        offset = torch.arange(n_fields, dtype=torch.int32) * (n_bins + 1)
        self.register_buffer("offset", offset, persistent=False)
        self.weight = nn.Parameter(torch.empty(n_fields, n_bins, embedding_dim))
        self.slope = nn.Parameter(torch.empty(n_fields, embedding_dim))
        self.bias = nn.Parameter(torch.empty(n_fields, embedding_dim))
        for parameter in self.parameters():
            uniform_(parameter, n_bins + 2, generator)
        self.missing = nn.Parameter(torch.zeros(n_fields, embedding_dim))

    def forward(self, bin: Tensor, fraction: Tensor) -> Tensor:
        """Return tokens (B, F, D) of numbers given as ``bin`` and ``fraction``, each (B, F)."""
        left, width = self.edges[:, :-1, None], self.edges.diff(dim=1).unsqueeze(-1)
        slope = self.slope.unsqueeze(1)  # F 1 D
        rise = self.weight + slope * width  # F n_bins D
        start = self.bias.unsqueeze(1) + self.weight.cumsum(1) - self.weight + slope * left
        table = torch.cat([start, rise], dim=-1)  # F n_bins 2D
        missing = torch.cat([self.missing, torch.zeros_like(self.missing)], dim=-1)
        table = torch.cat([table, missing.unsqueeze(1)], dim=1)  # F n_bins+1 2D
        start, rise = F.embedding(bin + self.offset, table.flatten(0, 1)).chunk(2, dim=-1)
        return torch.addcmul(start, fraction.unsqueeze(-1), rise)


class PeriodicTokens(nn.Module):
    r"""Numbers as learned waves: ``relu(W [cos(2 pi c x), sin(2 pi c x)] + b)``.

    The periodic embedding "PLR" of [1]_, from the library ``rtdl_num_embeddings``. A missing
    number is a token of its own, zero until training has seen one.

    Parameters
    ----------
    n_fields : int
        F.
    embedding_dim : int
        D.
    generator : torch.Generator
        Source of the initial weights.

    References
    ----------
    .. [1] Gorishniy et al., "On embeddings for numerical features in tabular deep learning",
       NeurIPS 2022.
    """

    def __init__(self, n_fields: int, embedding_dim: int, generator: torch.Generator) -> None:
        super().__init__()
        # the library draws from the global generator: lend it ours, and put the other back
        seed = int(torch.randint(2**31, (), generator=generator))
        with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed reseeds GPUs too
            self.waves = PeriodicEmbeddings(n_fields, embedding_dim, lite=False)
        self.missing = nn.Parameter(torch.zeros(n_fields, embedding_dim))

    def forward(self, value: Tensor, missing: Tensor) -> Tensor:
        """Return tokens (B, F, D) of numbers ``value`` (B, F), where ``missing`` is False."""
        tokens: Tensor = self.waves(value)
        return torch.where(missing.unsqueeze(-1), self.missing.to(tokens.dtype), tokens)


class CategoryTokens(nn.Module):
    """Categories as learned vectors; code 0 is a category unseen in training.

    The vector of code 0 is zero at first. It is learned from a few codes that are replaced by 0 in
    training, at random and anew in each batch, and so comes to mean what a row says when its
    category is not known.

    Parameters
    ----------
    cardinalities : sequence of int
        Number of codes per field, code 0 included.
    embedding_dim : int
        D.
    generator : torch.Generator
        Source of the initial vectors, normal with variance 1 / D.
    """

    offset: Tensor

    def __init__(
        self, cardinalities: Sequence[int], embedding_dim: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        sizes = torch.tensor(cardinalities, dtype=torch.int32)
        offset = (sizes.cumsum(0) - sizes).to(torch.int32)
        self.register_buffer("offset", offset, persistent=False)
        self.embedding = nn.Parameter(torch.empty(int(sizes.sum()), embedding_dim))
        nn.init.normal_(self.embedding, std=embedding_dim**-0.5, generator=generator)
        with torch.no_grad():
            self.embedding[offset.long()] = 0.0
        self.hide = CodeDropout(UNKNOWN_SHARE)

    def forward(self, category: Tensor) -> Tensor:
        """Return tokens (B, F, D) of the codes ``category`` (B, F)."""
        return F.embedding(self.hide(category) + self.offset, self.embedding)


class Tokens(nn.Module):
    """All fields of a row as one list of tokens: numbers, categories, vectors, then bags.

    Parameters
    ----------
    numbers : PiecewiseTokens, PeriodicTokens or None
        Turns the inputs named by its ``forward`` into tokens.
    categories : CategoryTokens or None
        Turns the input ``category`` into tokens.
    vectors : VectorTokens, default=None
        Turns the input ``vector`` into tokens.
    bags : BagTokens, default=None
        Turns the inputs ``bag_id``, ``bag_value``, ``bag_length`` and, where there is an order,
        ``bag_place`` into one token per field and query.
    n_channels : int, default=None
        Numbers of a step, where the numbers are those of steps: the tokens of a step that misses
        all of them are zeros.
    """

    def __init__(
        self,
        numbers: PiecewiseTokens | PeriodicTokens | None,
        categories: CategoryTokens | None,
        vectors: VectorTokens | None = None,
        bags: BagTokens | None = None,
        n_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.numbers = numbers
        self.categories = categories
        self.vectors = vectors
        self.bags = bags

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the tokens of the encoded rows ``inputs``.

        Their shape is (B, T, D), or (B, Q, T, D) with bags, of which each query makes its own.
        """
        parts = []
        if isinstance(self.numbers, PiecewiseTokens):
            numbers = self.numbers(inputs["bin"], inputs["fraction"])
            parts.append(self._of_steps(numbers, inputs["bin"] == self.numbers.n_bins))
        elif self.numbers is not None:
            numbers = self.numbers(inputs["value"], inputs["missing"])
            parts.append(self._of_steps(numbers, inputs["missing"]))
        if self.categories is not None:
            parts.append(self.categories(inputs["category"]))
        if self.vectors is not None:
            parts.append(self.vectors(inputs["vector"]))
        if self.bags is not None:
            pooled = self.bags(*bag_codes(inputs))
            parts = [part.unsqueeze(1).expand(-1, pooled.shape[1], -1, -1) for part in parts]
            parts.append(pooled)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)

    def _of_steps(self, numbers: Tensor, missing: Tensor) -> Tensor:
        """Return the tokens (B, F, D) of numbers, zeros for steps of which all are missing."""
        if self.n_channels is None:
            return numbers
        absent = missing.unflatten(1, (-1, self.n_channels)).all(2)
        absent = absent.repeat_interleave(self.n_channels, dim=1)
        return numbers.masked_fill(absent.unsqueeze(-1), 0.0)


def bag_codes(inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Return what `BagTokens` reads of encoded rows.

    Parameters
    ----------
    inputs : mapping of str to Tensor
        Encoded rows.

    Returns
    -------
    id, value, length, place : Tensor
        Of the fields of several tokens; no place where they have no order.
    """
    id, value, length = inputs["bag_id"], inputs["bag_value"], inputs["bag_length"]
    return id, value, length, inputs.get("bag_place")
