"""Small real tables that come with the package, one to fetch, and made-up data of known truth."""

from sk_attention.datasets._flights import load_flights
from sk_attention.datasets._interactions import make_interactions
from sk_attention.datasets._movielens import fetch_movielens
from sk_attention.datasets._online_retail import load_online_retail
from sk_attention.datasets._planted import make_planted_tasks

__all__ = [
    "fetch_movielens",
    "load_flights",
    "load_online_retail",
    "make_interactions",
    "make_planted_tasks",
]
