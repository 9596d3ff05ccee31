import numpy as np
from numpy.testing import assert_allclose

from tests._recommenders import interactions, recommender

DATA = interactions()


def test_new_items_begin_where_they_turn_up_as_often_as_they_do(monkeypatch):
    """The pass itself is left out, so that the places stay visible."""
    own = recommender(max_epochs=5, early_stopping=False).fit(DATA.iloc[:380])
    known = len(own.items_)
    vectors, bias = own._catalogue.items.numpy()[:, :-1], own._catalogue.bias.numpy()
    later = DATA.iloc[380:].copy()
    later.iloc[::3, 1] = 99
    hidden = own.transform(later)[::3]  # at those moments, before anything is recorded
    scores = hidden @ vectors.T + bias
    monkeypatch.setattr(type(own), "_walk", lambda *args: None)
    own.partial_fit(later)
    assert own.items_.tolist() == [*range(known), 99]
    placed, height = own._catalogue.items.numpy()[-1, :-1], own._catalogue.bias.numpy()[-1]
    assert np.isfinite(placed).all()
    assert_allclose(own._catalogue.items.numpy()[:-1, :-1], vectors)
    # softmax over all known items, the new one at their lowest bias and no vector of its own yet
    share = np.exp(scores - scores.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    expected = (share @ vectors).mean(axis=0)
    cosine = placed @ expected / np.linalg.norm(placed) / np.linalg.norm(expected)
    assert cosine > 0.9  # events of the chunk are in the histories by now
    now = own.transform(later)[::3]
    others = np.log(np.exp(now @ vectors.T + bias).sum(axis=1))
    assert_allclose((now @ placed + height - others).mean(), np.log(1 / 3), atol=0.1)
