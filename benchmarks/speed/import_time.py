"""How long does `import sk_attention` take on top of torch and scikit-learn?

Each import happens in a fresh interpreter, after what is named as already imported. "sklearn"
alone loads little of scikit-learn; whoever uses one of its estimators has loaded more. The slowest
modules of one such import are listed below the table.

    python -m benchmarks.speed.import_time --repeats 3
"""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks._common import ROOT, Record, parser, report

BEFORE = {
    "torch, sklearn": "import torch, sklearn",
    "torch, sklearn with an estimator": "import torch, sklearn.linear_model",
    "torch, sklearn with an estimator, pandas": "import torch, sklearn.linear_model, pandas",
    "torch, sklearn with an estimator, skorch": "import torch, sklearn.linear_model, skorch",
    "nothing": "",
}
CLOCK = """
{before}
import time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)


def import_seconds(before: str, module: str) -> float:
    return float(run_python("-c", CLOCK.format(before=before, module=module)).stdout)


def slowest_modules(before: str, n_modules: int) -> list[tuple[str, float]]:
    """Return modules and the milliseconds of their own code, from -X importtime."""
    marker = "import this_is_only_a_marker"
    code = f"{before}\ntry:\n    {marker}\nexcept ImportError:\n    pass\nimport sk_attention"
    lines = run_python("-X", "importtime", "-c", code).stderr.splitlines()
    entries = [line.removeprefix("import time:").split("|") for line in lines if "|" in line]
    known = set()
    for source in run_python("-X", "importtime", "-c", before).stderr.splitlines():
        known.add(source.split("|")[-1].strip())
    own = [
        (name.strip(), int(self_us) / 1e3)
        for self_us, _, name in entries
        if self_us.strip().isdigit() and name.strip() not in known
    ]
    return sorted(own, key=lambda entry: -entry[1])[:n_modules]


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--top", type=int, default=8, help="slowest modules to list (default: 8)")
    chosen = options.parse_args()
    records: list[Record] = []
    seconds: dict[str, list[float]] = {name: [] for name in BEFORE}
    for repeat in range(chosen.repeats + 1):
        for name, before in BEFORE.items():
            taken = import_seconds(before, "sk_attention")
            if repeat:  # the first round fills the file cache
                seconds[name].append(taken)
    for name, own in seconds.items():
        records.append(
            {
                "imported before": name,
                "import sk_attention s": round(statistics.median(own), 3),
                "min s": round(min(own), 3),
                "max s": round(max(own), 3),
            }
        )
    report("Import time", records, chosen)
    print("\nOwn milliseconds of the slowest modules after torch and sklearn with an estimator:")
    for module, milliseconds in slowest_modules(list(BEFORE.values())[1], chosen.top):
        print(f"- {module}: {milliseconds:.0f}")


if __name__ == "__main__":
    main()
