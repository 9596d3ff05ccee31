"""The models that are compared, each at its own defaults.

`REGISTRY` maps a name to a function of (seed, n_threads) that returns a fresh model with
`fit(X, y)`, `predict_proba(X)` and `classes_`, where X is a data frame whose categories have the
dtype "category" and may be missing, and y an array of labels. Only what a peer needs in order to
take such a frame is done to it before. Peers are imported where they are built, so that those that
are not installed are not missed.
"""

from functools import cache

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.preprocessing import LabelEncoder

from benchmarks._common import version_of

MISSING = "missing"
HGB_CATEGORIES = 254


class Adapted(BaseEstimator):
    """A peer behind what it needs done to X, which ``build`` may look at.

    ``encode_y`` is for peers that want labels 0, 1, ...
    """

    def __init__(self, build, prepare, encode_y=False):
        self.build = build
        self.prepare = prepare
        self.encode_y = encode_y

    def fit(self, X, y):
        labels = LabelEncoder().fit(y)
        X = self.prepare.fit_transform(X)
        self.model_ = self.build(X)
        self.model_.fit(X, labels.transform(y) if self.encode_y else y)
        self.classes_ = labels.classes_ if self.encode_y else self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(self.prepare.transform(X))


# ---- what is done to X --------------------------------------------------------------------------


def _categories(X):
    return [column for column in X if isinstance(X[column].dtype, pd.CategoricalDtype)]


class Prepare:
    """Does nothing to X."""

    def fit_transform(self, X):
        return self.transform(X)

    def transform(self, X):
        return X


class PlainNames(Prepare):
    """Numbers the columns: LightGBM and XGBoost refuse some characters in names."""

    def transform(self, X):
        return X.set_axis([f"x{number}" for number in range(X.shape[1])], axis=1)


class TextCategories(Prepare):
    """Turns categories into text, missing ones too, as CatBoost wants them."""

    def transform(self, X):
        plain = {name: X[name].astype(object) for name in _categories(X)}
        return X.assign(
            **{name: text.where(text.notna(), MISSING).astype(str) for name, text in plain.items()}
        )


class FewCategories(Prepare):
    """Keeps the most frequent categories: HistGradientBoosting takes 255. The rest go missing."""

    def fit_transform(self, X):
        self.kept_ = {
            name: X[name].value_counts().index[:HGB_CATEGORIES]
            for name in _categories(X)
            if len(X[name].cat.categories) > HGB_CATEGORIES
        }
        return self.transform(X)

    def transform(self, X):
        kept = {name: X[name].cat.set_categories(few) for name, few in self.kept_.items()}
        return X.assign(**kept) if kept else X


class MedianNumbers(Prepare):
    """Fills missing numbers by the median of training; categories stay as they are."""

    def fit_transform(self, X):
        self.numbers_ = [name for name in X if name not in _categories(X)]
        self.medians_ = X[self.numbers_].median().fillna(0.0)
        return self.transform(X)

    def transform(self, X):
        filled = X.copy()
        filled[self.numbers_] = X[self.numbers_].astype(np.float32).fillna(self.medians_)
        return filled


class Codes(MedianNumbers):
    """Codes the categories from 1 (0: missing or never seen) and fills the numbers; an array."""

    def fit_transform(self, X):
        self.seen_ = {name: pd.Index(X[name].dropna().unique()) for name in _categories(X)}
        self.places_ = [X.columns.get_loc(name) for name in self.seen_]
        return super().fit_transform(X)

    def transform(self, X):
        codes = {name: seen.get_indexer(X[name]) + 1 for name, seen in self.seen_.items()}
        return super().transform(X).assign(**codes).to_numpy(dtype=np.float32)


# ---- the models ---------------------------------------------------------------------------------


def sk_attention(seed, n_threads, **parameters):
    from sk_attention import MultiTaskAttentionClassifier

    return MultiTaskAttentionClassifier(**{"random_state": seed, **parameters})


def lightgbm(seed, n_threads):
    from lightgbm import LGBMClassifier

    def build(X):
        return LGBMClassifier(random_state=seed, n_jobs=n_threads, verbosity=-1)

    return Adapted(build, PlainNames())


