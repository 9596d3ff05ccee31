"""Where does the time of a training step and of predicting go, beside the machine's GEMM limit?

The limit is the rate of one large square matrix product in the same dtype, measured in turn with
the rest. "floor ms" is what the floating-point operations of the network's matrix products would
take at that rate; "share" is floor by measured time. Below, torch's profiler says which operations
the time went to: matrix products, arithmetic by element, look-ups, the optimizer with clipping, and
so on.

    python -m benchmarks.speed.gemm_limit --rows 5000 --repeats 3
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile, schedule
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._common import (
    Record,
    interleaved,
    parser,
    random_table,
    report,
    seconds_per_call,
    set_threads,
    summary,
)
from benchmarks.speed.training_loop import BareLoop, KeepRows
from sk_attention import MultiTaskAttentionClassifier

GEMM_SIZE = 1024
KINDS = {
    "matrix products": ("mm", "addmm", "bmm", "linear", "baddbmm"),
    "look-ups": ("embedding", "index", "gather", "select", "cumsum", "cat"),
    "layer norms": ("layer_norm",),
    "optimizer and clipping": ("_fused_adamw", "_foreach", "norm", "adam"),
    "copies and casts": ("copy_", "clone", "contiguous"),
    "sums and products by element": ("mul", "add", "sum", "sub", "div"),
    "dropout and ReLU": ("relu", "threshold", "dropout", "bernoulli"),
    "softmax and loss": ("softmax", "logsumexp", "nll", "cross_entropy"),
}


def gemm_rate(dtype: torch.dtype) -> float:
    """Return floating-point operations per second of a square product."""
    a = torch.randn(GEMM_SIZE, GEMM_SIZE).to(dtype)
    b = torch.randn(GEMM_SIZE, GEMM_SIZE).to(dtype)
    return 2 * GEMM_SIZE**3 / seconds_per_call(lambda: a @ b, least=0.2)


def flops(function: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        function()
    return int(counter.get_total_flops())


def kind_of(operation: str) -> str:
    name = operation.removeprefix("aten::").removeprefix("mkldnn::")
    for kind, parts in KINDS.items():
        if any(part in name for part in parts):
            return kind
    return "other"


def time_by_kind(function: Callable[[], object]) -> dict[str, float]:
    """Return the share of the operations' own time by kind."""
    rounds = schedule(wait=0, warmup=1, active=1, repeat=1)
    with profile(activities=[ProfilerActivity.CPU], schedule=rounds) as record:
        for _ in range(2):
            function()
            record.step()
    spent: dict[str, float] = defaultdict(float)
    for event in record.key_averages():
        spent[kind_of(event.key)] += event.self_cpu_time_total
    total = sum(spent.values())
    return {kind: own / total for kind, own in sorted(spent.items(), key=lambda item: -item[1])}


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--columns", type=int, default=20)
    options.add_argument("--tasks", type=int, default=1)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    X, y = random_table(chosen.rows, chosen.columns, chosen.tasks, chosen.seed)

    records: list[Record] = []
    shares: dict[str, dict[str, float]] = {}
    for precision in ("float32", "bf16"):
        keep = KeepRows()
        model = MultiTaskAttentionClassifier(
            early_stopping=False,
            max_epochs=1,
            precision=precision,
            callbacks=[keep],
            random_state=chosen.seed,
        ).fit(X, y)
        loop = BareLoop(model.net_, keep.rows, bf16=precision == "bf16")
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        for what, run in (("training pass", loop.train_epoch), ("predicting", loop.predict)):
            rates: list[float] = []

            def limit(rates: list[float] = rates, dtype: torch.dtype = dtype) -> None:
                rates.append(gemm_rate(dtype))

            seconds = interleaved({"limit": limit, "own": run}, chosen.repeats)["own"]
            rate = sorted(rates)[len(rates) // 2]
            operations = flops(run)
            own = summary(seconds)
            records.append(
                {
                    "what": what,
                    "precision": precision,
                    "GFLOP": round(operations / 1e9, 1),
                    "limit GFLOP/s": round(rate / 1e9),
                    "floor s": round(operations / rate, 3),
                    **own,
                    "share": round(operations / rate / own["median s"], 2),
                }
            )
            shares[f"{what}, {precision}"] = time_by_kind(run)
    report("Time beside the GEMM limit", records, chosen)
    print("\nOwn time of the operations, by kind:")
    for name, spent in shares.items():
        print(f"- {name}: " + ", ".join(f"{kind} {share:.0%}" for kind, share in spent.items()))


if __name__ == "__main__":
    main()
