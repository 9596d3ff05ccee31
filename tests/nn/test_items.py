"""Vectors of described items: of some as of all, and no others than those asked for."""

import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn import items as module
from sk_attention.nn.features import FeatureVectors
from sk_attention.nn.items import Described, at_rest
from sk_attention.nn.layers import linear, seed_draws
from sk_attention.nn.ranking import RankingLoss
from sk_attention.nn.recommender import HistoryNetwork, Surroundings
from sk_attention.nn.reranking import RerankingLoss
from sk_attention.nn.sampled import training_loss
from tests._networks import LENGTH, histories

N_ITEMS, DIM = 40, 8
LOSSES = {"self": ("sampled_softmax", "gbce"), "double": ("sampled_softmax", "gbce")}
CASES = [(kind, loss) for kind, losses in LOSSES.items() for loss in losses] + [("cross", None)]


class Counted(FeatureVectors):
    """Features that keep how many items were read at once."""

    def __init__(self, generator):
        super().__init__(None, linear(3, DIM, generator), "item")
        self.n_read = []

    def forward(self, inputs):
        self.n_read.append(len(inputs["item.vector"]))
        return super().forward(inputs)


def described(generator):
    codes = {"item.vector": torch.randn(N_ITEMS, 3, generator=generator)}
    met = torch.arange(N_ITEMS) < N_ITEMS - 3
    own = Described(Counted(generator), codes, met)
    own.hide.p = 0.0  # what is hidden by chance differs from call to call
    return own


def network(kind, looks_at_all):
    generator = torch.Generator().manual_seed(0)
    beside = Surroundings(described(generator))
    share = torch.rand(N_ITEMS, generator=generator)
    own = HistoryNetwork(kind, share, DIM, 2, 1, 0.0, LENGTH, 10.0, generator, beside, looks_at_all)
    own.events.hide.p = 0.0
    return own.double().train()


def learned(kind, loss, looks_at_all):
    """The loss of a step, and its gradients."""
    own, inputs = network(kind, looks_at_all), histories(n_items=N_ITEMS)
    if loss is None:
        criterion = RerankingLoss(None)
    else:
        first = training_loss(loss, torch.ones(N_ITEMS), 4)
        criterion = RankingLoss(first) if own.reader is None else RerankingLoss(first)
    generator = torch.Generator().manual_seed(1)
    target = torch.randint(1, 6, (len(inputs["position"]),), generator=generator)
    seed_draws(criterion, generator)
    if own.reader is not None:
        own.sampler.n_negatives = 5
        own.sampler.generator = torch.Generator().manual_seed(2)
    value = criterion.train()(own(inputs), target, torch.ones(len(target)).double())
    value.sum().backward()
    return own, value, {n: p.grad for n, p in own.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("kind", "loss"), CASES)
def test_a_loss_that_draws_reads_few_items_and_learns_as_if_it_read_all(kind, loss):
    own, value, gradients = learned(kind, loss, looks_at_all=False)
    everything, expected, dense = learned(kind, loss, looks_at_all=True)
    assert max(own.items.described.features.n_read) < N_ITEMS
    assert max(everything.items.described.features.n_read) == N_ITEMS
    assert_close(value, expected)
    assert all(gradients[name].is_sparse for name in own.tables)
    assert gradients.keys() == dense.keys()
    for name, gradient in gradients.items():
        assert_close(gradient.to_dense(), dense[name].to_dense())


def test_all_items_are_read_in_blocks_and_once_while_nothing_changes(monkeypatch):
    own = network("self", looks_at_all=False).eval()
    n_read = own.items.described.features.n_read
    expected = own.item_vectors().detach()
    monkeypatch.setattr(module, "ITEMS_AT_A_TIME", 16)
    with torch.no_grad():
        assert_close(own.item_vectors(), expected)
        assert n_read == [40, 16, 16, 8]
        with at_rest(own):
            assert own.item_vectors() is own.item_vectors()
        assert n_read[4:] == [16, 16, 8]
        own.items.embedding += 1.0
        assert_close(own.item_vectors(), expected + 1.0)
