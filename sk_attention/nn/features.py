"""Columns of a table -> one vector for a row.

Shapes: F fields, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .layers import CodeDropout
from .tokens import Tokens

# Share of the rows that are hidden in a step, to learn what it means that nothing is known.
HIDDEN_SHARE = 0.1


# Codes that are there once for each token of a row, not for each field.
BY_TOKEN = ("bag_id", "bag_value")


class FeatureVectors(nn.Module):
    r"""The sum of the tokens of a row's fields, :math:`\sum_j t_j(x_j)`.

    What follows can tell the fields apart, as it could if they stood side by side before a linear
    layer.

    Parameters
    ----------
    tokens : Tokens or None
        Turns the codes of fields into tokens.
    vectors : nn.Linear or None
        Turns ready vectors, which are side by side, into a token.
    name : str
        The inputs that it reads are called ``"<name>.bin"``, ``"<name>.category"`` and so on.
    """

    def __init__(self, tokens: Tokens | None, vectors: nn.Linear | None, name: str) -> None:
        super().__init__()
        self.tokens, self.vectors = tokens, vectors
        self.prefix = f"{name}."

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return vectors (..., D) of the codes (..., F) among ``inputs``.

        Of fields of several tokens, such as texts, ``bag_length`` has that shape.
        """
        own = {
            name.removeprefix(self.prefix): codes
            for name, codes in inputs.items()
            if name.startswith(self.prefix)
        }
        parts: list[Tensor] = []
        if self.vectors is not None:
            parts.append(self.vectors(own.pop("vector")))
        if self.tokens is not None:
            by_row = {name: codes for name, codes in own.items() if name not in BY_TOKEN}
            flat = {name: codes.flatten(0, -2) for name, codes in by_row.items()}
            tokens = self.tokens({**own, **flat}).sum(dim=-2)
            shape = next(iter(by_row.values())).shape[:-1]
            parts.append(tokens.view(*shape, -1))
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]


class PartlyKnown(nn.Module):
    """Features that not all rows have.

    In each step some rows are read as if nothing were known of them.

    Parameters
    ----------
    features : FeatureVectors
        Makes a vector of the codes.
    unknown : mapping of str to Tensor of shape (1, F)
        The codes of a row of which nothing is known.
    """

    def __init__(self, features: FeatureVectors, unknown: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.features = features
        self.names = list(unknown)
        for number, codes in enumerate(unknown.values()):
            self.register_buffer(f"unknown{number}", codes)
        self.hide = CodeDropout(HIDDEN_SHARE)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return vectors (..., D) of the codes (..., F) among ``inputs``."""
        said: Tensor = self.features(inputs)
        if not self.training:
            return said
        unknown = {name: getattr(self, f"unknown{n}") for n, name in enumerate(self.names)}
        known = self.hide(torch.ones(said.shape[:-1], device=said.device)).unsqueeze(-1) > 0
        return torch.where(known, said, self.features(unknown))
