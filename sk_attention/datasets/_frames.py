"""pandas, imported where a table is asked for."""

from typing import Any


def import_pandas(function: str) -> Any:
    """Return pandas, or say which public function needs it and how to get it."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(f"{function} needs pandas: pip install 'sk-attention[frame]'.") from error
    return pandas
