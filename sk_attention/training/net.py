"""The skorch net that the estimators compose."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import skorch
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback, EpochTimer, PrintLog, ProgressBar
from torch import Tensor, nn

from sk_attention.data.batches import Batch, Rows, Slices
from sk_attention.nn.ensemble import NetworkEnsemble
from sk_attention.nn.items import at_rest
from sk_attention.nn.layers import seed_draws

from .averaging import WeightAverage
from .graphs import RecordedStep
from .optimizers import parameter_groups, split_groups
from .tables import RowAdam, Together, clip_gradients, coalesce_gradients

TaskLossFunction = Callable[[Tensor, Tensor, Tensor], Tensor]


def most_probable(outputs: Tensor) -> Tensor:
    """Return codes of the most probable classes, or numbers (B, K), of outputs (B, K, C)."""
    return outputs.argmax(-1) if outputs.shape[-1] > 1 else outputs.squeeze(-1)


class StopTraining(Exception):
    """A callback asked to stop, which skorch's callbacks do by raising KeyboardInterrupt."""


class TaskLoss(nn.Module):
    """A masked multi-task loss, for members and for the ensemble they form.

    Parameters
    ----------
    loss : callable
        (outputs, target, weight) -> loss per task.
    ensemble : callable
        Outputs of the members -> output of the ensemble, as a single member.
    """

    def __init__(self, loss: TaskLossFunction, ensemble: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.loss = loss
        self.ensemble = ensemble

    def forward(self, outputs: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss of each task (K,): of the members in training, else of the ensemble."""
        if not self.training:
            outputs = self.ensemble(outputs)
        return self.loss(outputs, target, weight)


class AttentionNet(skorch.NeuralNet):  # type: ignore[misc]
    """Trains a network on `Rows`.

    Batches are slices of tensors that stay on the device, losses are read once per pass, weight
    decay spares what it should not shrink, and outside of a pass the module holds the average of
    its weights while there is one (`average_`). Everything else is skorch's: parameters,
    callbacks, history.

    Parameters
    ----------
    module : nn.Module
        Takes a mapping of encoded rows and returns outputs.
    criterion : nn.Module
        The loss: outputs, target and weight -> one loss per task.
    task_names : tuple of str, default=()
        Names under which the history keeps the losses of several tasks.
    tables : tuple of str, default=()
        Names of the parameters whose gradients are sparse: whatever the optimiser of the others,
        `RowAdam` moves the rows that have a gradient.
    weight_decay : float, default=0.0
        Decay of the matrices between layers.
    max_grad_norm : float, default=None
        Norm to which gradients are clipped; None leaves them.
    train_bf16 : bool, default=False
        Whether training computes matrix products in bf16.
    predict_bf16 : bool, default=False
        Whether prediction does.
    **kwargs : dict
        Parameters of ``skorch.NeuralNet``.
    """

    module_: Any

    def __init__(
        self,
        module: nn.Module | type[nn.Module],
        criterion: nn.Module,
        *,
        task_names: tuple[str, ...] = (),
        tables: tuple[str, ...] = (),
        weight_decay: float = 0.0,
        max_grad_norm: float | None = None,
        train_bf16: bool = False,
        predict_bf16: bool = False,
        iterator_train: Any = Slices,
        iterator_valid: Any = Slices,
        **kwargs: Any,
    ) -> None:
        self.task_names = task_names
        self.tables = tables
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.train_bf16 = train_bf16
        self.predict_bf16 = predict_bf16
        self.average_: WeightAverage | None = None
        self.recorded_: RecordedStep | None = None
        super().__init__(
            module,
            criterion,
            iterator_train=iterator_train,
            iterator_valid=iterator_valid,
            **kwargs,
        )

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [("epoch_timer", EpochTimer()), *log_callbacks(self.verbose)]

    def set_iteration(self, batch_size: int, generator: torch.Generator | None) -> None:
        """Say how the next passes walk through their rows.

        skorch's own ``set_params`` takes this only before a net is initialised.

        Parameters
        ----------
        batch_size : int
            Rows in a training step.
        generator : torch.Generator or None
            Source of the order of the rows.
        """
        self.batch_size = batch_size
        self.iterator_train__shuffle = True
        self.iterator_train__generator = generator
        self.iterator_valid__batch_size = self.module_.rows_at_a_time()

    def renew(self, options: dict[str, Any]) -> None:
        """Take new training options; optimiser and callbacks start anew, the weights stay.

        Parameters
        ----------
        options : dict
            Parameters that say how to train.
        """
        for name, value in options.items():
            setattr(self, name, value)
        self.initialize_callbacks()
        self.initialize_optimizer()

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> AttentionNet:
        """Build the optimiser over the parameter groups.

        Raises
        ------
        ValueError
            If it cannot be built so.
        """
        groups = parameter_groups(self.module_, self.weight_decay)
        groups, rows = split_groups(groups, [self.module_.get_parameter(n) for n in self.tables])
        try:
            self.optimizer_ = self.optimizer(groups, lr=self.lr)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "optimizer must take parameter groups and lr, as torch's optimizers do; "
                f"{self.optimizer!r} says: {error}"
            ) from error
        if self.tables:
            self.optimizer_ = Together(self.optimizer_, RowAdam(rows, lr=self.lr))
        return self

    def join(self, others: Sequence[Mapping[str, Tensor]]) -> None:
        """Let networks of other weights answer beside the trained one; the optimiser starts anew.

        Parameters
        ----------
        others : sequence of mapping
            Weights of the others, which are built alike.
        """
        networks = [copy.deepcopy(self.module_) for _ in others]
        for network, weights in zip(networks, others, strict=True):
            network.load_state_dict(weights)
        self.module_ = NetworkEnsemble([*networks, self.module_])
        self.initialize_optimizer()

    def infer(self, x: Mapping[str, Tensor], **fit_params: Any) -> Tensor:
        """Return the network's outputs for encoded rows."""
        with self._autocast():
            outputs: Tensor = self.module_(x)
        return outputs

    def _autocast(self) -> AbstractContextManager[None]:
        bf16 = self.train_bf16 if self.module_.training else self.predict_bf16
        if not bf16:
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, torch.bfloat16)

    def train_step_single(self, batch: Batch, **fit_params: Any) -> dict[str, Tensor]:
        """Compute the gradients of one batch."""
        self._set_training(True)
        step = self._loss_step(batch)
        step["loss"].backward()
        gradients = coalesce_gradients(self.module_.parameters())
        if self.max_grad_norm is not None:
            clip_gradients(gradients, self.max_grad_norm)
        if self.average_ is not None:
            self.average_.before_step()
        return step

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Tensor]:
        """Do a training step, of which a GPU may have a record."""
        step: dict[str, Tensor] = (self.recorded_ or super().train_step)(batch)
        return step

    def record_steps(self, n_rows: int, generator: torch.Generator) -> None:
        """Let a GPU replay the training steps of the next passes, which must be all alike.

        Parameters
        ----------
        n_rows : int
            Rows of a step.
        generator : torch.Generator
            What the network draws from.
        """

        def renew() -> None:
            seed = generator.initial_seed() + 1
            seed_draws(self.module_, torch.Generator(generator.device).manual_seed(seed))

        step = super().train_step
        self.recorded_ = RecordedStep(step, self.optimizer_, generator, n_rows, renew)

    def validation_step(self, batch: Batch, **fit_params: Any) -> dict[str, Tensor]:
        """Compute the ensemble's loss on one batch."""
        self._set_training(False)
        with torch.no_grad():
            return self._loss_step(batch)

    def _loss_step(self, batch: Batch) -> dict[str, Tensor]:
        inputs, target = batch
        outputs = self.infer(inputs)
        weight = inputs["weight"]
        target = target.view(*weight.shape[:-1], -1)  # one column where there is one task
        task_loss = self.criterion_(outputs, target, weight)
        return {"loss": task_loss.mean(), "task_loss": task_loss.detach(), "y_pred": outputs}

    def run_single_epoch(
        self, iterator: Slices | None, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Pass once over the rows; the losses come from the device once, at the end."""
        if iterator is None:
            return
        average = self.average_ if training else None
        total: Tensor | float = 0.0
        weights = nullcontext() if average is None else average.training_weights()
        with weights if training else at_rest(self.module_):
            for batch in iterator:
                self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch, **fit_params)
                if average is not None:
                    average.update(len(iterator))
                total = total + step.pop("task_loss") * (len(batch[1]) / len(iterator.rows))
                self.notify("on_batch_end", batch=batch, training=training, **step)
        assert isinstance(total, Tensor)
        self.history.record(f"{prefix}_batch_count", len(iterator))
        self._record_loss(f"{prefix}_loss", total.mean().item())
        for name, loss in zip(self.task_names, total.tolist(), strict=False):
            self.history.record(f"{prefix}_loss_{name}", loss)
        if not math.isfinite(self.history[-1, f"{prefix}_loss"]):
            raise ValueError(
                f"The loss became {self.history[-1, f'{prefix}_loss']} in pass {len(self.history)} "
                "over the rows. Try a smaller learning_rate, a max_grad_norm of 1.0, or "
                "precision='float32'."
            )

    def _record_loss(self, key: str, loss: float) -> None:
        """Record a loss, and whether it is the best so far: skorch's Checkpoint asks for that."""
        best = all(loss < epoch[key] for epoch in self.history if key in epoch)
        self.history.record(key, loss)
        self.history.record(f"{key}_best", best)

    def get_split_datasets(
        self, X: tuple[Rows, Rows | None], y: None = None, **fit_params: Any
    ) -> tuple[Rows, Rows | None]:
        """Return rows for training and rows held out: they come separated."""
        return X

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks; one that stops training does not look like Ctrl-C any more."""
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as interrupt:
            if method_name != "on_epoch_end":
                raise
            raise StopTraining from interrupt

    def forward_rows(
        self, function: Callable[[Mapping[str, Tensor]], Tensor], rows: Rows
    ) -> NDArray[Any]:
        """Return ``function`` of the encoded rows, batch by batch, as one array.

        Parameters
        ----------
        function : callable
            Encoded rows -> tensor with one entry per row.
        rows : Rows
            The rows.

        Returns
        -------
        out : ndarray of shape (n_rows, ...)
            The results.
        """
        return self.forward_batches(function, Slices(rows, self.module_.rows_at_a_time()))

    def forward_batches(
        self, function: Callable[[Mapping[str, Tensor]], Tensor], batches: Iterable[Batch]
    ) -> NDArray[Any]:
        """Return ``function`` of batches of inputs as one array.

        Parameters
        ----------
        function : callable
            Inputs -> tensor with one entry per row.
        batches : iterable of (inputs, target)
            The batches.

        Returns
        -------
        out : ndarray of shape (n_rows, ...)
            The results.
        """
        self.module_.eval()
        with torch.inference_mode(), self._autocast(), at_rest(self.module_):
            parts = [function(inputs).cpu() for inputs, _ in batches]
        joined = parts[0] if len(parts) == 1 else torch.cat(parts)
        if joined.dtype == torch.bfloat16:  # which NumPy does not have
            joined = joined.float()
        out: NDArray[Any] = joined.numpy()
        return out

    def ensemble_outputs(self, rows: Rows) -> NDArray[Any]:
        """Return the ensemble's log probabilities or numbers for each row and task.

        Parameters
        ----------
        rows : Rows
            Encoded rows.

        Returns
        -------
        outputs : ndarray of shape (n_rows, n_tasks, n_outputs)
            Log probabilities, -inf for classes a task has not; or standardised numbers.
        """

        def ensemble(inputs: Mapping[str, Tensor]) -> Tensor:
            outputs: Tensor = self.criterion_.ensemble(self.module_(inputs))
            return outputs.squeeze(2)

        return self.forward_rows(ensemble, rows)

    def mean_of(
        self, function: Callable[[Mapping[str, Tensor]], Tensor], rows: Rows
    ) -> NDArray[np.float64]:
        """Return the weighted mean over the rows of ``function`` of them.

        Parameters
        ----------
        function : callable
            Encoded rows -> tensor with one entry per row.
        rows : Rows
            Encoded rows with their ``weight`` (n_rows,).

        Returns
        -------
        mean : ndarray, dtype float64
            Of the shape of one entry.
        """
        self.module_.eval()
        total: Tensor | float = 0.0
        total_weight = 0.0
        with torch.inference_mode():
            for inputs, _ in Slices(rows, self.module_.rows_at_a_time()):
                with self._autocast():
                    values = function(inputs)
                weight = inputs["weight"].to(values)
                total_weight += float(weight.sum())
                total = total + torch.tensordot(weight, values, dims=1).cpu().double()
        assert isinstance(total, Tensor)
        mean: NDArray[np.float64] = (total / total_weight).numpy()
        return mean

    def mean_attention(self, rows: Rows) -> NDArray[np.float64]:
        """Return the weighted mean over the rows of where each task looks.

        Parameters
        ----------
        rows : Rows
            Encoded rows with their ``weight`` (n_rows,).

        Returns
        -------
        weights : ndarray of shape (n_tasks, n_tokens), dtype float64
            Rows sum to 1.
        """
        weights = self.mean_of(lambda inputs: self.module_.read(inputs).weights, rows)
        mean: NDArray[np.float64] = weights / weights.sum(axis=-1, keepdims=True)
        return mean

    def predict(self, X: Rows) -> NDArray[Any]:
        """Return codes or numbers for skorch's scoring callbacks.

        Parameters
        ----------
        X : Rows
            Encoded rows.

        Returns
        -------
        y : ndarray of shape (n_rows,) or (n_rows, n_columns)
            Codes of the most probable classes, or standardised numbers, as targets are coded.
        """
        outputs = self.criterion_.ensemble(torch.cat(list(self.forward_iter(X)))).squeeze(2)
        decide = getattr(self.criterion_, "decide", most_probable)  # tasks of several kinds differ
        predicted: NDArray[Any] = decide(outputs).detach().cpu().numpy()
        return predicted[:, 0] if predicted.shape[1] == 1 else predicted

    def __getstate__(self) -> dict[str, Any]:
        """Drop what only training needs, and take the weights to the CPU."""
        state = self.__dict__.copy()
        state.pop("optimizer_", None)
        state.update(
            module=type(self.module_),
            module_=copy.deepcopy(self.module_).cpu() if self.device != "cpu" else self.module_,
            criterion=type(self.criterion_),
            average_=None,
            recorded_=None,
            callbacks=None,
            callbacks_=[],
            device="cpu",
            iterator_train__generator=None,
        )
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def move_to(self, device: torch.device) -> None:
        """Move a trained net; its optimiser starts anew there.

        Parameters
        ----------
        device : torch.device
            Where to.
        """
        self.device = str(device)
        self.module_.to(device)


def log_callbacks(verbose: int) -> list[tuple[str, Callback]]:
    """Return what reports progress: 1 a bar over the batches of a pass, 2 a line per pass too.

    Parameters
    ----------
    verbose : int
        The parameter.

    Returns
    -------
    callbacks : list of (str, Callback)
        skorch's own.
    """
    bar: list[tuple[str, Callback]] = [("progress_bar", ProgressBar())]
    if verbose > 1:
        bar.append(("print_log", PrintLog()))
    return bar if verbose else []
