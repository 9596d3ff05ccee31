"""Which items a training step compares with what came next."""

from __future__ import annotations

import torch
from torch import Tensor

from sk_attention.nn.layers import Drawing
from sk_attention.nn.negatives import POPULAR_SHARE, draw_negatives, mixed_log_share


class NegativeSampler(Drawing):
    r"""All items where they are few, else a sample of them, the same for a whole batch.

    With what it says to add to the scores, the sum of their exponentials is in the mean that of all
    items (logQ correction [1]_): an item drawn *c* times of *n*, with probability *q*, gets
    :math:`\log(c / (n q))`.

    Parameters
    ----------
    share : Tensor of shape (I,)
        How much of the interactions each item has. Half of a sample is drawn in proportion to
        these shares, half from all items alike.
    n_negatives : int
        *n*; up to so many items all are taken.

    References
    ----------
    .. [1] Bengio and Senecal, "Adaptive importance sampling to accelerate training of a neural
       probabilistic language model", IEEE Transactions on Neural Networks 2008.
    """

    log_share: Tensor

    def __init__(self, share: Tensor, n_negatives: int) -> None:
        super().__init__()
        self.n_negatives = n_negatives
        self.register_buffer(
            "log_share", mixed_log_share(share, POPULAR_SHARE).float(), persistent=False
        )

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return the positions of items (C,), each once, and what to add to their scores (C,)."""
        n_items = len(self.log_share)
        if n_items <= self.n_negatives:
            codes = torch.arange(n_items, device=self.log_share.device)
            return codes, torch.zeros_like(self.log_share)
        assert self.generator is not None
        drawn = draw_negatives(self.n_negatives, self.log_share, self.generator)
        codes, counts = drawn.unique(return_counts=True)
        expected = self.log_share[codes] + torch.tensor(float(self.n_negatives)).log()
        return codes, counts.log() - expected
