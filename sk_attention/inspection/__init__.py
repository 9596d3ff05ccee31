"""What a fitted model attends to."""

__all__: list[str] = []
