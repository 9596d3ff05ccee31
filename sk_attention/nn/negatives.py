"""Items that stand for all the others in a training step."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_negatives(n_negatives: int, log_share: Tensor, generator: torch.Generator) -> Tensor:
    """Draw items in proportion to their shares, with replacement.

    Parameters
    ----------
    n_negatives : int
        Items to draw.
    log_share : Tensor of shape (I,)
        Logarithms of the items' shares, up to a constant.
    generator : torch.Generator
        Source of the draw.

    Returns
    -------
    codes : Tensor of shape (n_negatives,), dtype int64
        From 0.
    """
    return torch.multinomial(
        log_share.softmax(0), n_negatives, replacement=True, generator=generator
    )
