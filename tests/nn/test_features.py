"""Columns as one vector: against plain sums, and what it means that nothing is known."""

import torch
from torch.testing import assert_close

from sk_attention.nn.bags import BagTokens
from sk_attention.nn.features import FeatureVectors, PartlyKnown
from sk_attention.nn.items import Described
from sk_attention.nn.layers import seed_draws
from sk_attention.nn.tokens import CategoryTokens, Tokens

DIM = 4
LENGTH = torch.tensor([[2], [0], [3]])  # words of three items
WORD = torch.tensor([0, 1, 2, 2, 3])
COUNT = torch.ones(5)
KIND = torch.tensor([[1], [2], [1]])


def generator():
    return torch.Generator().manual_seed(0)


def features(name="item"):
    rng = generator()
    bags = BagTokens(torch.arange(1.0, 5.0), 1, 1, DIM, rng)
    return FeatureVectors(Tokens(None, CategoryTokens([3], DIM, rng), bags=bags), None, name).eval()


def described():
    codes = {
        "item.category": KIND,
        "item.bag_length": LENGTH,
        "item.bag_id": WORD,
        "item.bag_value": COUNT,
    }
    return Described(features(), codes, torch.ones(3, dtype=torch.bool)).eval()


def test_texts_of_items_are_pooled_as_by_hand_in_any_order_and_number():
    own = described()
    tokens = own.features.tokens
    start = [0, 2, 2, 5]
    by_hand = [torch.zeros(DIM)]
    for item in range(3):
        words = WORD[start[item] : start[item + 1]]
        share = torch.arange(1.0, 5.0)
        weights = share[words] / share[words].sum()
        text = (weights[:, None] * tokens.bags.embedding[words]).sum(0)
        by_hand.append(text + tokens.categories.embedding[KIND[item, 0]])
    by_hand.append(torch.zeros(DIM))  # the start of a history
    code = torch.tensor([[2, 1, 4], [0, 3, 1]])
    assert_close(own(code), torch.stack(by_hand)[code])


def test_words_of_some_items_learn_as_of_all():
    own = described()
    own(torch.tensor([1, 1, 3])).sum().backward()
    grad = own.features.tokens.bags.embedding.grad
    own.zero_grad()
    everything = own(torch.tensor([1, 2, 3]))
    (2 * everything[0] + everything[2]).sum().backward()
    assert_close(own.features.tokens.bags.embedding.grad, grad)


def test_hidden_rows_are_as_those_of_which_nothing_is_known():
    rng = generator()
    single = FeatureVectors(Tokens(None, CategoryTokens([9], DIM, rng)), None, "user").eval()
    single.tokens.categories.embedding.data[0] = 7.0
    own = PartlyKnown(single, {"user.category": torch.zeros(1, 1, dtype=torch.int32)})
    codes = {"user.category": torch.ones(40, 50, 1, dtype=torch.int32)}
    assert_close(own.eval()(codes), single(codes))
    seed_draws(own, rng)
    own.training = own.hide.training = True  # categories are not hidden on top of that
    hidden = (own(codes) == 7.0).all(-1)
    assert_close(own(codes)[~hidden][0], single(codes)[0, 0])
    assert 0.08 < hidden.double().mean() < 0.12
