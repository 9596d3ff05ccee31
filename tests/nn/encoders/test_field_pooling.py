import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.encoders import FieldPooling

FIELD = [1, 0, 1, 2, 1]


def pooling(n_queries=3):
    own = FieldPooling(FIELD, n_queries, 4, 1.0, torch.Generator().manual_seed(0))
    return own.double()


def tokens(*shape):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, 5, 4, dtype=torch.float64, generator=generator)


def reference(own, lists):
    """Plain loops, for tokens (B, Q, T, D)."""
    fields = torch.zeros(*lists.shape[:2], 3, 4, dtype=torch.float64)
    weights = torch.zeros(lists.shape[:3], dtype=torch.float64)
    for row in range(lists.shape[0]):
        for query in range(lists.shape[1]):
            key = own.key(own.norm(lists[row, query]))
            for field in range(3):
                members = [j for j, its in enumerate(FIELD) if its == field]
                share = torch.softmax(key[members] @ own.query[query] / 2, dim=0)
                weights[row, query, members] = share
                fields[row, query, field] = share @ lists[row, query, members]
    return fields, weights


def test_pooling_equals_plain_loops():
    own, lists = pooling(), tokens(2, 3)
    with torch.no_grad():
        assert_close(own(lists), reference(own, lists))


def test_tokens_that_all_queries_share_are_copied_to_each():
    own, shared = pooling(), tokens(2)
    with torch.no_grad():
        assert_close(own(shared), reference(own, shared.unsqueeze(1).expand(-1, 3, -1, -1)))


def test_field_of_one_token_is_that_token():
    fields, weights = pooling()(tokens(2))
    assert_close(fields[:, 0, 0], tokens(2)[:, 1])
    assert (weights[:, :, [1, 3]] == 1.0).all()


@pytest.mark.parametrize("sharpness", [1e3])
def test_sharp_attention_does_not_overflow(sharpness):
    own = FieldPooling(FIELD, 2, 4, sharpness, torch.Generator().manual_seed(0))
    fields, weights = own(tokens(2).float())
    assert fields.isfinite().all()
    assert_close(weights[..., [0, 2, 4]].sum(-1), torch.ones(2, 2))


def test_gradients_are_those_of_finite_differences():
    assert torch.autograd.gradcheck(pooling(2), tokens(1).requires_grad_())
