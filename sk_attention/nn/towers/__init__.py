"""Per-task layers after the reading."""

from .additive import AdditiveTowers
from .gated import GatedTowers
from .linear import LinearTowers

__all__ = ["AdditiveTowers", "GatedTowers", "LinearTowers"]
