"""DeepSpeed, always, also with one process: gradients of a step's micro-batches, then one update."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import deepspeed
import torch
from deepspeed.utils import safe_get_full_fp32_param
from torch import Tensor, nn

from t2t.config.run import RunConfig
from t2t.data.batch import Step
from t2t.data.collate import collate
from t2t.data.encode import Encoded
from t2t.engine import distributed
from t2t.engine.checkpoint import random_state, restore_random_state
from t2t.engine.halving import OutOfMemory
from t2t.engine.loss import TrainingModel, divisor, weigher
from t2t.engine.optimizer import ModelOptimizer
from t2t.engine.schedule import factor
from t2t.engine.terms import Term, ZLoss
from t2t.model.memory import free_memory, is_out_of_memory
from t2t.model.seq2seq import Seq2Seq


class TrainingEngine:
    """A model under DeepSpeed. ``engine`` is DeepSpeed's own object, for checkpoints.

    ``settings``: of ``deepspeed.initialize``, nothing "auto"; ``shares``: of the tasks in the mixture; ``terms``: of
    the loss, beside those of ``loss:``.
    """

    def __init__(
        self,
        model: Seq2Seq,
        config: RunConfig,
        settings: Mapping[str, Any],
        shares: Sequence[float],
        device: torch.device,
        terms: Sequence[Term] = (),
        late: Collection[str] = (),
    ) -> None:
        self.config, self.device, self.model = config, device, model
        self.stage = int(settings["zero_optimization"]["stage"])
        model.for_training(device)
        # DeepSpeed rounds the whole model to bf16; what is not trained has no fp32 master to come back from.
        self._frozen = {} if config.precision != "bf16" else _frozen(model)
        self.optimizer = ModelOptimizer(model, config.optimizer, device, late)
        self._wrapped = TrainingModel(
            model,
            config.loss.label_smoothing,
            config.precision == "autocast_bf16",
            [*([ZLoss(config.loss.z_loss)] if config.loss.z_loss else []), *terms],
            config.loss.chunk,
        )
        self.engine, *_ = deepspeed.initialize(
            model=self._wrapped, optimizer=self.optimizer.torch, config=dict(settings)
        )
        self.optimizer.torch.state.clear()  # at ZeRO 0 in bf16 DeepSpeed has made an update of nothing
        self.engine.train()
        self._weigh = weigher(config.loss.norm, shares)
        # Between CPUs the network is slow: one reduction a step. On GPUs ZeRO-2 and 3 rather save memory.
        coalesces = self.stage > 0 and hasattr(self.engine.optimizer, "_coalesce_grad_reduction")
        self._coalesces = coalesces and (device.type == "cpu" or self.stage == 1)
        # Whether nothing is summed over ranks before all have made their gradients.
        self._sums_last = distributed.world_size() == 1 or self.stage == 0 or (self._coalesces and self.stage < 3)

    def gradients(self, step: Step) -> tuple[float, bool]:
        """Forward and backward for this rank's micro-batches of a step, nothing updated.

        Gives the sum of the negative log-likelihood of this rank's target tokens (nats), and whether the loss of each
        micro-batch is finite. The gradients add up to those of the step's loss over ALL ranks, however many there are.
        OutOfMemory where memory runs out: the engine is then good for a checkpoint of before the step, and no more.
        """
        micro_batches = step.of_rank(distributed.rank(), distributed.world_size())
        # DeepSpeed averages over the ranks: times world it is the sum.
        scale = distributed.world_size() / divisor(self.config.loss.norm, step)
        nats, finite, before, lacking = 0.0, True, random_state(), None
        with self._one_reduction():
            for place, rows in enumerate(micro_batches):
                if not self._coalesces:
                    last = place == len(micro_batches) - 1
                    self.engine.set_gradient_accumulation_boundary(last and self.stage > 0)
                try:
                    its_nats, its_loss = self._backward(rows, self._parts(step, place), scale)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    lacking = len(rows)
                    break
                nats, finite = nats + its_nats, finite and math.isfinite(its_loss)
            self._check_memory(lacking, before)
        if self.stage == 0:
            self.engine.set_gradient_accumulation_boundary(True)
            self.engine.allreduce_gradients()
        return nats, finite

    def _backward(self, rows: Sequence[Encoded], parts: int, scale: float) -> tuple[float, float]:
        """Forward and backward of a micro-batch: its negative log-likelihood (nats) and its loss."""
        tensors = collate(rows, self.model.ids, self._weigh, self.config.batch.tokens)
        micro_batch = {name: tensor.to(self.device) for name, tensor in tensors.items()}
        loss, nats = self.engine(micro_batch, parts)
        self.engine.backward(loss * scale, scale_wrt_gas=False)
        return float(nats), float(loss.detach())

    def _check_memory(self, lacking: int | None, before: dict[str, Any]) -> None:
        """OutOfMemory where ``lacking`` is of how many examples the micro-batch was that found none: on all ranks where
        it is so on one, if they still can agree on it. ``before``: the random state before the step."""
        values = [float(lacking is not None), float(lacking is not None and lacking <= 1)]
        if self._sums_last:
            values = distributed.total(torch.tensor(values, device=self.device)).tolist()
        lacks, single = map(bool, values)
        if not lacks:
            return
        for flush in ("_flush_coalesced_reduction_zero12", "_flush_coalesced_reduction_zero3"):
            setattr(self.engine, flush, lambda optimizer: None)  # the one reduction would come on an error too
        self.engine.zero_grad()
        free_memory()
        restore_random_state(before)
        raise OutOfMemory(single, self._sums_last)

    @torch.no_grad()
    def measure(self, step: Step) -> tuple[float, int]:
        """The negative log-likelihood (nats) of this rank's micro-batches of a step, summed, and their target tokens.

        Nothing is learned. Every rank must call it: all do equally many forwards.
        """
        nats, tokens = 0.0, 0
        for place, rows in enumerate(step.of_rank(distributed.rank(), distributed.world_size())):
            tensors = collate(rows, self.model.ids, lambda row: 1.0, self.config.batch.tokens)
            micro_batch = {name: tensor.to(self.device) for name, tensor in tensors.items()}
            _, its_nats = self.engine(micro_batch, self._parts(step, place))
            nats, tokens = nats + float(its_nats), tokens + sum(len(row.labels) for row in rows)
        return nats, tokens

    def _parts(self, step: Step, place: int) -> int:
        """In how many parts the positions of all ranks' micro-batches at ``place`` reach the head: as the largest
        needs, since all ranks gather it equally often at ZeRO 3."""
        world = distributed.world_size()
        together = step.micro_batches[place * world : (place + 1) * world]
        return self._wrapped.parts(max(sum(len(row.labels) for row in rows) for rows in together))

    @contextmanager
    def _one_reduction(self) -> Iterator[None]:
        if self._coalesces:
            with self.engine.coalesce_grad_reduction():
                yield
        else:
            yield

    def update(self, step: int, progress: float) -> tuple[float, float]:
        """Apply the gradients: the ``step``-th update (from 0) at ``progress`` (0 to 1) of the run.

        Gives the schedule's factor and the norm of the whole gradient before clipping, the same on all ranks. Where
        that is not finite nothing is applied: no weight and no state of the optimizer changes.
        """
        done = factor(self.config.schedule, step, progress)
        norm = self._norm_of_whole_gradients()
        if norm is not None and not math.isfinite(norm):
            return done, norm
        self.optimizer.set_rates(self.engine.optimizer.param_groups, done)
        self.engine.set_gradient_accumulation_boundary(True)
        self.engine.step()
        if norm is None:
            norm = float(self.engine.get_global_grad_norm())
        return done, norm

    def _norm_of_whole_gradients(self) -> float | None:
        """The gradient's norm at stage 0 in fp32, where DeepSpeed applies whatever there is; None elsewhere.

        Every rank holds the reduced gradients whole then. Elsewhere DeepSpeed measures, and skips what is not finite.
        """
        gradients = [parameter.grad for parameter in self.model.parameters().values() if parameter.grad is not None]
        if self.stage or self.config.precision == "bf16" or not gradients:
            return None
        return float(torch.stack(torch._foreach_norm(gradients)).norm())

    def weights_for_use(self) -> dict[str, Tensor] | None:
        """All weights by name, whole, fp32, on the CPU, on the first rank; None elsewhere. Every rank must call it.

        With ``precision: bf16`` these are the fp32 weights that the optimiser updates, not their bf16 roundings.
        """
        parameters = self.model.parameters()
        cut = list(parameters.values()) if self.stage == 3 else []
        whole: dict[str, Tensor] = {}
        with deepspeed.zero.GatheredParameters(cut, enabled=bool(cut)):
            masters = self._masters() if self.stage == 0 else {}
            for name, parameter in parameters.items():
                weight = self._frozen.get(name, None)
                weight = self._full(parameter, masters) if weight is None else weight
                if not distributed.rank():
                    whole[name] = weight.detach().float().cpu().clone()
        return None if distributed.rank() else whole

    def master(self, parameter: nn.Parameter) -> Tensor:
        """The fp32 weight that the optimiser updates at stage 0: the parameter itself, unless it trains in bf16."""
        return parameter if parameter.dtype == torch.float32 else self._masters()[parameter]

    def _full(self, parameter: nn.Parameter, masters: Mapping[nn.Parameter, Tensor]) -> Tensor:
        """The fp32 weight behind ``parameter``, which is the parameter itself unless the model trains in bf16."""
        if parameter.dtype == torch.float32 or not parameter.requires_grad:
            return parameter
        if self.stage == 0:
            return masters[parameter]
        weight: Tensor | None = safe_get_full_fp32_param(parameter)
        if weight is None:
            raise RuntimeError(f"DeepSpeed has no fp32 weight for a parameter at ZeRO stage {self.stage}")
        return weight

    def _masters(self) -> dict[nn.Parameter, Tensor]:
        """The fp32 weight of each bf16 parameter at stage 0, where DeepSpeed's optimiser lists both beside each other
        and does not link them."""
        optimizer = self.engine.optimizer
        groups = zip(getattr(optimizer, "fp16_groups", ()), getattr(optimizer, "fp32_groups", ()), strict=True)
        return {half: full for halves, fulls in groups for half, full in zip(halves, fulls, strict=True)}


def _frozen(model: Seq2Seq) -> dict[str, Tensor]:
    """The weights that are not trained, on the CPU of the first rank, which saves them."""
    if distributed.rank():
        return {}
    named = model.parameters().items()
    return {name: weight.detach().cpu().clone() for name, weight in named if not weight.requires_grad}
