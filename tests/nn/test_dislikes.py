import torch
from torch.testing import assert_close

from sk_attention.nn.dislikes import DISLIKES_AT_A_TIME, LossOfDislikes
from sk_attention.nn.layers import seed_draws
from sk_attention.nn.recommender import Disliking, Scoring

MANY = DISLIKES_AT_A_TIME + 200


def loss_and_gradient(n_dislikes, seed):
    """Compare as many targets with something turned down each, beside a ranking of loss 0."""
    own = torch.Generator().manual_seed(0)
    hidden = torch.randn(n_dislikes, 4, generator=own).requires_grad_()
    scoring = Scoring(hidden, torch.randn(9, 4, generator=own), torch.zeros(9))
    item, target = torch.randint(1, 10, (2, n_dislikes), generator=own)
    weight = torch.rand(n_dislikes, generator=own)
    outputs = Disliking(scoring, item, torch.arange(n_dislikes), weight)
    loss_of_dislikes = LossOfDislikes(lambda outputs, target, weight: torch.zeros(1))
    seed_draws(loss_of_dislikes, torch.Generator().manual_seed(seed))
    loss = loss_of_dislikes(outputs, target, torch.ones(n_dislikes))
    return loss.detach(), *torch.autograd.grad(loss, hidden)


def test_a_step_compares_so_many_and_expects_the_loss_of_all(monkeypatch):
    drawn = [loss_and_gradient(MANY, seed) for seed in range(300)]
    read = (drawn[0][1] != 0).any(1).sum()
    assert 0.8 * DISLIKES_AT_A_TIME < read <= DISLIKES_AT_A_TIME  # an item beside itself is nothing
    monkeypatch.setattr("sk_attention.nn.dislikes.DISLIKES_AT_A_TIME", MANY)
    expected = loss_and_gradient(MANY, 0)
    for found, own in zip(map(torch.stack, zip(*drawn, strict=True)), expected, strict=True):
        assert_close(found.mean(0), own, rtol=0.02, atol=0.001)


def test_the_seed_alone_decides_what_is_compared():
    torch.manual_seed(0)
    first = loss_and_gradient(MANY, 1)
    assert_close(loss_and_gradient(MANY, 1), first, rtol=0, atol=0)
    assert loss_and_gradient(MANY, 2)[0] != first[0]
