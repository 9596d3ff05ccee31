"""Purchases from an online shop: who bought what, when, and in which invoice."""

from importlib.resources import files
from typing import Any

from sklearn.utils import Bunch

from sk_attention.datasets._frames import import_pandas


def load_online_retail() -> Bunch:
    """Load a year of purchases by 800 customers of an online shop, with what was bought.

    A real table for recommenders, with times, sessions, context and a text about each item: all
    that 800 random customers of a shop for gifts bought from December 2010 to December 2011. Three
    of ten purchases are of a product that the customer had bought before. The rows are in the order
    of time. The file comes with the package.

    ============   ===================
    Interactions                71,247
    Users                          800
    Items                        3,165
    Sessions                     3,405
    Per user       1 to 5,064, mean 89
    ============   ===================

    Returns
    -------
    purchases : Bunch
        The interactions, the items, and a description:

        - ``data``, DataFrame of shape (71247, 7): user_id (int64), item_id (str), timestamp
          (datetime64[ns]), session_id (int64, the invoice), quantity (int64), price (float64, of
          one piece) and country (category).
        - ``item_features``, DataFrame of shape (3165, 3): item_id (str), description (str) and
          price (float64, median over the year), one row for each item in ``data``.
        - ``DESCR``, str: columns, source, changes and licence (CC BY 4.0).

    Raises
    ------
    ImportError
        If pandas is not installed.

    Examples
    --------
    >>> from sk_attention.datasets import load_online_retail
    >>> purchases = load_online_retail()
    >>> list(purchases.data.columns)
    ['user_id', 'item_id', 'timestamp', 'session_id', 'quantity', 'price', 'country']
    >>> bool(purchases.data["timestamp"].is_monotonic_increasing)
    True
    >>> print(purchases.item_features["description"][0])
    INFLATABLE POLITICAL GLOBE
    """
    pd = import_pandas("load_online_retail")
    folder = files("sk_attention.datasets") / "data"

    def table(name: str, **dtypes: str) -> Any:
        with (folder / name).open("rb") as file:
            return pd.read_csv(file, compression="gzip", dtype=dtypes, na_filter=False)

    data = table("online_retail.csv.gz", item_id="str", country="category")
    data["timestamp"] = pd.to_datetime(data["timestamp"]).astype("datetime64[ns]")
    return Bunch(
        data=data,
        item_features=table("online_retail_items.csv.gz", item_id="str", description="str"),
        DESCR=(folder / "online_retail.txt").read_text(encoding="utf-8"),
    )
