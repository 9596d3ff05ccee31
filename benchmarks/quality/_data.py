"""The tables that models are judged on, and how their rows are shared out.

The folder is named by SK_ATTENTION_DATA (default ../shared/data). Parts of a random split are drawn
anew for every seed.
"""

import json
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit

ROOT = Path(os.environ.get("SK_ATTENTION_DATA", "../shared/data")).resolve()
IN_TIME_ORDER = {"electricity"}
OFFICIAL_SPLIT = {"adult"}
# Tables with several classification tasks; None: all targets are.
TASKS = {
    "nycflights13": ["dep_delayed_15", "arr_delayed_15", "cancelled"],
    "ai4i2020": None,
    "cardiotocography": None,
    "tox21": None,
    "wine_quality": None,
}


def meta(area, name):
    return json.loads((ROOT / area / name / "meta.json").read_text())


def as_categories(X, columns=()):
    """Return X with the named columns, and all that hold no numbers, as categories of text."""
    X = X.set_axis([str(column) for column in X.columns], axis=1)
    for column in X:
        dtype = X[column].dtype
        is_number = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
        if column in columns or not is_number:
            X[column] = X[column].astype("category").cat.rename_categories(str)
    return X


# ---- one task -----------------------------------------------------------------------------------


def single_task_sets():
    """Return the names of the tables with one classification task."""
    found = []
    for path in sorted((ROOT / "tabular").glob("*/meta.json")):
        targets = list(json.loads(path.read_text())["targets"].values())
        if len(targets) == 1 and targets[0]["type"] in ("binary", "multiclass"):
            found.append(path.parent.name)
    return found


@lru_cache(maxsize=2)
def single_task(name):
    """Return features, labels, and the official split (or None).

    "openml_31" is set 31 of OpenML.
    """
    if name.startswith("openml_"):
        return _openml(int(name.removeprefix("openml_")))
    about = meta("tabular", name)
    frame = pd.read_parquet(ROOT / "tabular" / name / about["files"][0])
    (target,) = about["targets"]
    official = frame["split"].to_numpy() if "split" in frame else None
    X = frame.drop(columns=[target, "split"], errors="ignore")
    return as_categories(X, about["categorical_columns"]), _labels(frame[target]), official


def _openml(data_id):
    from sklearn.datasets import fetch_openml

    bunch = fetch_openml(data_id=data_id, as_frame=True)
    labelled = bunch.target.notna()
    return as_categories(bunch.data[labelled]), _labels(bunch.target[labelled]), None


def _labels(y):
    """Return labels as an array of integers or of text, never of objects."""
    return np.asarray(y.tolist())


def parts(name, y, official, seed):
    """Return the rows to train on, to choose by, and to report.

    60 %, 20 % and 20 %: in time order where the rows have one, else at random, stratified. Where a
    test part is official, the rest is shared out 3:1.
    """
    if name in IN_TIME_ORDER:
        first, second = int(0.6 * len(y)), int(0.8 * len(y))
        return np.split(np.arange(len(y)), [first, second])
    if name in OFFICIAL_SPLIT:
        rest = np.flatnonzero(official != "test")
        train, validation = (rest[rows] for rows in stratified(y[rest], (3, 1), seed))
        return train, validation, np.flatnonzero(official == "test")
    return stratified(y, (3, 1, 1), seed)


def stratified(y, shares, seed):
    """Return one array of rows per share, each with the classes of the whole.

    Rows are lined up by class, at random within a class, and dealt out in turn. Unlike
    train_test_split, this takes classes of a single row.
    """
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(y)), y))
    turn = (np.arange(len(y)) + rng.integers(sum(shares))) % sum(shares)
    part = np.repeat(np.arange(len(shares)), shares)[turn]
    return [rng.permutation(order[part == number]) for number in range(len(shares))]


def subsample(rows, y, n_rows, seed):
    """Return at most ``n_rows`` of the rows, evenly from each class of ``y``."""
    if n_rows is None or len(rows) <= n_rows:
        return rows
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(rows)), y[rows]))
    chosen = (np.arange(n_rows) + rng.random()) * len(rows) / n_rows
    return np.sort(rows[order[chosen.astype(int)]])


# ---- several tasks ------------------------------------------------------------------------------


def _openml_tasks(data_id):
    from sklearn.datasets import fetch_openml

    bunch = fetch_openml(data_id=data_id, as_frame=True)
    if len(bunch.target_names) < 2:
        raise ValueError(f"set {data_id} of OpenML names one target: {bunch.target_names}")
    return bunch.data, bunch.target


@lru_cache(maxsize=2)
def multi_task(name):
    """Return features, labels and groups (or None) of a data set.

    "openml_41465" is set 41465 of OpenML, which must name several targets.
    """
    if name.startswith("openml_"):
        return *_openml_tasks(int(name.removeprefix("openml_"))), None
    about = meta("multitask", name)
    path = ROOT / "multitask" / name / about["files"][0]
    if path.suffix == ".npz":
        arrays = np.load(path)
        X = np.unpackbits(arrays["ecfp4_packed"], axis=1).astype(np.float32)
        y = pd.DataFrame(arrays["Y"], columns=arrays["task_names"])
        return X, y, arrays["scaffold_id"]
    frame = pd.read_parquet(path)
    X = frame.drop(columns=list(about["targets"]))
    for column in about["categorical_columns"]:
        X[column] = X[column].astype("category")
    return X, frame[TASKS[name] or list(about["targets"])], None


def random_parts(X, groups, seed):
    """Return the rows to train on, to choose by, and to report: 60 %, 20 %, 20 %.

    Rows of a group stay together.
    """
    cut = ShuffleSplit if groups is None else GroupShuffleSplit
    train, rest = next(cut(1, test_size=0.4, random_state=seed).split(X, groups=groups))
    inner = None if groups is None else groups[rest]
    half = cut(1, test_size=0.5, random_state=seed).split(rest, groups=inner)
    validation, test = next(half)
    return train, rest[validation], rest[test]


def take(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
