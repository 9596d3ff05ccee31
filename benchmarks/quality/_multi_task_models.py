"""Models for several tasks at once: `fit(X, Y)`, and lists `predict_proba(X)` and `classes_`.

X is a data frame with categories; Y a data frame, nan where a label is missing.
"""

import json

import numpy as np

from benchmarks.quality import _models

# The model of `_models` that each is made of; a variant is made of ours.
BASES = {
    "sk_attention": "sk_attention",
    "sk_attention_single": "sk_attention",
    "lightgbm_single": "lightgbm",
    "multi_output": "hist_gradient_boosting",
    "classifier_chain": "hist_gradient_boosting",
}
COMPLETE_ONLY = {"multi_output", "classifier_chain"}


class PerTask:
    """One model per task, each on the rows whose label is observed."""

    def __init__(self, build):
        self.build = build

    def fit(self, X, Y):
        self.models_ = []
        for task in Y:
            seen = Y[task].notna().to_numpy()
            self.models_.append(self.build().fit(X[seen], np.asarray(Y[task][seen].tolist())))
        self.classes_ = [model.classes_ for model in self.models_]
        return self

    def predict_proba(self, X):
        return [model.predict_proba(X) for model in self.models_]


class _Sklearn:
    """What scikit-learn's own models for several tasks need done: labels as codes."""

    def fit(self, X, Y):
        coded = [np.unique(Y[task].tolist(), return_inverse=True) for task in Y]
        self.classes_ = [classes for classes, _ in coded]
        self._fit(X, np.column_stack([codes for _, codes in coded]))
        return self


class MultiOutput(_Sklearn):
    """MultiOutputClassifier of HistGradientBoostingClassifier."""

    def __init__(self, seed):
        self.seed = seed

    def _fit(self, X, codes):
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.multioutput import MultiOutputClassifier

        self.prepare_ = _models.FewCategories()
        boosting = HistGradientBoostingClassifier(random_state=self.seed)
        self.model_ = MultiOutputClassifier(boosting).fit(self.prepare_.fit_transform(X), codes)

    def predict_proba(self, X):
        return self.model_.predict_proba(self.prepare_.transform(X))


class Chain(_Sklearn):
    """ClassifierChain of HistGradientBoostingClassifier, in the order of the tasks."""

    def __init__(self, seed):
        self.seed = seed

    def _fit(self, X, codes):
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.multioutput import ClassifierChain

        # The chain takes numbers only, none of them missing.
        self.few_, self.codes_ = _models.FewCategories(), _models.Codes()
        X = self.codes_.fit_transform(self.few_.fit_transform(X))
        boosting = HistGradientBoostingClassifier(
            random_state=self.seed, categorical_features=self.codes_.places_
        )
        self.model_ = ClassifierChain(boosting).fit(X, codes)

    def predict_proba(self, X):
        # The chain's own predict_proba knows two classes only. As there, each model sees what
        # those before it predict.
        X, found = self.codes_.transform(self.few_.transform(X)), []
        for model in self.model_.estimators_:
            found.append(model.predict_proba(X))
            X = np.column_stack([X, model.predict(X)])
        return found


def source(name, parameters):
    """Return what a model is, by its name; one with parameters is ours."""
    if not parameters:
        return name
    return "sk_attention_single" if name.endswith("_single") else "sk_attention"


def fresh(name, job):
    """Return a new model for a job."""
    seed, n_threads = job["seed"], job["threads"]
    parameters = json.loads(job["parameters"]) if job["parameters"] else None
    if name == "sk_attention":
        return _models.fresh(name, seed, n_threads, parameters)
    if name == "multi_output":
        return MultiOutput(seed)
    if name == "classifier_chain":
        return Chain(seed)
    return PerTask(lambda: _models.fresh(BASES[name], seed, n_threads, parameters))
