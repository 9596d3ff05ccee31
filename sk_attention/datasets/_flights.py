"""Flights leaving New York: three tasks, labels missing for flights that were cancelled."""

from importlib.resources import files
from typing import Any

from sklearn.utils import Bunch

from sk_attention.datasets._frames import import_pandas

TARGETS = ["late_departure", "late_arrival", "cancelled"]
CATEGORIES = ["carrier", "origin", "dest"]


def load_flights(*, return_X_y: bool = False) -> Any:
    """Load 10,000 flights leaving New York in 2013: late departure, late arrival, cancelled.

    A real table of mixed columns with three binary tasks. A flight that never left or never
    arrived has no label for late departure or late arrival. The rows are in the order of the
    scheduled departure. The file comes with the package.

    =================   =======================================
    Samples                                              10,000
    Features                    11 (8 numbers and 3 categories)
    Tasks               3, of which 2 have missing labels
    Missing labels      late_departure 2.4 %, late_arrival 2.8 %
    =================   =======================================

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return only ``(data, target)``.

    Returns
    -------
    flights : Bunch or tuple of two DataFrame
        The table and its description, or its two parts alone:

        - ``data``, DataFrame of shape (10000, 11): dtype int64 for numbers, category for carrier,
          origin and destination.
        - ``target``, DataFrame of shape (10000, 3) and dtype Int64: 0, 1 or ``pandas.NA`` in the
          columns late_departure (by more than 15 minutes), late_arrival (likewise) and cancelled.
        - ``frame``, DataFrame of shape (10000, 14): both side by side.
        - ``feature_names`` and ``target_names``, list of str.
        - ``DESCR``, str: columns, source and licence (CC0 1.0).

    Raises
    ------
    ImportError
        If pandas is not installed.

    Examples
    --------
    >>> from sk_attention.datasets import load_flights
    >>> X, y = load_flights(return_X_y=True)
    >>> X.shape, list(y.columns)
    ((10000, 11), ['late_departure', 'late_arrival', 'cancelled'])
    >>> bool(y.loc[y["cancelled"] == 1, "late_departure"].isna().all())
    True
    """
    pd = import_pandas("load_flights")
    folder = files("sk_attention.datasets") / "data"
    dtypes = dict.fromkeys(CATEGORIES, "category") | dict.fromkeys(TARGETS, "Int64")
    with (folder / "flights.csv.gz").open("rb") as file:
        frame = pd.read_csv(file, compression="gzip", dtype=dtypes)
    data, target = frame.drop(columns=TARGETS), frame[TARGETS]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=list(data.columns),
        target_names=list(TARGETS),
        DESCR=(folder / "flights.txt").read_text(encoding="utf-8"),
    )
