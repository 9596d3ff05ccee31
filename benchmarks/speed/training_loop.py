"""What does training and predicting through skorch cost beside a bare torch loop?

One table, encoded once, one network, and the same optimiser, clipping, dtype and batch size:

- "sk_attention": a pass of `MultiTaskAttentionClassifier.partial_fit`, by skorch's own record;
  predicting: `predict_proba` without the time its encoding takes.
- "sk_attention, fit": the mean of two passes of `fit`, which also average the weights.
- "bare torch loop": the same tensors on the same device, in a loop without skorch, as fast as we
  can write it. Ratios compare with this one.
- "stock skorch": `skorch.NeuralNet` with its default Dataset and DataLoader.

Encoding (learning the bins, turning X into codes, the checks of predict_proba) is listed apart.

    python -m benchmarks.speed.training_loop --rows 5000 --repeats 2
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import skorch
import torch
from skorch.callbacks import Callback, GradientNormClipping
from torch import Tensor, nn

from benchmarks._common import (
    Record,
    interleaved,
    median_ratio,
    parser,
    random_table,
    report,
    set_threads,
    summary,
    synchronize,
    timed,
)
from sk_attention import MultiTaskAttentionClassifier
from sk_attention.data.batches import Rows
from sk_attention.data.columns import array_columns
from sk_attention.data.fields import TableEncoder
from sk_attention.data.numeric import BinEncoder
from sk_attention.nn.losses import ensemble_log_probability, task_cross_entropy
from sk_attention.training.optimizers import parameter_groups


class KeepRows(Callback):
    """Keeps the encoded rows that a training is given, for the other loops."""

    rows: Rows

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.rows = X

    def __deepcopy__(self, memo: Any) -> KeepRows:
        return self


def autocast(device: str, bf16: bool) -> AbstractContextManager[Any]:
    return torch.autocast(torch.device(device).type, torch.bfloat16) if bf16 else nullcontext()


class BareLoop:
    """The loop as one would write it by hand: no callbacks, no history, no generality."""

    def __init__(self, net: Any, rows: Rows, bf16: bool) -> None:
        self.module = copy.deepcopy(net.module_)
        self.parameters = list(self.module.parameters())
        groups = parameter_groups(self.module, net.weight_decay)
        self.optimizer = net.optimizer(groups, lr=net.lr)
        self.max_norm = net.max_grad_norm
        self.batch_size = net.batch_size
        self.device, self.bf16 = str(net.device), bf16
        self.inputs = {k: v for k, v in rows.inputs.items() if k != "weight"}
        self.weight = rows.inputs["weight"]
        self.target = rows.target.view(self.weight.shape)

    def train_epoch(self) -> float:
        synchronize(self.device)
        start = time.perf_counter()
        self.module.train()
        losses = torch.zeros((), device=self.device)
        for chosen in torch.randperm(len(self.target)).to(self.device).split(self.batch_size):
            batch = {name: tensor[chosen] for name, tensor in self.inputs.items()}
            self.optimizer.zero_grad()
            with autocast(self.device, self.bf16):
                outputs = self.module(batch)
            loss = task_cross_entropy(outputs, self.target[chosen], self.weight[chosen]).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, self.max_norm, foreach=True)
            self.optimizer.step()
            losses += loss.detach()
        losses.item()
        return time.perf_counter() - start

    def predict(self) -> None:
        self.module.eval()
        size = self.module.rows_at_a_time()
        parts = []
        with torch.inference_mode(), autocast(self.device, self.bf16):
            for start in range(0, len(self.target), size):
                batch = {name: tensor[start : start + size] for name, tensor in self.inputs.items()}
                parts.append(ensemble_log_probability(self.module(batch)).squeeze(2).exp().cpu())
        torch.cat(parts).numpy()


class StockModule(nn.Module):
    """The network as stock skorch calls it: inputs by name."""

    def __init__(self, network: nn.Module, device: str, bf16: bool) -> None:
        super().__init__()
        self.network, self.device, self.bf16 = network, device, bf16

    def forward(self, **inputs: Tensor) -> Tensor:
        with autocast(self.device, self.bf16):
            outputs: Tensor = self.network(inputs)
        return outputs if self.training else ensemble_log_probability(outputs).squeeze(2).exp()


class StockLoss(nn.Module):
    """The same loss; every label is there and weighs 1."""

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        target = target.view(len(target), -1)
        return task_cross_entropy(outputs, target, torch.ones_like(target)).mean()


def stock_net(net: Any, bf16: bool) -> skorch.NeuralNet:
    network = copy.deepcopy(net.module_)
    stock = skorch.NeuralNet(
        StockModule(network, str(net.device), bf16),
        StockLoss,
        optimizer=torch.optim.AdamW,
        optimizer__betas=(0.9, 0.99),
        optimizer__fused=True,
        optimizer__weight_decay=net.weight_decay,
        lr=net.lr,
        max_epochs=1,
        batch_size=net.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[GradientNormClipping(net.max_grad_norm)],
        device=str(net.device),
        verbose=0,
    )
    return stock.initialize()


class EncodingClock:
    """Takes the time that an estimator's predictions spend on checking and encoding."""

    def __init__(self, model: Any, device: str) -> None:
        self.seconds = 0.0
        self.device = device
        self._inner: Callable[[Any], Any] = model._read_rows
        model._read_rows = self

    def __call__(self, X: Any) -> Any:
        start = time.perf_counter()
        rows = self._inner(X)
        synchronize(self.device)
        self.seconds = time.perf_counter() - start
        return rows


