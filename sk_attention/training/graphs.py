"""Training steps that a GPU repeats by itself, without being told each operation anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from sk_attention.data.batches import Batch

# Steps before one is recorded: they choose kernels, and allocate what the optimiser keeps.
WARM_UP = 3

# A process records one graph at a time.
_recording = threading.Lock()


class RecordedStep:
    """Training steps on a CUDA GPU, recorded as a CUDA graph and replayed.

    The steps of small networks take less time than telling the GPU what to do, a hundred operations
    and more. A graph tells it once. It does the same operations on the same memory each time, so
    that batches are copied into the first one's place, and a batch of another length is told
    operation by operation.

    Parameters
    ----------
    step : callable
        Batch -> dict of tensors. Does a whole training step, whose operations must depend on no
        values.
    optimizer : torch.optim.Optimizer
        What the step moves weights with; fused.
    generator : torch.Generator
        What the step draws from, on the GPU.
    n_rows : int
        Length of the batches to record.
    renew : callable
        Lets the step draw from another generator, where the GPU or its driver cannot record.
    """

    def __init__(
        self,
        step: Callable[[Batch], dict[str, Tensor]],
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        n_rows: int,
        renew: Callable[[], None],
    ) -> None:
        self.step = step
        self.optimizer = optimizer
        self.generator = generator
        self.n_rows = n_rows
        self.renew = renew
        self.n_told = 0
        self.stream = torch.cuda.Stream(generator.device)
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """Do a training step.

        Parameters
        ----------
        batch : tuple of (dict of str to Tensor, Tensor)
            Inputs and target.

        Returns
        -------
        done : dict of str to Tensor
            What the step returns; the next one may write in its place.
        """
        if len(batch[1]) != self.n_rows or self.n_told < WARM_UP:
            return self._tell(batch)
        if self.graph is None:
            try:
                self._record(batch)
            except RuntimeError:
                self.n_rows = 0  # no batch is as long as that
                self.renew()
                return self._tell(batch)
        assert self.graph is not None
        torch._foreach_copy_(self.places, _tensors(batch))
        self.graph.replay()
        return dict(self.done)

    def _tell(self, batch: Batch) -> dict[str, Tensor]:
        """Do a step operation by operation, in the stream that is recorded."""
        self.n_told += 1
        self.stream.wait_stream(torch.cuda.current_stream(self.stream.device))
        with torch.cuda.stream(self.stream):
            done = self.step(batch)
        torch.cuda.current_stream(self.stream.device).wait_stream(self.stream)
        return done

    def _record(self, batch: Batch) -> None:
        """Record a step without doing it."""
        inputs, target = batch
        own = {name: tensor.clone() for name, tensor in inputs.items()}, target.clone()
        graph: Any = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        recording = torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local")
        # a recording that fails would stay in its stream
        with _recording, _capturable(self.optimizer), torch.cuda.stream(self.stream), recording:
            self.done = self.step(own)
        self.places, self.graph = _tensors(own), graph


@contextmanager
def _capturable(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Tell an optimiser that it is recorded; else it warns of steps that could be and are not."""
    before = [group["capturable"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group, own in zip(optimizer.param_groups, before, strict=True):
            group["capturable"] = own


def _tensors(batch: Batch) -> list[Tensor]:
    inputs, target = batch
    return [*inputs.values(), target]
