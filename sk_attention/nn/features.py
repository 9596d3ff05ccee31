"""Columns of a table -> one vector for a row.

Shapes: F fields, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from .tokens import Tokens


class FeatureVectors(nn.Module):
    r"""The sum of the tokens of a row's fields, :math:`\sum_j t_j(x_j)`.

    What follows can tell the fields apart, as it could if they stood side by side before a linear
    layer.

    Parameters
    ----------
    tokens : Tokens or None
        Turns the codes of single values into tokens.
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
        """Return vectors (..., D) of the codes (..., F) among ``inputs``."""
        own = {
            name.removeprefix(self.prefix): codes
            for name, codes in inputs.items()
            if name.startswith(self.prefix)
        }
        parts: list[Tensor] = []
        if self.vectors is not None:
            parts.append(self.vectors(own.pop("vector")))
        if self.tokens is not None:
            shape = next(iter(own.values())).shape[:-1]
            tokens = self.tokens({name: codes.flatten(0, -2) for name, codes in own.items()})
            parts.append(tokens.sum(dim=-2).view(*shape, -1))
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]
