"""What the benchmarks share: timing, memory, data, and how results are reported.

Nothing here imports torch or sk_attention before it is needed, so that scripts can measure imports
and fresh processes.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "scikit-learn": "scikit-learn",
    "skorch": "skorch",
    "sk_attention": "sk-attention",
}
MIB = 2**20

Record = dict[str, Any]


# ---- options ------------------------------------------------------------------------------------


def parser(doc: str | None, *, repeats: int | None = 5, device: bool = False) -> Any:
    """Return an argument parser with the options that every benchmark has."""
    options = argparse.ArgumentParser(
        description=(doc or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--out", type=Path, help="CSV file to write the table to")
    options.add_argument("--seed", type=int, default=0, help="seed of data and model (default: 0)")
    options.add_argument("--threads", type=int, help="torch threads (default: torch's own choice)")
    if repeats is not None:
        options.add_argument(
            "--repeats", type=int, default=repeats, help=f"measured repeats (default: {repeats})"
        )
    if device:
        options.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    return options


def set_threads(n_threads: int | None) -> None:
    """Set torch's threads, if asked to."""
    if n_threads is not None:
        import torch

        torch.set_num_threads(n_threads)


# ---- where it ran -------------------------------------------------------------------------------


def cpu_model() -> str:
    """Return the processor's name and how many of its cores this process may use."""
    name = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        name = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    elif sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        name = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    name = name or platform.processor() or platform.machine()
    affinity = getattr(os, "sched_getaffinity", None)
    n_cores = len(affinity(0)) if affinity else os.cpu_count()
    return f"{name} ({n_cores} cores)"


@cache
def commit() -> str:
    """Return the commit that runs, with "-dirty" where files were changed; "" in no checkout."""
    if not (ROOT / ".git").exists():
        return ""
    command = ["git", "--no-optional-locks", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def version_of(distribution: str) -> str:
    """Return the version of a package, also where it is run from its sources."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def environment() -> dict[str, str]:
    """Return versions, the commit, processor, GPU and threads."""
    import torch

    found = {"python": platform.python_version()}
    for name, distribution in PACKAGES.items():
        found[name] = version_of(distribution)
    found["commit"] = commit()
    found["system"] = platform.system()
    found["cpu"] = cpu_model()
    found["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    found["threads"] = str(torch.get_num_threads())
    return found


# ---- time ---------------------------------------------------------------------------------------


def synchronize(device: Any) -> None:
    """Wait until ``device`` has done what it was told to."""
    import torch

    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def interleaved(
    cases: Mapping[str, Callable[[], float | None]], repeats: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Run all cases in turn, again and again, so that drift of the machine hits each alike.

    A case may return the seconds it took; else its call is timed from outside.
    """
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for repeat in range(warm_up + repeats):
        for name, case in cases.items():
            start = time.perf_counter()
            own = case()
            elapsed = time.perf_counter() - start if own is None else own
            if repeat >= warm_up:
                seconds[name].append(elapsed)
    return seconds


def timed(function: Callable[[], Any], device: Any = "cpu") -> float:
    """Return the seconds of one call, the device's work included."""
    synchronize(device)
    start = time.perf_counter()
    function()
    synchronize(device)
    return time.perf_counter() - start


def seconds_per_call(
    function: Callable[[], Any], device: Any = "cpu", least: float = 0.02
) -> float:
    """Return seconds per call, over as many calls as take ``least`` seconds."""
    once = timed(function, device)
    n_calls = max(1, round(least / max(once, 1e-9)))

    def calls() -> None:
        for _ in range(n_calls):
            function()

    return timed(calls, device) / n_calls


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of the values lie."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def summary(seconds: Sequence[float], digits: int = 4) -> Record:
    """Return median, least and largest of repeated times."""
    return {
        "median s": round(statistics.median(seconds), digits),
        "min s": round(min(seconds), digits),
        "max s": round(max(seconds), digits),
    }


def median_ratio(seconds: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the median of the ratios of repeats that ran next to each other."""
    return round(statistics.median(a / b for a, b in zip(seconds, baseline, strict=True)), 3)


# ---- memory -------------------------------------------------------------------------------------


def _status(key: str) -> int:
    """Return an entry of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def resident_bytes() -> int:
    """Return the memory this process holds now; elsewhere than on Linux, the most so far."""
    return _status("VmRSS") if Path("/proc/self/status").exists() else peak_bytes()


def peak_bytes() -> int:
    """Return the most memory this process has held (since `forget_peak`, on Linux)."""
    if Path("/proc/self/status").exists():
        return _status("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def forget_peak() -> None:
    """Let the peak start anew from what is held now, where the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def in_fresh_process(module: str, case: Record, n_threads: int | None = None) -> Record:
    """Run ``python -m module --case <json>`` and return the JSON of its last line."""
    command = [sys.executable, "-m", module, "--case", json.dumps(case)]
    if n_threads is not None:
        command += ["--threads", str(n_threads)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return {**case, "error": (done.stderr.strip().splitlines() or [f"{done.returncode}"])[-1]}
    answer: Record = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


# ---- data ---------------------------------------------------------------------------------------


def random_table(
    n_rows: int, n_columns: int, n_tasks: int, seed: int, dtype: str = "float32"
) -> tuple[Any, Any]:
    """Return normal X and classes y (n_rows, n_tasks) that depend on its first columns."""
    import numpy as np

    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_columns), dtype=np.dtype(dtype).type)
    y = np.empty((n_rows, n_tasks), dtype=np.int64)
    for task in range(n_tasks):
        first, second = X[:, task % n_columns], X[:, (task + 1) % n_columns]
        y[:, task] = first + 0.5 * first * second + 0.3 * rng.standard_normal(n_rows) > 0
    return X, y[:, 0] if n_tasks == 1 else y


# ---- fitted estimators --------------------------------------------------------------------------


def networks(model: Any) -> list[Any]:
    """Return the networks that answer in a fitted estimator: several where the table was small."""
    module = model.net_.module_
    return list(getattr(module, "networks", [module]))


# ---- reporting ----------------------------------------------------------------------------------


def markdown(records: Sequence[Record]) -> str:
    """Return records as a Markdown table; a key that a record has not is an empty cell."""
    names = list(dict.fromkeys(name for record in records for name in record))
    cells = [names, *([_cell(record.get(name)) for name in names] for record in records)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 100 else str(value)


def report(title: str, records: Sequence[Record], options: argparse.Namespace) -> None:
    """Print the table, its settings and its environment; write them as CSV if asked to."""
    chosen = {name: value for name, value in vars(options).items() if name not in ("out", "case")}
    settings = ", ".join(
        f"{name}={value}" for name, value in chosen.items() if value is not None and value != []
    )
    where = environment()
    print(f"## {title}\n")
    print(markdown(records))
    print(f"\nSettings: {settings}.")
    told = ", ".join(f"{name} {value}" for name, value in where.items() if value)
    print(f"Environment: {told}.")
    if options.out is None:
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for record in records for name in record))
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*names, "settings", *where], restval="")
        writer.writeheader()
        for record in records:
            writer.writerow({**record, "settings": settings, **where})
