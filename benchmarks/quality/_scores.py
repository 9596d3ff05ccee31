"""How good predicted probabilities are: the same rules for every model."""

import numpy as np
from scipy.stats import rankdata

METRICS = ("log_loss", "roc_auc", "accuracy", "ece", "brier")
N_BINS = 15
LEAST = 1e-7


def clipped(probabilities):
    """Return probabilities of at least ``LEAST``, each row summing to 1."""
    p = np.clip(np.asarray(probabilities, dtype=np.float64), LEAST, 1.0)
    return p / p.sum(axis=1, keepdims=True)


def log_loss(codes, p):
    """Return the mean of -log p[i, codes[i]]."""
    return float(-np.log(p[np.arange(len(codes)), codes]).mean())


def brier(codes, p):
    """Return half the mean squared distance to the one-hot labels.

    With y the one-hot labels of n rows, sum_ik (p_ik - y_ik)^2 / (2 n). Halved, so that for two
    classes it is the usual mean of (p - y)^2.
    """
    hit = np.arange(p.shape[1]) == codes[:, None]
    return float(((p - hit) ** 2).sum(axis=1).mean() / 2)


def expected_calibration_error(codes, p, n_bins=N_BINS):
    """Return how far the top class's probability is from how often it is right.

    With B_m the rows whose largest probability lies in the m-th of ``n_bins`` bins of equal width
    on (0, 1], sum_m |B_m| / n |accuracy(B_m) - confidence(B_m)|, where confidence is the mean
    largest probability of the bin and accuracy the share of its rows that are right.
    """
    confidence = p.max(axis=1)
    right = p.argmax(axis=1) == codes
    bins = np.clip(np.ceil(confidence * n_bins).astype(int) - 1, 0, n_bins - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(codes))


def binary_auc(positive, score):
    """Return the share of pairs in the right order (ties count half), or nan without pairs."""
    n_positive, n = positive.sum(), len(positive)
    if n_positive in (0, n):
        return np.nan
    rank_sum = rankdata(score)[positive].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * (n - n_positive)))


def roc_auc(codes, p):
    """Return the AUC; of several classes the mean of each against the rest, where defined."""
    if p.shape[1] == 2:
        return binary_auc(codes == 1, p[:, 1])
    each = [binary_auc(codes == k, p[:, k]) for k in range(p.shape[1])]
    return float(np.nanmean(each)) if not np.isnan(each).all() else np.nan


def scores(y, probabilities, classes):
    """Return all scores, over the rows whose class the model was trained on."""
    classes = np.asarray(classes)
    known = np.isin(y, classes)
    order = np.argsort(classes)
    codes = np.searchsorted(classes[order], np.asarray(y)[known])
    p = clipped(probabilities)[known][:, order]
    return {
        "n_scored": int(known.sum()),
        "log_loss": log_loss(codes, p),
        "roc_auc": roc_auc(codes, p),
        "accuracy": float((p.argmax(axis=1) == codes).mean()),
        "ece": expected_calibration_error(codes, p),
        "brier": brier(codes, p),
    }


def geometric_mean(ratios, n_draws=5000, seed=0):
    """Return the geometric mean of ratios and its 95 % bootstrap interval (nan if there are none).

    The ratios are drawn anew with replacement ``n_draws`` times; the interval is from the 2.5th to
    the 97.5th percentile of the means.
    """
    logs = np.log(np.asarray(ratios, dtype=np.float64))
    if len(logs) == 0:
        return np.nan, np.nan, np.nan
    drawn = np.random.default_rng(seed).integers(len(logs), size=(n_draws, len(logs)))
    low, high = np.percentile(logs[drawn].mean(axis=1), [2.5, 97.5])
    return tuple(float(value) for value in np.exp([logs.mean(), low, high]))


def clustered_mean(ratios, n_draws=2000, seed=0):
    """Return the geometric mean of ratios and its 95 % bootstrap interval, by set, task and seed.

    All tasks of a set share its seeds, so neither is independent of the other. The mean is over
    tasks and seeds within a set, then over sets. Drawn anew are the sets, within each set its
    tasks, and apart from them its seeds; a cell counts as often as its task times its seed.

    Parameters
    ----------
    ratios : Series with the index levels "set", "task" and "seed"
    """
    if len(ratios) == 0:
        return np.nan, np.nan, np.nan
    tables = [rows.unstack("seed").to_numpy() for _, rows in np.log(ratios).groupby("set")]
    rng = np.random.default_rng(seed)
    # for each draw, one mean of each set for each place that a set may take
    drawn = np.stack([_drawn_means(table, (n_draws, len(tables)), rng) for table in tables])
    chosen = rng.integers(len(tables), size=(1, n_draws, len(tables)))
    means = np.nanmean(np.take_along_axis(drawn, chosen, axis=0)[0], axis=1)
    low, high = np.nanpercentile(means, [2.5, 97.5])
    mean = np.mean([np.nanmean(table) for table in tables])
    return tuple(float(value) for value in np.exp([mean, low, high]))


def _drawn_means(table, shape, rng):
    """Return means of (n_tasks, n_seeds) cells, nan where missing, rows and columns drawn anew."""
    counts = [rng.multinomial(n, np.full(n, 1 / n), size=shape) for n in table.shape]
    there = ~np.isnan(table)
    cells = np.stack([np.where(there, table, 0.0), there])
    total, n_cells = np.einsum("...t,cts,...s->c...", counts[0], cells, counts[1], optimize=True)
    return np.divide(total, n_cells, out=np.full(shape, np.nan), where=n_cells > 0)
