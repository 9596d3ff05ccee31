"""What does the recommender's loss over all items cost, with its gradients, beside torch's own?

- "torch": `cross_entropy` of the scores of all targets, held at once.
- "slices": `next_item_cross_entropy`, which computes loss and gradients a slice of the targets at a
  time, in float32 and with the histories in bf16.

    python -m benchmarks.speed.next_item_loss --items 1000 --repeats 3
"""

from __future__ import annotations

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
    set_threads,
    summary,
)
from sk_attention.nn.ranking import next_item_cross_entropy
from sk_attention.nn.recommender import Scoring


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--targets", type=int, default=3200)
    options.add_argument("--items", type=int, default=9066)
    options.add_argument("--dims", type=int, default=64)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    generator = torch.Generator().manual_seed(chosen.seed)
    hidden = torch.randn(chosen.targets, chosen.dims, generator=generator)
    items = 0.1 * torch.randn(chosen.items, chosen.dims, generator=generator)
    target = torch.randint(1, chosen.items + 1, (chosen.targets,), generator=generator)
    weight, bias = torch.ones(chosen.targets), torch.zeros(chosen.items)
    leaves = [hidden.requires_grad_(), items.requires_grad_(), bias.requires_grad_()]

    def gradients(loss: Callable[[], Tensor]) -> Callable[[], None]:
        def run() -> None:
            torch.autograd.grad(loss().sum(), leaves)

        return run

    def sliced(dtype: torch.dtype) -> Tensor:
        return next_item_cross_entropy(Scoring(hidden.to(dtype), items, bias), target, weight)

    cases: dict[str, Callable[[], float | None]] = {
        "torch": gradients(lambda: F.cross_entropy(hidden @ items.T + bias, target - 1)),
        "slices": gradients(lambda: sliced(torch.float32)),
        "slices, bf16": gradients(lambda: sliced(torch.bfloat16)),
    }
    seconds = interleaved(cases, chosen.repeats)
    records: list[Record] = [
        {"loss": name, **summary(own), "x torch": median_ratio(own, seconds["torch"])}
        for name, own in seconds.items()
    ]
    report("Cross entropy over all items", records, chosen)


if __name__ == "__main__":
    main()
