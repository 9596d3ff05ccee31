"""What does each kind of self attention cost, in time and memory, by the number of tokens?

A block of self attention with its feed-forward step, forward and backward, on a few rows of
``--dim`` numbers a token: full; local, with a window of 64; adaptive, with the spans that heads
start with; inducing points; linear; and, beside them, four queries that read the tokens once, as
attention="cross" does. Then whole passes of the classifier over rows that are lists, steps, or what
a sparse matrix stores, of so many tokens. Time is the processor's. Memory is what a block keeps for
its backward pass, and in a pass what the process holds at its peak beyond what it held before. The
exponent is that of the power of tokens by which the cost grew from 1,024 to 4,096.

    python -m benchmarks.speed.attention_cost --plot cost.png --out cost.csv
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_array
from torch import nn

from benchmarks._common import (
    MIB,
    Record,
    forget_peak,
    parser,
    peak_bytes,
    report,
    resident_bytes,
    set_threads,
)
from sk_attention import MultiTaskAttentionClassifier
from sk_attention.nn.encoders import EFFICIENT, Nearness, SelfAttentionEncoder, local_encoder
from sk_attention.nn.local import Lists
from sk_attention.nn.reading import Reading

TOKENS = [64, 128, 256, 512, 1024, 2048, 4096]
Step = Callable[[torch.Tensor], torch.Tensor]


def blocks(dim: int, n_heads: int, seed: int) -> dict[str, Step]:
    """Return, for each kind, a function of tokens (B, T, D)."""
    generator = torch.Generator().manual_seed(seed)
    stack = dim, n_heads, 1, 0.0

    def in_order(encoder: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
        n_rows, n_tokens = tokens.shape[:2]
        lists = Lists.of_lengths(torch.full((n_rows,), n_tokens))
        out: torch.Tensor = encoder(tokens.reshape(1, -1, dim), lists)
        return out

    reading = Reading(4, dim, n_heads, 0.7, generator)
    near = local_encoder(*stack, Nearness(), generator)
    adaptive = local_encoder(*stack, Nearness(adaptive=True), generator)
    return {
        "full": SelfAttentionEncoder(*stack, generator),
        "local": partial(in_order, near),
        "adaptive": partial(in_order, adaptive),
        **{k: SelfAttentionEncoder(*stack, generator, EFFICIENT[k]) for k in EFFICIENT},
        "4 queries": lambda tokens: reading(tokens, tokens)[1],
    }


def cost(function: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Return the processor's seconds, the median after a first call, and the peak in MiB."""
    seconds, peaks = [], []
    for _ in range(repeats + 1):
        before = resident_bytes()
        forget_peak()
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
        peaks.append(peak_bytes() - before)
    return statistics.median(seconds[1:]), max(peaks[1:]) / MIB


def kept(function: Callable[[], Any]) -> float:
    """Return how many MiB of tensors a forward pass keeps for the backward pass."""
    sizes: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        function()
    return sum(sizes.values()) / MIB


def of_blocks(options: Any) -> list[Record]:
    generator = torch.Generator().manual_seed(options.seed)
    records: list[Record] = []
    for n_tokens in sorted(options.tokens):
        tokens = torch.randn(options.rows, n_tokens, options.dim, generator=generator)
        tokens.requires_grad_()
        for kind, step in blocks(options.dim, options.heads, options.seed).items():

            def run(step: Step = step, tokens: torch.Tensor = tokens) -> None:
                step(tokens).square().sum().backward()

            seconds, _ = cost(run, options.repeats)
            milliseconds = round(seconds * 1e3 / options.rows, 3)
            memory = round(kept(run) / options.rows, 3)
            records.append(
                {"tokens": n_tokens, "kind": kind, "ms a row": milliseconds, "MiB a row": memory}
            )
    return records


def of_passes(options: Any) -> list[Record]:
    """Return what a pass of the classifier costs for rows of many tokens."""
    rng = np.random.default_rng(options.seed)
    records: list[Record] = []
    for n_tokens in (256, 1024, 4096):
        items = [[f"i{j}" for j in rng.integers(0, 50, n_tokens)] for _ in range(16)]
        tables = {
            "a list": pd.DataFrame({"items": items}),
            "steps": rng.normal(size=(16, n_tokens, 1)),
            "stored": stored(16, n_tokens, rng),
        }
        for what, X in tables.items():
            ways = (None, *EFFICIENT) if what == "stored" else (None,)
            for attention, efficient in [("cross", None), *(("double", way) for way in ways)]:
                model = MultiTaskAttentionClassifier(
                    attention, efficient=efficient, random_state=0, embedding_dim=16
                )
                model.partial_fit(X, np.arange(16) % 2, classes=[0, 1])

                def run(model: Any = model, X: Any = X) -> None:
                    model.partial_fit(X, np.arange(16) % 2)

                seconds, peak = cost(run, 1)
                records.append(
                    {
                        "tokens": n_tokens,
                        "a row is": what,
                        "attention": f"{attention}, {efficient}" if efficient else attention,
                        "ms a row": round(seconds * 1e3 / 16, 2),
                        "MiB a row": round(peak / 16, 2),
                    }
                )
    return records


def stored(n_rows: int, n_tokens: int, rng: np.random.Generator) -> csr_array:
    """Return rows of a wide matrix that store so many values each."""
    columns = np.concatenate([rng.permutation(20_000)[:n_tokens] for _ in range(n_rows)])
    rows = np.arange(n_rows).repeat(n_tokens)
    return csr_array((rng.random(len(rows)) + 0.5, (rows, columns)), (n_rows, 20_000))


def exponents(records: list[Record], keys: tuple[str, ...]) -> list[Record]:
    """Return by which power of the tokens time and memory grew from 1,024 to 4,096."""
    by_case: dict[tuple[Any, ...], dict[int, Record]] = {}
    for record in records:
        case = tuple(record[key] for key in keys)
        by_case.setdefault(case, {})[record["tokens"]] = record
    found = []
    for case, own in by_case.items():
        if 1024 in own and 4096 in own:
            grown = {
                f"exponent of {what}": round(
                    math.log(max(own[4096][what], 0.01) / max(own[1024][what], 0.01), 4), 2
                )
                for what in ("ms a row", "MiB a row")
            }
            found.append({**dict(zip(keys, case, strict=True)), **grown})
    return found


def plot(records: list[Record], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, what in zip(axes, ("ms a row", "MiB a row"), strict=True):
        for kind in dict.fromkeys(record["kind"] for record in records):
            own = [record for record in records if record["kind"] == kind]
            axis.loglog(
                [record["tokens"] for record in own],
                [record[what] for record in own],
                marker="o",
                label=kind,
            )
        axis.set(xlabel="tokens of a row", ylabel=f"{what}, forward and backward")
        axis.set_xticks(TOKENS, [f"{n:,}" for n in TOKENS])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("--tokens", type=int, nargs="+", default=TOKENS)
    options.add_argument("--rows", type=int, default=2)
    options.add_argument("--dim", type=int, default=64)
    options.add_argument("--heads", type=int, default=4)
    options.add_argument("--plot", type=Path, help="picture to draw")
    chosen = options.parse_args()
    set_threads(chosen.threads)
    records = of_blocks(chosen)
    report("Self attention by the number of tokens", records, chosen)
    passes = of_passes(chosen)
    chosen.out = None
    report("Passes over long rows", passes, chosen)
    report("Growth of blocks", exponents(records, ("kind",)), chosen)
    report("Growth of passes", exponents(passes, ("a row is", "attention")), chosen)
    if chosen.plot is not None:
        plot(records, chosen.plot)


if __name__ == "__main__":
    main()
