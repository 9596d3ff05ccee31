"""How popular items are, against plain loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from sk_attention.data.popularity import first_times, item_weights
from tests._histories import histories


@given(
    events=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 5), st.integers(1, 3)),
        min_size=1,
        max_size=15,
    ),
    half_life=st.sampled_from([0.05, 0.5, np.inf]),
)
def test_items_weigh_less_the_more_came_later(events, half_life):
    user, item, time, weight = np.array(events).T
    built = histories(user, item, time, weight, n_users=3)
    expected = np.zeros(5)
    for _, own, when, much in events:
        later = sum(other[3] for other in events if other[2] > when) / weight.sum()
        expected[own] += much * 0.5 ** min(later / half_life, 100)
    assert_allclose(item_weights(built, 4, half_life), expected[1:], rtol=1e-9)
    first = [min((e[2] for e in events if e[1] == own), default=-np.inf) for own in range(1, 5)]
    assert first_times(built, 4).tolist() == first
