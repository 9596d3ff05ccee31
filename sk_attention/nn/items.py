"""The vectors of items: one of its own for each, and what is said of it elsewhere.

Shapes: I items, F fields, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .bags import Bags
from .features import FeatureVectors
from .layers import CodeDropout
from .rows import inner_rows, take_rows, whole

# Items whose features are read at once where no gradient is asked for.
ITEMS_AT_A_TIME = 2**16

# Share of the items whose own vector is hidden in a step, to learn what their features say.
HIDDEN_SHARE = 0.1


class Described(nn.Module):
    """What is said of items elsewhere, and of which of them there is nothing else.

    Parameters
    ----------
    features : FeatureVectors
        Makes a vector of the codes.
    codes : mapping of str to Tensor of shape (I, F)
        What is said of each item; of texts and the like ``<name>.bag_id``, ``<name>.bag_value`` and
        ``<name>.bag_length``, as `Bags` takes them.
    met : Tensor of shape (I,), dtype bool
        Which items somebody met: the others have no vector of their own.
    """

    own: Tensor

    def __init__(self, features: FeatureVectors, codes: Mapping[str, Tensor], met: Tensor) -> None:
        super().__init__()
        self.features = features
        bag = f"{features.prefix}bag_"
        parts = {name.removeprefix(bag): codes[name] for name in codes if name.startswith(bag)}
        self.bags = Bags(**parts) if parts else None
        self.names = [name for name in codes if not name.startswith(bag)]
        for number, name in enumerate(self.names):  # a dot is no part of such a name
            self.register_buffer(f"codes{number}", codes[name], persistent=False)
        code = torch.arange(len(met) + 2)
        code[1:-1] *= met
        self.register_buffer("own", code, persistent=False)
        self.hide = CodeDropout(HIDDEN_SHARE)

    def own_code(self, code: Tensor) -> Tensor:
        """Return the code of the own vector of items, 0 where there is none or it is hidden."""
        own: Tensor = self.hide(self.own[code])
        return own

    def forward(self, code: Tensor) -> Tensor:
        """Return what is said of the items ``code`` (..., D); 0 for what is none."""
        distinct, place = code.unique(return_inverse=True)  # each item is read once
        item = (distinct - 1).clamp(min=0, max=len(self.own) - 3)
        codes = {name: getattr(self, f"codes{n}")[item] for n, name in enumerate(self.names)}
        if self.bags is not None:
            bags = self.bags(item)
            codes |= {f"{self.features.prefix}bag_{part}": own for part, own in bags.items()}
        said: Tensor = self.features(codes)
        said = said * ((distinct > 0) & (distinct < len(self.own) - 1)).unsqueeze(-1)
        return said[place]


class ItemVectors(nn.Module):
    r"""The vector of each item: its own, and what its features say.

    .. math:: e_i = u_i + \sum_j t_j(x_{ij})

    Where features are known, an item that nobody met in training has the vector of an unknown item
    for its own. In each step some items are taken for unknown, so that their features learn to
    speak for themselves.

    Parameters
    ----------
    n_items : int
        I; codes are 1 to I, 0 is an unknown item and I + 1 the start of a history.
    embedding_dim : int
        D.
    described : Described or None
        What the features say.
    generator : torch.Generator
        Source of the initial vectors, normal with variance 1 / D.
    """

    def __init__(
        self,
        n_items: int,
        embedding_dim: int,
        described: Described | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(n_items + 2, embedding_dim))
        nn.init.normal_(self.embedding, std=embedding_dim**-0.5, generator=generator)
        self.described = described
        self.at_rest = False
        self._all: Tensor | None = None

    def __len__(self) -> int:
        return len(self.embedding) - 2

    def forward(self, code: Tensor) -> Tensor:
        """Return the vectors (..., D) of the items ``code``; gradients hold these rows alone."""
        if self.described is None:
            return take_rows(self.embedding, code)
        own = take_rows(self.embedding, self.described.own_code(code))
        vectors: Tensor = own + self.described(code)
        return vectors

    def all(self) -> Tensor:
        """Return the vectors of all items (I, D)."""
        if self.described is None:
            return inner_rows(self.embedding)
        code = torch.arange(1, len(self) + 1, device=self.embedding.device)
        if torch.is_grad_enabled():
            own = F.embedding(self.described.own_code(code), self.embedding)
            # what is said of items is worked out for all of them, whichever are taken of these
            return whole(own + self.described(code))
        vectors = self._all
        if vectors is None:
            vectors = torch.cat([self(block) for block in code.split(ITEMS_AT_A_TIME)])
        if self.at_rest:
            self._all = vectors
        return vectors

    def place(self, code: Tensor, vectors: Tensor) -> None:
        """Let the items ``code`` (n,) have these vectors (n, D), whatever is said of them."""
        with torch.no_grad():
            said = 0.0 if self.described is None else self.described(code)
            self.embedding[code] = vectors - said

    def take_over(self, other: ItemVectors, code: Tensor) -> None:
        """Take the vectors of items that have the codes ``code`` here; others begin like these.

        That is at the mean of those taken; or, where features are known, at the vector of an
        unknown item, as do those that nobody had met.
        """
        old = other.embedding
        with torch.no_grad():
            own = old[1:-1]
            begin = old[0]
            if other.described is None:
                begin = own.mean(dim=0)
            else:
                own = torch.where((other.described.own[1:-1] > 0).unsqueeze(1), own, begin)
            self.embedding[:] = begin
            self.embedding[[0, -1]] = old[[0, -1]]
            self.embedding[code] = own


@contextmanager
def at_rest(module: nn.Module) -> Iterator[None]:
    """Let what is said of all items be worked out once for many batches.

    Parameters
    ----------
    module : nn.Module
        Any network; no weight of it changes meanwhile, and no gradient is asked for.

    Yields
    ------
    None
    """
    parts = [part for part in module.modules() if isinstance(part, ItemVectors)]
    try:
        for part in parts:
            part.at_rest = True
        yield
    finally:
        for part in parts:
            part.at_rest, part._all = False, None


def vectors_of(items: Tensor | ItemVectors, position: Tensor) -> Tensor:
    """Return the vectors of some items, and work out no others.

    Parameters
    ----------
    items : Tensor of shape (I, D), or ItemVectors
        All items.
    position : Tensor of dtype int64
        Which of them, from 0, of any shape.

    Returns
    -------
    vectors : Tensor of shape (*position.shape, D)
        Where they are learned, the gradient of the items' own vectors is sparse.
    """
    return take_rows(items, position) if isinstance(items, Tensor) else items(position + 1)
