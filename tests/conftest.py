"""Settings of a test session."""

import os

from hypothesis import settings

# Read when the libraries are first imported, hence before any test is.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # else scikit-learn skips its array API check

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    import torch

    torch.set_num_threads(1)  # threads that wait for a busy core cost more than they give
