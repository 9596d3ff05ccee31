"""Self attention among the steps of a series, or the patches of an image.

Shapes: B batch, S steps, C channels of a step, T = S x C tokens, D embedding_dim.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sk_attention.nn.local import Lists

from .self_attention import SelfAttentionEncoder


def present_tokens(tokens: Tensor, n_channels: int) -> Tensor:
    """Return which tokens belong to a step that is there: one that is not is all zeros.

    Parameters
    ----------
    tokens : Tensor of shape (..., S x C, D)
        Step by step.
    n_channels : int
        C.

    Returns
    -------
    token_mask : Tensor of shape (..., S x C), dtype bool
        True for the tokens of steps that are there.
    """
    steps: Tensor = (tokens != 0).any(-1).unflatten(-1, (-1, n_channels)).any(-1)
    return steps.repeat_interleave(n_channels, dim=-1)


class StepContext(nn.Module):
    r"""Every token learns what happened around its step.

    A step is the sum of its channels' tokens; steps become :math:`h_s` by self attention among
    those near them, and each token gets what that changed, :math:`x + h_s - \sum_{c} x_{sc}`.

    Parameters
    ----------
    encoder : SelfAttentionEncoder
        Relates steps, see `local_encoder`.
    n_channels : int
        C.
    """

    def __init__(self, encoder: SelfAttentionEncoder, n_channels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.n_channels = n_channels

    def forward(self, tokens: Tensor, token_mask: Tensor) -> Tensor:
        """Return tokens of the same shape (B, T, D); ``token_mask`` (B, T) says which are there."""
        steps = tokens.unflatten(1, (-1, self.n_channels)).sum(2)  # B S D
        there = token_mask[:, :: self.n_channels]
        row = torch.arange(len(steps), device=tokens.device).unsqueeze(1)
        number = row.expand_as(there).masked_fill(~there, -1).flatten()
        flat = steps.reshape(1, -1, steps.shape[-1])
        encoded: Tensor = self.encoder(flat, Lists(number, steps.shape[1])).view_as(steps)
        told: Tensor = (encoded - steps).repeat_interleave(self.n_channels, dim=1)
        return tokens + told
