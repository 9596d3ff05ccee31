import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.encoders import ListEncoder, unordered_encoder
from sk_attention.nn.local import Lists

LENGTH = torch.tensor([3, 1, 0, 6, 2, 3])
TOKENS = torch.randn(1, 15, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
over_efficient = pytest.mark.parametrize("efficient", [None, "inducing", "linear"])


def encoder(efficient):
    generator = torch.Generator().manual_seed(0)
    return unordered_encoder(6, 2, 2, 0.0, efficient, generator).double()


@over_efficient
def test_lists_end_to_end_equal_one_list_after_the_other(efficient):
    own = encoder(efficient)
    lists = TOKENS.split(LENGTH.tolist(), dim=1)
    expected = torch.cat([own(its) if its.shape[1] else its for its in lists], dim=1)
    assert_close(ListEncoder(own)(TOKENS, Lists.of_lengths(LENGTH)), expected)


@over_efficient
def test_nothing_reaches_another_list(efficient):
    tokens = TOKENS.clone().requires_grad_()
    encoded = ListEncoder(encoder(efficient))(tokens, Lists.of_lengths(LENGTH))
    (gradient,) = torch.autograd.grad(encoded[0, 4:10].sum(), tokens)
    moved = (gradient[0] != 0).any(-1)
    assert moved.tolist() == [False] * 4 + [True] * 6 + [False] * 5


def test_padding_is_less_than_half(monkeypatch):
    own, computed = encoder("linear"), []
    forward = own.forward
    monkeypatch.setattr(own, "forward", lambda x, real: computed.append(real) or forward(x, real))
    length = torch.arange(1, 40)
    ListEncoder(own)(torch.zeros(1, int(length.sum()), 6).double(), Lists.of_lengths(length))
    assert sum(int(real.sum()) for real in computed) == length.sum()
    assert sum(real.numel() for real in computed) < 2 * length.sum()
