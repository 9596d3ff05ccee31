import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.attention import ragged_attention_weights
from sk_attention.nn.bags import SCORE_PACE, BagTokens

LENGTHS = torch.tensor([2, 1])
LENGTH = torch.tensor([[2, 0], [1, 3], [0, 1]])
ID = torch.tensor([0, 3, 1, 4, 2, 4, 0])
VALUE = torch.tensor([1.0, -2.0, 0.5, 1.0, 3.0, 1.0, 2.0], dtype=torch.float64)


def bags(n_queries=2):
    prior = torch.tensor([1.0, 2.0, 3.0, 1.5, 0.5])
    own = BagTokens(prior, 2, n_queries, 4, torch.Generator().manual_seed(0)).double().eval()
    torch.nn.init.normal_(own.empty, generator=torch.Generator().manual_seed(1))
    return own


def reference(own):
    """Plain loops over rows, fields and tokens."""
    n_queries, dim = own.score.shape[1], own.embedding.shape[1]
    tokens = torch.zeros(3, n_queries, 2, dim, dtype=torch.float64)
    weights, start = [], 0
    for row in range(3):
        for field in range(2):
            stop = start + int(LENGTH[row, field])
            ids, values = ID[start:stop], VALUE[start:stop]
            start = stop
            if not len(ids):
                tokens[row, :, field] = own.empty[field]
                continue
            share = values.abs()[:, None] * (SCORE_PACE * own.score[ids]).exp()
            share = share / share.sum(0)
            weights.append(share)
            for query in range(n_queries):
                for j, code in enumerate(ids):
                    tokens[row, query, field] += share[j, query] * values[j] * own.embedding[code]
    return tokens, torch.cat(weights)


@pytest.mark.parametrize("n_queries", [1, 3])
def test_bags_equal_plain_loops(n_queries):
    own = bags(n_queries)
    torch.nn.init.normal_(own.score, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        tokens, weights = reference(own)
    assert_close(own.within(ID, VALUE, LENGTH), weights)
    assert_close(own(ID, VALUE, LENGTH), tokens)


def test_attention_starts_at_the_prior():
    weights = bags(1).within(ID[:2], VALUE[:2].abs(), LENGTH[:1])
    assert_close(weights[:, 0], torch.tensor([1.0, 3.0], dtype=torch.float64) / 4)


def test_gradients_are_those_of_finite_differences():
    own = bags()

    def of(score, embedding, empty):
        parameters = {"score": score, "embedding": embedding, "empty": empty}
        return torch.func.functional_call(own, parameters, (ID, VALUE, LENGTH))

    inputs = [own.score, own.embedding, own.empty]
    assert torch.autograd.gradcheck(of, [tensor.detach().requires_grad_() for tensor in inputs])


def test_a_row_does_not_depend_on_the_others():
    own = bags()
    together = own(ID, VALUE, LENGTH)
    alone = own(ID[2:6], VALUE[2:6], LENGTH[1:2])
    assert torch.equal(together[1:2], alone)


def test_tokens_are_dropped_in_training_alone():
    own = bags().train()
    own.drop.generator = torch.Generator().manual_seed(0)
    trained = own.within(ID, VALUE, LENGTH)
    assert (trained == 0).any()
    assert not (bags().within(ID, VALUE, LENGTH) == 0).any()
    assert trained.isfinite().all()


def test_field_whose_tokens_have_no_mass_gets_no_attention():
    weights = ragged_attention_weights(
        torch.zeros(3, 1), torch.tensor([2, 1]), torch.tensor([0.0, 0, 1])
    )
    assert weights.squeeze(1).tolist() == [0.0, 0.0, 1.0]


def test_large_scores_do_not_overflow():
    scores = torch.tensor([[1e4], [1e4], [-1e4]])
    weights = ragged_attention_weights(scores, LENGTHS, torch.ones(3))
    assert weights.squeeze(1).tolist() == [0.5, 0.5, 1.0]
