"""Where items begin that a trained network has not met."""

from __future__ import annotations

import torch
from torch import Tensor

from sk_attention.data.histories import WindowBatches, Windows
from sk_attention.nn.ranking import expected_items

from .net import AttentionNet


def place_items(net: AttentionNet, rows: Windows, codes: Tensor) -> None:
    r"""Give new items the vectors of what the network expects where they turn up.

    With N_i the targets that are item i, z and the mean vectors of `expected_items` and the hidden
    vectors h,

    .. math:: e_i = \frac{1}{|N_i|} \sum_{n \in N_i} \bar{e}_n, \qquad
              b_i = \log \frac{|N_i|}{N} + \frac{1}{|N_i|} \sum_{n \in N_i} (z_n - h_n \cdot e_i)

    so that item i is expected there as often as it came among all targets. What is said of an item
    is part of its vector.

    Parameters
    ----------
    net : AttentionNet
        Its module has an ``expectation`` of items, which `expected_items` takes.
    rows : Windows
        Events, the new items among their targets.
    codes : Tensor of shape (n_new,), dtype int64
        Codes of the new items.
    """
    module = net.module_.eval()
    hidden, vectors, heights, targets = [], [], [], []
    with torch.inference_mode():
        for inputs, target in WindowBatches(rows, module.rows_at_a_time()):
            is_new = torch.isin(target, codes)
            inputs = {**inputs, "position": inputs["position"][is_new]}
            outputs = module.expectation(inputs)
            expected, height = expected_items(outputs)
            hidden.append(outputs.hidden)
            vectors.append(expected)
            heights.append(height)
            targets.append(target[is_new])
        which, place = torch.cat(targets).unique(return_inverse=True)
        counts = torch.bincount(place).to(module.item_bias.dtype)
        mean = torch.zeros_like(module.embedding[which]).index_add_(0, place, torch.cat(vectors))
        mean /= counts[:, None]
        room = torch.cat(heights) - (torch.cat(hidden) * mean[place]).sum(1)
        room = torch.zeros_like(counts).index_add_(0, place, room) / counts
    module.items.place(which, mean)
    with torch.no_grad():
        module.item_bias[which - 1] = (counts / len(rows)).log() + room
