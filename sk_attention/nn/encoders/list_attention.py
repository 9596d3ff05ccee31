"""Self attention within lists of any number of tokens that have no order.

Shapes: N tokens of all lists, L lists, B lists of like length, S tokens of the longest, D
embedding_dim.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sk_attention.nn.local import Lists

from .self_attention import SelfAttentionEncoder


class ListEncoder(nn.Module):
    """A `SelfAttentionEncoder` for lists that lie end to end.

    Lists of like length are padded together: those of 1 token, of 2, of up to 4, of up to 8 and so
    on. So less than half of what is computed is padding, however long the longest list is, and
    time and memory go by the tokens wherever those of the blocks do.

    Parameters
    ----------
    encoder : SelfAttentionEncoder
        Relates the tokens of a list.
    """

    def __init__(self, encoder: SelfAttentionEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, tokens: Tensor, lists: Lists) -> Tensor:
        """Return tokens of the same shape (1, N, D), each having seen the others of its list."""
        length = torch.bincount(lists.number)  # L
        place = torch.arange(tokens.shape[1], device=tokens.device)
        place = place - (length.cumsum(0) - length)[lists.number]
        parts, positions, size = [], [], 1
        while size < 2 * lists.longest:
            alike = (length > size // 2) & (length <= size)
            position = alike[lists.number].nonzero().squeeze(1)
            if len(position):
                where = (alike.cumsum(0) - 1)[lists.number[position]], place[position]
                padded = tokens.new_zeros(int(alike.sum()), size, tokens.shape[-1])
                padded = padded.index_put(where, tokens[0, position])
                real = torch.arange(size, device=tokens.device) < length[alike].unsqueeze(1)
                parts.append(self.encoder(padded, real)[where])
                positions.append(position)
            size *= 2
        return torch.cat(parts)[torch.cat(positions).argsort()].unsqueeze(0)
