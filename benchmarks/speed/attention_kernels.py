"""Up to how many tokens does plain softmax attention beat torch's fused kernel?

Self attention as the package computes it: queries, keys and values are heads split off one
projection, (rows, heads, tokens, size of a head). "plain" is the softmax of the products, written
out; "fused" is `scaled_dot_product_attention`. Forward and backward, and forward alone. The rows
of a batch shrink as the tokens grow, so that the weights fit into memory.

    python -m benchmarks.speed.attention_kernels --tokens 16 64 256 --repeats 3
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks._common import (
    Record,
    interleaved,
    median_ratio,
    parser,
    report,
    seconds_per_call,
    set_threads,
)
from sk_attention.nn.attention import PLAIN_TOKENS_ON_CPU, attention_weights, split_heads

TOKENS = [8, 16, 32, 64, 96, 128, 192, 256, 512, 1024]
Attention = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


def plain(query: Tensor, key: Tensor, value: Tensor, token_mask: Tensor | None) -> Tensor:
    mask = None if token_mask is None else token_mask.unsqueeze(-2)
    return attention_weights(query, key, mask).to(value.dtype) @ value


def fused(query: Tensor, key: Tensor, value: Tensor, token_mask: Tensor | None) -> Tensor:
    mask = None if token_mask is None else token_mask[:, None, None, :]
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def step(
    attention: Attention, projected: Tensor, n_heads: int, token_mask: Tensor | None, train: bool
) -> None:
    if not train:
        with torch.inference_mode():
            parts = (split_heads(part, n_heads) for part in projected.chunk(3, dim=-1))
            attention(*parts, token_mask)
        return
    projected.grad = None
    query, key, value = (split_heads(part, n_heads) for part in projected.chunk(3, dim=-1))
    mixed = attention(query, key, value, token_mask)
    mixed.backward(torch.ones_like(mixed))


def measure(
    projected: Tensor, n_heads: int, token_mask: Tensor | None, train: bool, repeats: int
) -> dict[str, list[float]]:
    def case(attention: Attention) -> Callable[[], float]:
        return lambda: seconds_per_call(
            lambda: step(attention, projected, n_heads, token_mask, train), projected.device
        )

    return interleaved({"plain": case(plain), "fused": case(fused)}, repeats)


def crossover(records: list[Record], n_heads: int, dim: int, what: str) -> str:
    """Return the longest list up to which plain was never more than 5 % slower."""
    longest = 0
    for record in records:
        if (record["heads"], record["dim"], record["what"]) != (n_heads, dim, what):
            continue
        if record["fused / plain"] < 0.95:
            break
        longest = record["tokens"]
    return f"heads={n_heads} dim={dim} {what}: plain keeps up to {longest} tokens"


def main() -> None:
    options = parser(__doc__, repeats=5, device=True)
    options.add_argument("--tokens", type=int, nargs="+", default=TOKENS)
    options.add_argument(
        "--heads", nargs="+", default=["1x16", "4x16", "8x8"], help="heads x size of a head"
    )
    options.add_argument("--rows", type=int, default=512, help="rows of a batch, at the most")
    options.add_argument(
        "--weights", type=int, default=2**24, help="rows x heads x tokens^2 at the most"
    )
    options.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    options.add_argument("--masked", action="store_true", help="a tenth of the tokens is padding")
    chosen = options.parse_args()
    set_threads(chosen.threads)
    generator = torch.Generator().manual_seed(chosen.seed)
    dtype = getattr(torch, chosen.dtype)
    records: list[Record] = []
    shapes = [tuple(map(int, heads.split("x"))) for heads in chosen.heads]
    for n_heads, size in shapes:
        for n_tokens in sorted(chosen.tokens):
            rows = max(1, min(chosen.rows, chosen.weights // (n_heads * n_tokens**2)))
            drawn = torch.randn(rows, n_tokens, 3 * n_heads * size, generator=generator)
            projected = drawn.to(chosen.device, dtype).requires_grad_()
            mask = None
            if chosen.masked:
                real = torch.rand(rows, n_tokens, generator=generator) < 0.9
                real[:, 0] = True
                mask = real.to(chosen.device)
            for what in ("forward and backward", "forward"):
                train = what == "forward and backward"
                taken = measure(projected, n_heads, mask, train, chosen.repeats)
                records.append(
                    {
                        "heads": n_heads,
                        "dim": size,
                        "tokens": n_tokens,
                        "rows": rows,
                        "what": what,
                        "plain ms": round(statistics.median(taken["plain"]) * 1e3, 3),
                        "fused ms": round(statistics.median(taken["fused"]) * 1e3, 3),
                        "fused / plain": median_ratio(taken["fused"], taken["plain"]),
                    }
                )
    report("Plain and fused attention", records, chosen)
    print(f"\nThe package switches above {PLAIN_TOKENS_ON_CPU} tokens on a CPU. Measured here:")
    for n_heads, size in shapes:
        for what in ("forward and backward", "forward"):
            print(f"- {crossover(records, n_heads, size, what)}")


if __name__ == "__main__":
    main()
