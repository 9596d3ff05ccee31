"""A small network of histories, and histories for it to read."""

from typing import Any

import torch
from torch import Tensor

from sk_attention.nn.recommender import HistoryNetwork

N_ITEMS, LENGTH = 9, 5
ATTENTIONS = ("self", "cross", "double", "hierarchical")


def network(
    attention: str = "self",
    usual_gap: float | None = 10.0,
    n_layers: int = 2,
    seed: int = 0,
    dropout: float = 0.0,
    n_items: int = N_ITEMS,
) -> HistoryNetwork:
    """A network whose biases, gaps and values for candidates are not zero, as they are at first."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(n_items, generator=generator)
    own = HistoryNetwork(attention, share, 8, 2, n_layers, dropout, LENGTH, usual_gap, generator)
    for name, parameter in own.named_parameters():
        if "bias" in name or "gap" in name or name == "reader.key_value.weight":
            parameter.data.normal_(generator=generator)
    return own.double().eval()


def histories(n_histories: int = 3, seed: int = 0, n_items: int = N_ITEMS) -> dict[str, Tensor]:
    """Tokens with times, in sessions, asked for what comes next at each of them."""
    generator = torch.Generator().manual_seed(seed)
    shape = (n_histories, LENGTH)
    steps = torch.rand(n_histories, LENGTH + 1, generator=generator, dtype=torch.float64)
    times = (30 * steps).cumsum(1)
    return {
        "item": torch.randint(n_items + 2, shape, generator=generator),
        "session": torch.randint(2, shape, generator=generator).cumsum(1),
        "time": times[:, :-1],
        "asked": times[:, 1:],
        "position": torch.arange(n_histories * LENGTH),
    }


def cut(inputs: dict[str, Tensor], rows: Any = slice(None), length: int = LENGTH) -> Any:
    """Some of the histories, their first tokens alone."""
    tokens = {name: inputs[name][rows, :length] for name in ("item", "session", "time", "asked")}
    return {**tokens, "position": torch.arange(tokens["item"].numel())}


def scores(own: HistoryNetwork, inputs: dict[str, Tensor]) -> Tensor:
    """Scores of all items for each position (N, n_items), all items read."""
    outputs = own(inputs)
    scoring = outputs if own.reader is None else outputs.scoring
    by_vector = scoring.hidden @ scoring.items.T + scoring.bias
    return by_vector if own.reader is None else by_vector + own.candidate_scores(inputs)
