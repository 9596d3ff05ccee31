"""Tasks help each other; z lets one read what another reads, weighted by omega."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from sk_attention import MultiTaskAttentionClassifier


def three_tasks(seed):
    """Many labels of A, 60 labels of B, which is A with noise, and pure noise C."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(4000, 10))
    rule = X[:, 0] * X[:, 1] + X[:, 2]
    a = (rule > 0).astype(float)
    b = (rule + 0.3 * rng.normal(size=len(X)) > 0).astype(float)
    c = rng.integers(0, 2, len(X)).astype(float)
    y = np.column_stack([a, b, c])
    y[60:2000, 1] = np.nan
    return X[:2000], y[:2000], X[2000:], b[2000:]


def small(**changes):
    sizes = {"n_members": 4, "hidden_layer_sizes": (64, 64), "random_state": 0}
    return MultiTaskAttentionClassifier(**(sizes | changes))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_task_with_few_labels_is_helped_by_one_with_many(seed):
    X, y, X_test, b_test = three_tasks(seed)
    joint = small(random_state=seed).fit(X, y)
    alone = small(random_state=seed).fit(X, y[:, 1])
    helped = roc_auc_score(b_test, joint.predict_proba(X_test)[1][:, 1])
    unhelped = roc_auc_score(b_test, alone.predict_proba(X_test)[:, 1])
    assert helped > unhelped + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 4, 5])
def test_task_weights_prefer_the_task_that_helps_to_the_one_that_is_noise(seed):
    X, y, _, _ = three_tasks(seed)
    a, _, c = small(random_state=seed).fit(X, y).task_weights_
    assert a > 1.1 * c


@pytest.mark.parametrize("mixed", [True, False])
def test_a_task_reaches_another_through_z_alone(mixed):
    X, y, _, _ = three_tasks(0)
    model = small(n_members=2, hidden_layer_sizes=8, refit=False)
    model.fit(X[:300], y[:300, [0, 2]])
    network = model.net_.module_
    with torch.no_grad():
        network.mixture.logit.copy_(torch.tensor([0.0, 0.0 if mixed else 100.0]))
        before = model.predict_proba(X)
        network.reading.query[0] += 1.0  # another question of task 0
        after = model.predict_proba(X)
    assert np.abs(before[0] - after[0]).max() > 1e-6
    assert (np.abs(before[1] - after[1]).max() > 1e-6) == mixed
