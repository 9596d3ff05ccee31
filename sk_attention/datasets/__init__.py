"""Small real tables that come with the package, and made-up tasks with a known truth."""

from sk_attention.datasets._flights import load_flights
from sk_attention.datasets._planted import make_planted_tasks

__all__ = ["load_flights", "make_planted_tasks"]
