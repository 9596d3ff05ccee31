"""Per-task layers after the reading."""

from .gated import GatedTowers

__all__ = ["GatedTowers"]
