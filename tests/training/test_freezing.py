import numpy as np
from numpy.testing import assert_allclose

from sk_attention.training.freezing import frozen_queries
from tests._estimators import classifier, numbers


def test_attention_stays_uniform_where_queries_are_frozen_at_nothing():
    X = numbers(200)
    callbacks = [("frozen_queries", frozen_queries())]
    model = classifier(
        attention_sharpness=0.0, callbacks=callbacks, max_epochs=3, early_stopping=True, refit=True
    )
    model.fit(X, X[:, 0] > 0)
    assert_allclose(model.attend(X), 0.25)
    assert len(np.unique(model.predict_proba(X)[:, 1].round(6))) > 1
