"""What does looking numbers up cost beside encoding them in every forward pass?

Piecewise-linear tokens of numbers, forward and backward, three ways:

- "look-up": `PiecewiseTokens`, which stores a bin and a fraction per number.
- "library, B" and "library, A": `rtdl_num_embeddings.PiecewiseLinearEmbeddings`, which stores the
  number and computes one float per bin in each forward pass.
- "stored encoding": those floats computed once and kept, then a linear layer.

Every case runs in a fresh process; its peak memory counts from after the inputs are made.

    python -m benchmarks.speed.numeric_embeddings --columns 20 100 --repeats 3
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from typing import Any

from benchmarks._common import (
    MIB,
    Record,
    forget_peak,
    in_fresh_process,
    parser,
    peak_bytes,
    report,
    resident_bytes,
    set_threads,
    timed,
)

WAYS = ["look-up", "library, B", "library, A", "stored encoding"]


def embedding(
    way: str, x: Any, edges: Any, dim: int, generator: Any
) -> tuple[Callable[[], Any], int, list[Any]]:
    """Return what gives the tokens of ``x``, the bytes kept per number, and its parameters."""
    import torch
    from rtdl_num_embeddings import PiecewiseLinearEmbeddings, PiecewiseLinearEncoding

    from sk_attention.nn.tokens import PiecewiseTokens

    if way == "look-up":
        tokens = PiecewiseTokens(edges, dim, generator)
        columns = torch.arange(x.shape[1])
        bins = torch.searchsorted(edges[:, 1:-1].contiguous(), x.T.contiguous(), right=True).T
        left, right = edges[columns, bins], edges[columns, bins + 1]
        fraction = ((x - left) / (right - left)).contiguous()
        codes = bins.to(torch.int16).contiguous()
        return lambda: tokens(codes, fraction), 6, list(tokens.parameters())
    bins_of = list(edges)
    if way == "stored encoding":
        n_columns, n_bins = len(edges), edges.shape[1] - 1
        stored = PiecewiseLinearEncoding(bins_of)(x).view(len(x), n_columns, n_bins)
        weight = torch.randn(n_columns, n_bins, dim, generator=generator).requires_grad_()
        bias = torch.zeros(n_columns, 1, dim, requires_grad=True)
        stored = stored.transpose(0, 1).contiguous()  # columns first: one product per column
        return (
            lambda: torch.baddbmm(bias, stored, weight).transpose(0, 1),
            4 * n_bins,
            [weight, bias],
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        library = PiecewiseLinearEmbeddings(bins_of, dim, activation=False, version=way[-1])
    return lambda: library(x), 4, list(library.parameters())


def run_case(case: Record) -> Record:
    import torch

    generator = torch.Generator().manual_seed(case["seed"])
    x = torch.randn(case["rows"], case["columns"], generator=generator)
    shares = torch.linspace(0.002, 0.998, case["bins"] + 1)
    edges = torch.special.ndtri(shares).expand(case["columns"], -1).contiguous()
    x = x.clamp(edges[0, 0], edges[0, -1])
    tokens_of, stored, parameters = embedding(case["way"], x, edges, case["dim"], generator)

    def forward() -> None:
        with torch.inference_mode():
            tokens_of()

    def forward_and_backward() -> None:
        for parameter in parameters:
            parameter.grad = None
        tokens = tokens_of()
        tokens.backward(torch.ones_like(tokens))

    torch.ones(1, requires_grad=True).sum().backward()  # torch sets itself up
    forget_peak()
    before = resident_bytes()
    forward_and_backward()
    peak = peak_bytes() - before
    record: Record = {name: case[name] for name in ("columns", "way")}
    for what, function in (("forward", forward), ("step", forward_and_backward)):
        taken = [timed(function) for _ in range(case["repeats"] + 2)][2:]
        record[f"{what} ms"] = round(statistics.median(taken) * 1e3, 3)
    return record | {
        "peak MiB": round(peak / MIB, 1),
        "stored bytes per number": stored,
        "parameters": sum(parameter.numel() for parameter in parameters),
    }


def main() -> None:
    options = parser(__doc__, repeats=20)
    options.add_argument("--columns", type=int, nargs="+", default=[20, 100, 1000])
    options.add_argument("--rows", type=int, default=256, help="rows of a batch (default: 256)")
    options.add_argument("--bins", type=int, default=48)
    options.add_argument("--dim", type=int, default=16)
    options.add_argument("--case", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    if chosen.case:
        print(json.dumps(run_case(json.loads(chosen.case))))
        return
    shared = {name: getattr(chosen, name) for name in ("rows", "bins", "dim", "seed", "repeats")}
    records = []
    for n_columns in chosen.columns:
        for way in WAYS:
            case = {**shared, "columns": n_columns, "way": way}
            records.append(
                in_fresh_process("benchmarks.speed.numeric_embeddings", case, chosen.threads)
            )
    report("Embedding numbers", records, chosen)


if __name__ == "__main__":
    main()
