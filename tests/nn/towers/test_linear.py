import torch
from torch.testing import assert_close

from sk_attention.nn.towers import LinearTowers


def test_linear_towers_start_at_nothing():
    assert not LinearTowers(2, 3, 4)(torch.ones(5, 2, 3)).any()


def test_each_task_has_its_own_layer():
    towers = LinearTowers(2, 3, 2).double()
    generator = torch.Generator().manual_seed(0)
    towers.weight.data.normal_(generator=generator)
    representation = torch.randn(5, 2, 3, generator=generator, dtype=torch.float64)
    expected = [representation[:, task] @ towers.weight[task] for task in range(2)]
    assert_close(towers(representation), torch.stack(expected, dim=1))
