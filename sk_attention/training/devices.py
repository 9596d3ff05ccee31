"""Where a network trains, and in which precision."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch


class Precision(NamedTuple):
    """The dtype of the weights, and whether bf16 stands in for it in matrix products."""

    dtype: torch.dtype
    train_bf16: bool
    predict_bf16: bool


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device that ``device`` means on this machine.

    Parameters
    ----------
    device : str or torch.device
        "auto" takes a CUDA GPU if there is one, else the CPU; anything else is torch's.

    Returns
    -------
    device : torch.device
        The device.

    Raises
    ------
    ValueError
        If torch does not know the device, or the machine has none of it.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(1, device=resolved)
    except TypeError as error:
        raise ValueError(
            f"device must be a str or a torch.device, got {type(device).__name__}."
        ) from error
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise ValueError(f"device={str(device)!r} cannot be used: {reason}.") from error
    return resolved


def resolve_precision(precision: str, device: torch.device, tiny: bool) -> Precision:
    """Return the precision that ``precision`` means for a fit.

    Parameters
    ----------
    precision : {"auto", "float32", "float64", "bf16"}
        "auto": float64 for a tiny fit, so that a row alone and in a batch agree; else
        float32, with bf16 matrix products in training where the device is fast at them.
    device : torch.device
        Where the network trains.
    tiny : bool
        Whether the fit has few rows.

    Returns
    -------
    precision : Precision
        The dtype of the weights, and where bf16 is used.
    """
    if precision == "float64" or (precision == "auto" and tiny and device.type != "mps"):
        return Precision(torch.float64, train_bf16=False, predict_bf16=False)
    train_bf16 = precision == "bf16" or (precision == "auto" and has_fast_bf16(device))
    return Precision(torch.float32, train_bf16, predict_bf16=precision == "bf16")


def has_fast_bf16(device: torch.device) -> bool:
    """Whether matrix products in bf16 are faster than in float32 on ``device``.

    Parameters
    ----------
    device : torch.device
        A CPU counts where it has AMX or, unless Intel made it, AVX512-BF16: on an Intel Xeon whose
        AMX a virtual machine hides, bf16 is slower than float32 (docs/benchmarks.md). A GPU counts
        where it computes in bf16 natively.

    Returns
    -------
    fast : bool
        False where it is not known.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    if _cpu_has("_is_amx_tile_supported"):
        return True
    return _cpu_has("_is_avx512_bf16_supported") and "Intel" not in cpu_name()


def cpu_name() -> str:
    """Return what the processor calls itself, "" where torch is too old to know."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return str(capabilities.get("cpu_name", ""))


def _cpu_has(probe: str) -> bool:
    return bool(getattr(torch.cpu, probe, bool)())