def catboost(seed, n_threads):
    from catboost import CatBoostClassifier

    def build(X):
        return CatBoostClassifier(
            random_seed=seed,
            thread_count=n_threads,
            verbose=False,
            allow_writing_files=False,
            cat_features=[name for name in X if not pd.api.types.is_numeric_dtype(X[name])],
        )

    return Adapted(build, TextCategories())


def xgboost(seed, n_threads):
    from xgboost import XGBClassifier

    def build(X):
        return XGBClassifier(random_state=seed, n_jobs=n_threads, enable_categorical=True)

    return Adapted(build, PlainNames(), encode_y=True)


def hist_gradient_boosting(seed, n_threads):
    # It takes as many threads as OpenMP is allowed.
    from sklearn.ensemble import HistGradientBoostingClassifier

    def build(X):
        return HistGradientBoostingClassifier(random_state=seed, categorical_features="from_dtype")

    return Adapted(build, FewCategories())


def logistic_regression(seed, n_threads):
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
        (numbers, make_column_selector(dtype_exclude="category")),
    )
    return make_pipeline(columns, LogisticRegression(random_state=seed))


def _pytabkit(name, **parameters):
    """Return a function that builds a model of pytabkit, which takes no missing numbers."""

    def model(seed, n_threads):
        import pytabkit

        def build(X):
            return getattr(pytabkit, name)(random_state=seed, n_threads=n_threads, **parameters)

        return Adapted(build, MedianNumbers())

    return model


def tabnet(seed, n_threads):
    from pytorch_tabnet.tab_model import TabNetClassifier

    codes = Codes()

    class Model(TabNetClassifier):
        def fit(self, X, y):
            # Its own batches of 1,024 rows leave out what is left over: all of a small table.
            return super().fit(X, y, batch_size=min(1024, len(X)))

    def build(X):
        sizes = [len(seen) + 1 for seen in codes.seen_.values()]
        return Model(cat_idxs=codes.places_, cat_dims=sizes, seed=seed, verbose=0)

    return Adapted(build, codes, encode_y=True)


REGISTRY = {
    "sk_attention": sk_attention,
    "lightgbm": lightgbm,
    "catboost": catboost,
    "xgboost": xgboost,
    "hist_gradient_boosting": hist_gradient_boosting,
    "realmlp": _pytabkit("RealMLP_TD_Classifier"),
    "tabm": _pytabkit("TabM_D_Classifier"),
    "ft_transformer": _pytabkit("FTT_D_Classifier"),
    "tabnet": tabnet,
    "logistic_regression": logistic_regression,
    # pytabkit chooses the pass by accuracy; this is what it advises for log loss.
    "realmlp_log_loss": _pytabkit(
        "RealMLP_TD_Classifier", val_metric_name="cross_entropy", use_ls=False
    ),
    "tabm_log_loss": _pytabkit("TabM_D_Classifier", val_metric_name="cross_entropy"),
    "ft_transformer_log_loss": _pytabkit("FTT_D_Classifier", val_metric_name="cross_entropy"),
}
DEFAULT = [name for name in REGISTRY if not name.endswith("_log_loss")]
PACKAGES = {
    "sk_attention": "sk-attention",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "xgboost": "xgboost",
    "realmlp": "pytabkit",
    "tabm": "pytabkit",
    "ft_transformer": "pytabkit",
    "tabnet": "pytorch-tabnet",
}


def package_version(name):
    """Return the package that a model comes from, and its version."""
    package = PACKAGES.get(name.removesuffix("_log_loss"), "scikit-learn")
    return f"{package} {version_of(package)}"


@cache
def warm_up(name):
    """Fit a tiny table once in this process: what a first fit imports and compiles is not timed."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=60), "c": pd.Categorical(["a", "b", "c"] * 20)})
    y = np.arange(60) % 2
    fresh(name, 0, 1).fit(X, y).predict_proba(X)


def fresh(name, seed, n_threads, parameters=None):
    """Return a model by its name; one with parameters is ours."""
    if parameters is not None:
        return sk_attention(seed, n_threads, **parameters)
    return REGISTRY[name](seed, n_threads)