def encoding_cases(X: Any, n_bins: int) -> Iterator[tuple[str, Callable[[], float]]]:
    columns = array_columns(X)
    kinds = [column.kind for column in columns]
    weight = np.ones(len(X))
    encoder = TableEncoder(kinds, BinEncoder(n_bins)).fit(columns, weight)
    fresh = TableEncoder(kinds, BinEncoder(n_bins))
    yield "learn the codes", lambda: timed(lambda: fresh.fit(columns, weight))
    yield "transform", lambda: timed(lambda: encoder.transform(columns, np.float32))


def main() -> None:
    options = parser(__doc__, repeats=5, device=True)
    options.add_argument("--rows", type=int, default=50_000)
    options.add_argument("--columns", type=int, default=20)
    options.add_argument("--tasks", type=int, default=1)
    options.add_argument("--attention", default="cross", choices=["cross", "self", "double"])
    options.add_argument("--precision", default="float32", choices=["float32", "bf16"])
    options.add_argument("--no-stock", action="store_true", help="leave stock skorch out")
    chosen = options.parse_args()
    set_threads(chosen.threads)
    X, y = random_table(chosen.rows, chosen.columns, chosen.tasks, chosen.seed)

    classes: Any = [np.arange(2)] * chosen.tasks if chosen.tasks > 1 else np.arange(2)
    keep = KeepRows()
    settings: dict[str, Any] = {
        "attention": chosen.attention,
        "early_stopping": False,
        "precision": chosen.precision,
        "device": chosen.device,
        "random_state": chosen.seed,
    }
    model = MultiTaskAttentionClassifier(callbacks=[keep], **settings)
    model.partial_fit(X, y, classes=classes)
    fitted = MultiTaskAttentionClassifier(max_epochs=2, **settings)
    net, bf16 = model.net_, chosen.precision == "bf16"
    bare = BareLoop(net, keep.rows, bf16)
    chosen.batch_size = net.batch_size

    def estimator_epoch() -> float:
        model.partial_fit(X, y)
        return float(net.history[-1, "dur"])

    def fit_epoch() -> float:
        return float(np.mean(fitted.fit(X, y).net_.history[:, "dur"]))

    training: dict[str, Callable[[], float | None]] = {
        "sk_attention": estimator_epoch,
        "sk_attention, fit": fit_epoch,
        "bare torch loop": bare.train_epoch,
    }
    predicting: dict[str, Callable[[], float | None]] = {}
    whole: list[float] = []
    clock = EncodingClock(model, chosen.device)

    def estimator_predict() -> float:
        whole.append(timed(lambda: model.predict_proba(X), chosen.device))
        return whole[-1] - clock.seconds

    predicting["sk_attention"] = estimator_predict
    predicting["bare torch loop"] = lambda: timed(bare.predict, chosen.device)
    if not chosen.no_stock:
        stock = stock_net(net, bf16)
        arrays = {name: tensor.cpu().numpy() for name, tensor in bare.inputs.items()}
        labels = bare.target.cpu().numpy()

        def stock_epoch() -> float:
            stock.partial_fit(arrays, labels)
            return float(stock.history[-1, "dur"])

        training["stock skorch"] = stock_epoch
        predicting["stock skorch"] = lambda: timed(lambda: stock.predict(arrays), chosen.device)

    records: list[Record] = []
    for what, cases in (("training pass", training), ("predict_proba", predicting)):
        seconds = interleaved(cases, chosen.repeats)
        for name, own in seconds.items():
            ratio = median_ratio(own, seconds["bare torch loop"])
            records.append({"what": what, "loop": name, **summary(own), "x bare": ratio})
    whole = whole[-chosen.repeats :]
    records.append({"what": "predict_proba with encoding", "loop": "sk_attention"} | summary(whole))
    n_bins = min(model.n_bins, max(16, chosen.rows // 30))
    encoding: dict[str, Callable[[], float | None]] = {
        **dict(encoding_cases(X, n_bins)),
        "check and transform in predict_proba": lambda: timed(lambda: clock(X), chosen.device),
    }
    for name, own in interleaved(encoding, chosen.repeats).items():
        records.append({"what": f"encoding: {name}", "loop": "sk_attention", **summary(own)})
    report("Training and predicting beside a bare torch loop", records, chosen)


if __name__ == "__main__":
    main()
