"""How a recommender is trained: what is held out, in which stretches histories are read."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log2
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ._foretelling import ForetellingMixin
from ._index import CellIndex, import_faiss
from ._random import draw_seed
from ._retrieval import Catalogue
from ._validation import check_heads
from .data.columns import Column
from .data.histories import (
    Disliked,
    OutcomeWindows,
    WindowBatches,
    Windows,
    latest_items,
    training_windows,
    windows_with,
)
from .data.popularity import item_weights
from .data.sessions import gap_seconds, parting_gap
from .data.transitions import REACH, Transitions
from .nn.calibration import best_temperature_and_weight
from .nn.dislikes import LossOfDislikes
from .nn.ranking import RankingLoss
from .nn.recommender import HistoryNetwork
from .nn.reranking import RerankingLoss
from .nn.sampled import first_bias, training_loss
from .training.devices import resolve_device, resolve_precision
from .training.net import AttentionNet
from .training.optimizers import resolve_optimizer
from .training.placing import place_items
from .training.plan import Plan, resolve_loss, users_to_hold_out
from .training.train import history_values, train, training_callbacks

# Users without a history get what is popular, with weights that halve over so many interactions
# (docs/decisions/0015-asked-once-and-judged-beside-what-is-popular.md).
HALF_LIFE = 0.1

# Scores of held-out events that the temperature is found with: 671 events of 50,000 items.
CALIBRATION_SCORES = 2**25

# Fewer users than this are too few to hold anything out.
MIN_USERS_TO_HOLD_OUT = 20


class HistoryTrainingMixin(ForetellingMixin):
    """From recorded interactions to a trained network, and what users look at afterwards."""

    # parameters of the estimator
    attention: str
    session_gap: Any
    context: Any
    item_features: Any
    user_features: Any
    text_features: Any
    embedding_dim: int
    n_heads: int
    n_layers: int
    dropout: float
    loss: str
    n_negatives: int
    index: str | None
    optimizer: Any
    learning_rate: float
    weight_decay: float
    max_grad_norm: float | None
    batch_size: int | str
    max_epochs: int
    early_stopping: bool | str
    n_iter_no_change: int
    refit: bool | str
    callbacks: list[Any] | None
    device: Any
    precision: str
    compile: bool
    random_state: Any
    verbose: int

    temperature_: float
    transition_weight_: float
    _seed: int

    @property
    def _kind(self) -> str:
        """How histories are read, "auto" resolved."""
        if self.attention != "auto":
            return self.attention
        return "self" if self.task == "ranking" else "double"

    def _begin(
        self, columns: Sequence[Column], y: Any, sample_weight: Any, classes: Any = None
    ) -> None:
        """Record the interactions, and build a network for them."""
        check_heads(self.embedding_dim, self.n_heads)
        self._check_sessions(columns)
        self._check_retrieval()
        if self.task == "ranking":
            self._record(columns, y, sample_weight)
        else:
            self._record_labelled(columns, y, sample_weight, classes)
        self._seed = draw_seed(self.random_state)
        self._build()

    def _check_sessions(self, columns: Sequence[Column]) -> None:
        gap_seconds(self.session_gap)
        roles = self._roles
        if self._kind == "hierarchical" and roles.session is None and roles.timestamp is None:
            raise ValueError(
                'attention="hierarchical" reads a history session by session, but there is neither '
                "a column of sessions nor one of times among "
                f"{[column.name for column in columns][:20]}: call it 'session', 'session_id' or "
                "'timestamp', or give its name or position as session= or timestamp=."
            )

    def _check_retrieval(self) -> None:
        """Refuse what plays no part, and look for faiss."""
        for name, usual in (("loss", "auto"), ("index", None)):
            if self.task != "ranking" and getattr(self, name) != usual:
                raise ValueError(
                    f"{name} must be {usual!r} with task={self.task!r}: it says how items are "
                    f"ranked; got {getattr(self, name)!r}."
                )
        if self.task != "ranking" and self.context is not None:
            raise ValueError(
                f"context must be None with task={self.task!r}, which reads all columns of a row "
                f"but its label; got {self.context!r}."
            )
        for name, usual in (("loss", "auto"), ("index", None)):
            if self._kind == "cross" and getattr(self, name) != usual:
                raise ValueError(
                    f"{name} must be {usual!r} with attention='cross', where each item reads the "
                    f"history and there is no other score of it; got {getattr(self, name)!r}."
                )
        if self.index is not None:
            import_faiss()  # its absence is told before the training

    def _session_column(self, columns: Sequence[Column]) -> Column | None:
        position = self._roles.session
        if self._kind != "hierarchical" or position is None:
            return None
        return columns[position]

    def _gap_between_sessions(self, gaps: NDArray[np.float64]) -> float | None:
        given = gap_seconds(self.session_gap)
        if self._kind != "hierarchical" or self._roles.session is not None:
            return None
        return parting_gap(gaps) if given is None else given

    def _build(self) -> None:
        generator = torch.Generator().manual_seed(self._seed)
        if self.task == "ranking":
            self._build_ranking(generator)
        else:
            network = self._outcome_network(generator)
            self._build_net(network, self._outcome_loss(), network.tables)

    def _build_ranking(self, generator: torch.Generator) -> None:
        beside = self._surroundings(generator)
        loss = resolve_loss(self.loss, len(self.items_))
        looks_at_all = loss == "cross_entropy" and self._kind != "cross"
        popularity = torch.as_tensor(item_weights(self._histories, len(self.items_), np.inf))
        network = HistoryNetwork(
            self._kind,
            popularity,
            self.embedding_dim,
            self.n_heads,
            self.n_layers,
            self.dropout,
            self.max_history,
            self._usual_gap if self._has_times else None,
            generator,
            beside,
            looks_at_all,
        )
        network.item_bias.data.copy_(first_bias(loss, popularity, self.n_negatives))
        first = training_loss(loss, popularity, self.n_negatives)
        reranked = RerankingLoss(None if self._kind == "cross" else first)
        loss_of_ranking = RankingLoss(first) if network.reader is None else reranked
        self._build_net(
            network,
            LossOfDislikes(loss_of_ranking) if len(self._disliked) else loss_of_ranking,
            tables=() if looks_at_all else network.tables,
        )

    def _build_net(self, network: nn.Module, loss: nn.Module, tables: tuple[str, ...] = ()) -> None:
        device = resolve_device(self.device)
        precision = resolve_precision(self.precision, device, tiny=False)
        patience = None if self.early_stopping is False else self.n_iter_no_change
        self.net_ = AttentionNet(
            network.to(device, precision.dtype),
            loss,
            tables=tables,
            train_bf16=precision.train_bf16,
            predict_bf16=precision.predict_bf16,
            device=str(device),
            optimizer=resolve_optimizer(self.optimizer),
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            max_grad_norm=self.max_grad_norm,
            callbacks=training_callbacks(self.callbacks, patience),
            verbose=self.verbose,
            iterator_train=WindowBatches,
            iterator_valid=WindowBatches,
        ).initialize()

    def _train(self) -> KeyboardInterrupt | None:
        """Train; the user's interrupt is returned, so that what was learned until then stays."""
        held_out = self._held_out()
        events = np.flatnonzero(held_out)

        def all_rows() -> Windows:
            self._calibrate(events)  # while what was held out is still news
            return self._windows(np.zeros(len(held_out), dtype=bool))

        again = self.refit is True or (self.refit == "auto" and not self.callbacks)
        windows = self._windows(held_out)
        if not len(events):
            return self._walk([(windows, None)], self.max_epochs)
        scored = self._scored(events)
        interrupt = self._walk([(windows, scored)], self.max_epochs, all_rows if again else None)
        if not hasattr(self, "temperature_"):
            self._calibrate(events)
        return interrupt

    def _calibrate(self, events: NDArray[np.int64]) -> None:
        """Find out from held-out events what counts how much, and how sure scores may be."""
        if self.task != "ranking":
            return
        wanted = max(CALIBRATION_SCORES // len(self.items_), 1)
        rows = self._scored(events[:: -(-len(events) // wanted)])
        module = self.net_.module_
        n_reading = len(self.items_) if module.reader is not None else 0
        batches = list(WindowBatches(rows, module.rows_at_a_time(n_reading)))
        scores = torch.as_tensor(self.net_.forward_batches(module.all_scores, batches))
        target = torch.cat([codes for _, codes in batches]).cpu() - 1
        weight = torch.cat([inputs["weight"] for inputs, _ in batches]).cpu()
        latest = np.concatenate([latest_items(inputs, REACH) for inputs, _ in batches])
        counted = np.ones(len(self._histories), dtype=bool)
        counted[events] = False
        gains = Transitions(self._histories, len(self.items_), counted).gains(latest)
        self.temperature_, self.transition_weight_ = best_temperature_and_weight(
            scores, torch.as_tensor(gains.toarray()), target, weight
        )

    def _walk(
        self, splits: list[Any], n_passes: int, again: Callable[[], Windows] | None = None
    ) -> KeyboardInterrupt | None:
        size = self.batch_size
        if size == "auto":
            size = int(min(max(2 ** round(log2(splits[0][0].n_windows / 32)), 16), 128))
        seed = (self._seed + len(self.net_.history)) % 2**31
        if self.compile:
            self.net_.module_.compile(dynamic=True)  # hardly two batches are of the same lengths
        try:
            train(self.net_, splits, Plan(int(size), n_passes), seed, again)
        except KeyboardInterrupt as interrupt:
            return interrupt
        return None

    def _held_out(self) -> NDArray[np.bool_]:
        """Choose the events to hold out: the last ones of some users with three or more."""
        histories = self._histories
        held_out = np.zeros(len(histories), dtype=bool)
        users = np.flatnonzero(np.diff(histories.starts) >= 3)
        users = users[histories.weight[histories.starts[users + 1] - 1] > 0]  # labelled
        few = len(users) < MIN_USERS_TO_HOLD_OUT
        if self.early_stopping is False or (self.early_stopping == "auto" and few):
            return held_out
        if not len(users):
            raise ValueError(
                "early_stopping=True holds out the last interaction of users with at least three, "
                "and there is none. Pass early_stopping=False."
            )
        rng = np.random.default_rng(self._seed)
        chosen = rng.permutation(users)[: users_to_hold_out(len(self.items_))]
        held_out[histories.starts[chosen + 1] - 1] = True
        return held_out

    def _windows(self, held_out: NDArray[np.bool_]) -> Windows:
        """Return all events but those held out, to train on."""
        starts = self._histories.starts
        stops = starts[1:].copy()
        some = np.diff(starts) > 0
        stops[some] -= held_out[stops[some] - 1]
        first, last = training_windows(starts[:-1], stops, self.max_history)
        everything = np.ones(len(held_out), dtype=bool)
        return self._make_windows(first, last, everything, self._compared())

    def _compared(self, new: NDArray[np.bool_] | None = None, n_old: int = 0) -> Disliked | None:
        """Return what was turned down before events; before new ones alone, if it is old itself."""
        if not len(self._disliked):
            return None
        return self._disliked.places(self._histories, self._has_times, new, n_old)

    def _scored(self, events: NDArray[np.int64]) -> Windows:
        """Return the events to score, each behind its user's history."""
        users = self._histories.users[events]
        first = np.maximum(events + 1 - self.max_history, self._histories.starts[users])
        scored = np.zeros(len(self._histories), dtype=bool)
        scored[events] = True
        return self._make_windows(first, events + 1, scored)

    def _make_windows(
        self,
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        scored: NDArray[np.bool_],
        disliked: Disliked | None = None,
    ) -> Windows:
        start = len(self.items_) + 1
        windows = Windows if self.task == "ranking" else OutcomeWindows
        of_users = self._user_codes(Column("users_", self.users_), self._user_table)
        device = self.net_.device
        return windows(self._histories, first, last, scored, start, device, of_users, disliked)

    def _take_up(
        self, columns: Sequence[Column], y: Any, sample_weight: Any
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64], int]:
        """Add rows to the histories, items to the network.

        Return new events, new items, and how many dislikes are old.
        """
        n_old = len(self._disliked)
        met = self._item_ids.values_[
            np.unique(self._histories.items[self._histories.items > 0]) - 1
        ]
        users = getattr(self, "_label_users", None)
        if self.task == "ranking":
            new, codes = self._take_up_ranked(columns, y, sample_weight)
        else:
            new, codes = self._take_up_labelled(columns, y, sample_weight)
        old = self.net_
        self._build()
        network, device = self.net_.module_, self.net_.device
        old.move_to(torch.device(device))  # it is on the CPU, where it was loaded
        known = torch.as_tensor(codes[1:], device=device)
        if users is None:
            network.take_over(old.module_, known)
        else:
            user_codes = self._label_users.codes(Column("users_", users.values_))
            network.take_over(old.module_, known, torch.as_tensor(user_codes, device=device))
        self.net_.history = copy.deepcopy(old.history)
        met_before = self._item_ids.codes(Column("items_", met))
        return new, np.setdiff1d(self._histories.items[new], met_before), n_old

    def _take_up_ranked(
        self, columns: Sequence[Column], y: Any, sample_weight: Any
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Add rows, with their users and items; return new events and old items' codes."""
        columns, weight = self._further_rows(columns, y, sample_weight)
        item = columns[self._roles.who_and_what[1]]
        self._extend_side_tables()
        codes = self._learn_items(item)
        events = self._event_codes(columns, None)
        return self._add(columns, weight, self._item_ids.codes(item), events), codes

    def _pass_over(
        self, new: NDArray[np.bool_], fresh: NDArray[np.int64] | None = None, n_old: int = 0
    ) -> KeyboardInterrupt | None:
        """Train once on the events that are new; items that are begin where they are expected.

        Further dislikes are learned from, too, where the event they are compared with is old.
        """
        starts = self._histories.starts
        windows = training_windows(starts[:-1], starts[1:], self.max_history)
        if self.task == "ranking" and fresh is not None and len(fresh):
            rows = self._make_windows(*windows_with(*windows, new), new)
            place_items(self.net_, rows, torch.as_tensor(fresh, device=self.net_.device))
        disliked, targets = self._compared(new, n_old), new.copy()
        if disliked is not None:
            targets[disliked.event] = True
        rows = self._make_windows(*windows_with(*windows, targets), new, disliked)
        interrupt = self._walk([(rows, None)], 1) if len(rows) else None
        self._look_back()
        return interrupt

    def _look_back(self) -> None:
        """Set what users look at after a fit."""
        self.n_iter_ = len(self.net_.history)
        self.loss_curve_ = history_values(self.net_, ["train_loss"])[:, 0].tolist()
        scores = 1.0 - history_values(self.net_, ["valid_loss"])[:, 0]
        if self.task == "ranking":
            scores = scores.clip(0.0, 1.0)  # rounding
            self.temperature_ = getattr(self, "temperature_", 1.0)
            self.transition_weight_ = getattr(self, "transition_weight_", 0.0)
            self._count_transitions()
            self._take_vectors()
        self.validation_scores_ = scores if len(scores) else None
        self.attention_weights_ = self._mean_attention()

    def _count_transitions(self) -> None:
        """Count what followed what by now, in all events."""
        counted = np.ones(len(self._histories), dtype=bool)
        codes = {**self._histories.codes, "counted": counted}
        self._histories = replace(self._histories, codes=codes)
        self._transitions = Transitions(self._histories, len(self.items_))

    def _mean_attention(self) -> NDArray[np.float64]:
        """Return where users look (1, max_history): now, or for the last event of each."""
        ranks = self.task == "ranking"
        asked = self._askers(None, self._now, self._user_table) if ranks else self._last_rows()
        total, n_looked = np.zeros(self.max_history), 0
        for weights in self._attention(asked):
            total += weights.sum(axis=0, dtype=np.float64)
            n_looked += int((weights.sum(axis=1) > 0).sum())
        return (total / max(n_looked, 1))[None]

    def _take_vectors(self) -> None:
        """Keep the items' vectors, and what is popular lately for users without a history."""
        module = self.net_.module_.eval()
        with torch.no_grad():
            items = module.item_vectors().float().cpu().numpy().copy()
            bias = module.item_bias.float().cpu().numpy().copy()
        lately = item_weights(self._histories, len(bias), HALF_LIFE)
        least = lately[lately > 0].min() / 2
        lately[lately == 0] = least  # nobody met what is only described
        popular = np.log(lately / lately.sum()).astype(np.float32)
        self._keep_popular(popular, np.log(least / lately.sum()))
        vectors = np.column_stack([items, popular - bias])
        index = None if self.index is None else CellIndex(vectors, bias)
        self._catalogue = Catalogue(vectors, bias, index)
        self._stranger = self._stranger_vector()

    def _stranger_vector(self) -> NDArray[np.float32]:
        """Return the vector of one of whom nothing is known (n_dims,)."""
        asked = self._askers([None], self._now, self._user_table)
        module = self.net_.module_
        return self._forward(module.first_vector, self._queries(asked), (module.hidden_dim,))[0]
