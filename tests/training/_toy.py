"""A net small enough to follow: linear members on three numbers."""

from types import SimpleNamespace

import torch
from torch import nn

from sk_attention.data.batches import Rows
from sk_attention.nn.layers import Dropout
from sk_attention.nn.losses import (
    ensemble_log_probability,
    ensemble_mean,
    task_cross_entropy,
    task_squared_error,
)
from sk_attention.training.net import AttentionNet, TaskLoss
from sk_attention.training.optimizers import resolve_optimizer

N_INPUTS = 3


class Linear(nn.Module):
    """Outputs (B, K, M, C) that are linear in the input ``x`` (B, 3)."""

    def __init__(self, n_tasks, n_members, n_outputs, dropout=0.0, seed=0):
        super().__init__()
        own = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(
            0.3 * torch.randn(n_tasks, n_members, n_outputs, N_INPUTS, generator=own)
        )
        self.query = nn.Parameter(torch.randn(n_tasks, N_INPUTS, generator=own))
        self.dropout = Dropout(dropout)

    def forward(self, inputs):
        x = self.dropout(inputs["x"])
        n_tasks, n_members, n_outputs, _ = self.weight.shape
        out = nn.functional.linear(x, self.weight.flatten(0, 2))
        return out.view(-1, n_tasks, n_members, n_outputs).float()

    def read(self, inputs):
        return SimpleNamespace(weights=torch.softmax(inputs["x"].unsqueeze(1) * self.query, -1))

    def rows_at_a_time(self):
        return 7


def make_net(n_tasks=1, n_members=2, n_outputs=2, dropout=0.0, seed=0, **parameters):
    """An initialised net: a classifier for several outputs, else a regressor."""
    loss = (
        TaskLoss(task_cross_entropy, ensemble_log_probability)
        if n_outputs > 1
        else TaskLoss(task_squared_error, ensemble_mean)
    )
    names = tuple(f"y{task}" for task in range(n_tasks)) if n_tasks > 1 else ()
    return AttentionNet(
        Linear(n_tasks, n_members, n_outputs, dropout, seed),
        loss,
        **{
            "task_names": names,
            "optimizer": resolve_optimizer("adamw"),
            "lr": 0.05,
            "verbose": 0,
            **parameters,
        },
    ).initialize()


def make_rows(n_rows=50, n_tasks=1, n_outputs=2, seed=0):
    """Rows whose labels follow from their numbers, some missing if there are several tasks."""
    own = torch.Generator().manual_seed(seed)
    x = torch.randn(n_rows, N_INPUTS, generator=own)
    target = x[:, :n_tasks]
    if n_outputs > 1:
        target = (target > 0).long()
    weight = torch.ones(n_rows, n_tasks)
    if n_tasks > 1:
        weight[torch.rand(n_rows, n_tasks, generator=own) < 0.2] = 0.0
    return Rows({"x": x, "weight": weight}, target[:, 0] if n_tasks == 1 else target)


def weights(net):
    """The weights of a net, as copies."""
    return {name: tensor.clone() for name, tensor in net.module_.state_dict().items()}


def same(one, other):
    """Whether two nets' weights are equal to the last bit."""
    return all(torch.equal(one[name], other[name]) for name in one)
