"""Per-task layers after the reading."""

from .gated import GatedTowers
from .linear import LinearTowers

__all__ = ["GatedTowers", "LinearTowers"]
