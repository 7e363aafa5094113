"""One process of the tests of this folder: trains a toy T5 at every ZeRO stage and writes what came out.

python worker.py OUT.json [offload], with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import deepspeed
import numpy as np
import torch

from t2t.config.run import RunConfig, load_run
from t2t.continual.strategy import Anchor
from t2t.data.batch import Step
from t2t.data.encode import Encoded
from t2t.engine import checkpoint, distributed
from t2t.engine.anchoring import attach
from t2t.engine.checkpoint import Position
from t2t.engine.deepspeed import TrainingEngine
from t2t.engine.deepspeed_file import read_deepspeed
from t2t.engine.distilled import Distilled
from t2t.engine.log import Log
from t2t.engine.loop import Loop, NotFinite, Terminated
from t2t.engine.peers import leave
from t2t.model.backbone import build_from_scratch
from t2t.model.freezing import freeze_parts
from t2t.model.peft import read_method
from t2t.training.train import adapt

RUN = """
run: toy
seed: 3
tasks: [toy/one, toy/two]
model:
  from_scratch: {d_model: 16, d_kv: 4, d_ff: 32, num_layers: 1, num_decoder_layers: 1, num_heads: 4}
schedule: {steps: 100, warmup: 2}
"""
VOCABULARY = 60
STEPS = 3


def examples(count: int) -> list[Encoded]:
    """Toy examples of several lengths, of two tasks."""
    generator = np.random.default_rng(7)
    rows = []
    for number in range(count):
        prompt, target = (generator.integers(3, VOCABULARY, size) for size in generator.integers(2, 9, 2))
        ids = [np.append(part, 1).astype(np.int32) for part in (prompt, target)]
        rows.append(Encoded(str(number), number % 2, *ids))
    return rows


def step(number: int, micro_batches: int) -> Step:
    """Always the same twelve examples in step ``number``, as one or more micro-batches."""
    rows = examples(12 * (number + 1))[12 * number :]
    return Step(0, number, [rows[place::micro_batches] for place in range(micro_batches)])


def config(folder: Path, *overrides: str) -> RunConfig:
    file = folder / "toy.yaml"
    if distributed.rank() == 0:
        file.write_text(RUN)
    distributed.barrier()
    return load_run(file, overrides)


def engine(run: RunConfig, device: torch.device) -> TrainingEngine:
    model = build_from_scratch(run.model.shape, VOCABULARY, run.seed)
    if run.freeze is not None:
        freeze_parts(model, run.freeze, run.where)
    adapt(model, read_method(run.peft, run.where), run.seed, run.where)
    terms = []
    if run.teacher is not None:
        teacher = build_from_scratch({**run.model.shape, "d_ff": 48, "dropout": 0.5}, VOCABULARY, 17)
        teacher.module.to(device)
        terms = [Distilled(teacher, run.teacher.share, run.teacher.temperature, run.teacher.top)]
    return TrainingEngine(model, run, read_deepspeed(run.deepspeed, run), [0.75, 0.25], device, terms)


def loop_of(made: TrainingEngine, plan: Any, run: RunConfig, place: Path) -> Loop:
    log = Log(place / "metrics.csv", run.log.every, run.optimizer.learning_rate, run.schedule.length, made.device)
    return Loop(made, plan, run.schedule, run.checkpoint, place, [log])


def weights(trained: TrainingEngine) -> list[float] | None:
    whole = trained.weights_for_use()
    return None if whole is None else torch.cat([part.flatten() for part in whole.values()]).tolist()


def anchor_of(run: RunConfig, strength: float) -> Anchor:
    """To other weights than those that training starts from, each as important as its number is odd."""
    weights = build_from_scratch(run.model.shape, VOCABULARY, run.seed + 1).parameters()
    importance = {
        name: torch.arange(one.numel(), dtype=torch.float32).remainder(3).view_as(one) for name, one in weights.items()
    }
    return Anchor(strength, importance, {name: importance[name] * one.detach() for name, one in weights.items()})


def trained(run: RunConfig, device: torch.device, micro_batches: int, strength: float = 0.0) -> dict[str, object]:
    """Loss and gradient norm of each of STEPS steps, and the weights after them. ``strength``: of a pull."""
    made = engine(run, device)
    if strength:
        before = weights(made)
        attach(made, anchor_of(run, strength))
        assert weights(made) == before
    return trained_further(made, micro_batches)


def trained_further(
    made: TrainingEngine, micro_batches: int, see: Callable[[], object] = lambda: None
) -> dict[str, object]:
    """See ``trained``; and what ``see`` gives before each step."""
    losses, norms, seen = [], [], []
    for number in range(STEPS):
        seen.append(see())
        taken = step(number, micro_batches)
        nats, finite = made.gradients(taken)
        assert finite
        total = distributed.total(torch.tensor([nats], dtype=torch.float64))
        losses.append(float(total) / taken.target_tokens)
        norms.append(made.update(number, 0.1)[1])
    whole = {"weights": weights(made), "names": len(made.weights_for_use() or {})}
    return {"losses": losses, "norms": norms, **whole, "seen": seen}


def masters(run: RunConfig, device: torch.device) -> dict[str, bool]:
    """Whether the weights for use of a bf16 run are finer than bf16, and rounded are those that it computes with."""
    made = engine(run, device)
    for number in range(STEPS):
        made.gradients(step(number, 2))
        made.update(number, 0.1)
    found, parameters = made.weights_for_use(), made.model.parameters()
    cut = list(parameters.values()) if made.stage == 3 else []
    with deepspeed.zero.GatheredParameters(cut, enabled=bool(cut)):
        if found is None:
            return {}
        rounded = {name: weight.bfloat16() for name, weight in found.items()}
        return {
            "fp32": {weight.dtype for weight in found.values()} == {torch.float32},
            "finer": any(not torch.equal(rounded[name].float(), weight) for name, weight in found.items()),
            "same": all(torch.equal(rounded[name], parameters[name].detach().cpu()) for name in parameters),
        }


def resumed(folder: Path, device: torch.device) -> dict[str, object]:
    """Four steps in one go, and two, a checkpoint, a half-written checkpoint and two more; with dropout, a teacher."""
    run = config(folder, "model.from_scratch.dropout=0.2", "teacher={from: elsewhere}", "loss={chunk: 7, z_loss: 0.01}")
    straight, folder = engine(run, device), folder / "checkpoints"
    torch.manual_seed(distributed.rank())
    for number in range(4):
        straight.gradients(step(number, 3))
        straight.update(number, 0.1)
        if number == 1:
            checkpoint.save(straight.engine, folder, Position(2, 0, 2, 1.5, 99), keep=1)
    torch.manual_seed(99)
    if distributed.rank() == 0:
        (folder / "step00000003.tmp").mkdir()
        (folder / "step00000004").mkdir()
    distributed.barrier()
    again, said = engine(replace(run, seed=8), device), []
    position = checkpoint.load_latest(again.engine, folder, run.seed, said.append)
    assert position is not None
    for number in range(position.step, 4):
        again.gradients(step(number, 3))
        again.update(number, 0.1)
    equal = weights(straight) == weights(again)
    return {"equal": equal, "said": said,
            "latest": (folder / "latest").read_text()}  # fmt: skip


def clipped(folder: Path, device: torch.device) -> dict[str, list[float]]:
    """How far one update of SGD goes after a checkpoint of a run that clips at 0.1: by the same clip, and by 0.001."""
    found: dict[str, list[float]] = {}
    for stage, precision in [*((stage, "fp32") for stage in range(4)), (0, "bf16"), (2, "bf16")]:
        name, sgd = f"zero{stage} {precision}", "optimizer={name: sgd, momentum: 0, learning_rate: 1, clip: 0.1}"
        run = config(folder, f"deepspeed=ds_configs/zero{stage}.json", f"precision={precision}", sgd)
        place = folder / f"clipped {name}"
        checkpoint.save(engine(run, device).engine, place, Position(1), keep=1)
        found[name] = []
        for clip in (0.1, 0.001):
            made = engine(replace(run, optimizer=replace(run.optimizer, clip=clip)), device)
            checkpoint.load_latest(made.engine, place, run.seed, lambda line: None)
            before = made.weights_for_use()
            made.gradients(step(0, 2))
            made.update(1, 0.0)
            after = made.weights_for_use()
            if before is not None and after is not None:
                moved = [float((after[name] - one).square().sum()) for name, one in before.items()]
                found[name].append(sum(moved) ** 0.5)
    return found


def broken(folder: Path, device: torch.device) -> bool:
    """Whether a NaN among the weights goes unnoticed."""
    made = engine(config(folder), device)
    with torch.no_grad():
        made.model.module.shared.weight[3:] = float("nan")
    return made.gradients(step(0, 2))[1]


class Exploding(torch.autograd.Function):
    """Passes on what it is given; the gradient on its way back is infinite."""

    @staticmethod
    def forward(ctx: object, logits: torch.Tensor) -> torch.Tensor:
        return logits.clone()

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return gradient * float("inf")


def exploding(folder: Path, device: torch.device) -> dict[str, list[object]]:
    """A finite loss whose gradient is infinite, in the second step, on the first rank: what was raised, on how many
    ranks, whether a checkpoint was written, and whether the weights are those of the first step."""
    results: dict[str, list[object]] = {}
    for stage, precision in [*((stage, "fp32") for stage in range(4)), (0, "bf16"), (2, "bf16")]:
        name = f"zero{stage} {precision}"
        run = config(folder, f"deepspeed=ds_configs/zero{stage}.json", f"precision={precision}", "schedule.steps=2")
        made, place, kept = engine(run, device), folder / name, []
        place.mkdir(exist_ok=True)
        forward = made.model.module.lm_head.forward

        def explode(made: TrainingEngine = made, forward: Callable[..., torch.Tensor] = forward) -> None:
            made.model.module.lm_head.forward = lambda hidden: Exploding.apply(forward(hidden))  # type: ignore[method-assign]

        said = ""
        try:
            plan = Endless(1, explode, before=lambda made=made, kept=kept: kept.append(weights(made)))
            loop_of(made, plan, run, place).run(Position())
        except NotFinite as error:
            said = str(error)
        raised = int(distributed.total(torch.tensor([float(bool(said))])))
        results[name] = [said, raised, (place / "checkpoints").exists(), kept[1] == weights(made) != kept[0]]
    return results


class Endless:
    """Epochs of four steps. On the first rank ``event`` runs when step ``at`` of the run is taken, on all ranks
    ``before`` at every step."""

    def __init__(
        self,
        at: int = -1,
        event: Callable[[], None] | None = None,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self.taken, self.at, self.event, self.before = 0, at, event, before

    def steps(self, epoch: int, after: int = 0) -> Iterator[Step]:
        for number in range(after, 4):
            if self.event is not None and self.taken == self.at and distributed.rank() == 0:
                self.event()
            self.taken += 1
            self.before()
            yield Step(epoch, number, step(number, 2).micro_batches)


def looped(folder: Path, device: torch.device) -> dict[str, object]:
    """How the loop ends: by steps, by the clock, by SIGTERM to one rank, by NaN on one rank."""

    def loop(name: str, plan: Endless, *overrides: str) -> tuple[Loop, Path]:
        run, place = config(folder, "checkpoint.every=4", *overrides), folder / name
        place.mkdir(exist_ok=True)
        made = engine(run, device)
        made_loop = loop_of(made, plan, run, place)
        return made_loop, place

    by_steps, place = loop("steps", Endless(), "schedule.steps=6")
    end = by_steps.run(Position())
    by_clock, _ = loop("clock", Endless(), "schedule.steps=1000000", "schedule.minutes=0.03")
    clock = by_clock.run(Position())
    results: dict[str, object] = {
        "end": [end.step, end.epoch, end.step_in_epoch, end.tokens],
        "rows": (place / "metrics.csv").read_text().splitlines(),
        "checkpoints": sorted(path.name for path in (place / "checkpoints").glob("step*")),
        "clock": [clock.step, clock.elapsed],
    }
    killed, place = loop("killed", Endless(2, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    try:
        killed.run(Position())
    except Terminated:
        results["killed"] = (place / "checkpoints" / "latest").read_text()

    def spoil() -> None:
        with torch.no_grad():
            spoilt.engine.model.module.shared.weight[3:] = float("nan")

    spoilt, place = loop("spoilt", Endless(1, spoil))
    try:
        spoilt.run(Position())
    except NotFinite as error:
        results["spoilt"] = [str(error), (place / "checkpoints").exists()]
    return results


def main(out: Path, offload: bool) -> None:
    device = distributed.start()
    results: dict[str, object] = {"device": distributed.device_name()}
    for name in ("zero2_offload", "zero3_offload") if offload else ():
        results[f"{name} micro-batches1"] = trained(config(out.parent, f"deepspeed=ds_configs/{name}.json"), device, 1)
    for stage in range(4):
        for micro_batches in (1, 3, 4):
            run = config(out.parent, f"deepspeed=ds_configs/zero{stage}.json")
            results[f"zero{stage} micro-batches{micro_batches}"] = trained(run, device, micro_batches)
    for stage in (0, 3):
        run = config(out.parent, f"deepspeed=ds_configs/zero{stage}.json", "model.from_scratch.tied=false")
        results[f"zero{stage} untied"] = trained(run, device, 2)
    for stage, tied in ((0, "true"), (2, "true"), (3, "true"), (0, "false"), (3, "false")):
        run = config(out.parent, f"deepspeed=ds_configs/zero{stage}.json", f"model.from_scratch.tied={tied}",
                     "loss={z_loss: 0.01, chunk: 7}")  # fmt: skip
        results[f"chunked zero{stage} {tied}"] = trained(run, device, 3)
    for stage, top in ((0, 5), (1, 5), (2, 5), (3, 5), (0, "null")):
        run = config(out.parent, f"deepspeed=ds_configs/zero{stage}.json", "loss={chunk: 7, norm: tasks}",
                     f"teacher={{from: elsewhere, weight: 0.7, top: {top}}}")  # fmt: skip
        results[f"taught zero{stage} {top}"] = trained(run, device, 3)
    more = ("optimizer={name: sgd, rates: {embedding: 0.1}, layer_decay: 0.5, weight_decay: 0.1}",
            "optimizer={weight_decay: 0.1, rates: {decoder: 0.5, norm: 0}}")  # fmt: skip
    for stage in range(4):
        for name, settings in zip(("sgd", "parted adamw"), more, strict=True):
            run = config(out.parent, f"deepspeed=ds_configs/zero{stage}.json", settings)
            results[f"{name} zero{stage}"] = trained(run, device, 3)
    factored = config(out.parent, "deepspeed=ds_configs/zero0.json", "optimizer.name=adafactor")
    results["adafactor"] = trained(factored, device, 3)
    for stage in range(4):
        run = config(out.parent, f"deepspeed=ds_configs/zero{stage}.json")
        results[f"anchored zero{stage}"] = trained(run, device, 3, strength=2.0)
    results["anchored bf16 zero0"], results["anchored bf16 zero2"] = (
        trained(config(out.parent, "precision=bf16", f"deepspeed=ds_configs/zero{stage}.json"), device, 2, strength=2.0)
        for stage in (0, 2)
    )
    for norm in ("examples", "tasks"):
        results[norm] = trained(config(out.parent, f"loss.norm={norm}"), device, 3)
    for precision in ("bf16", "autocast_bf16"):
        results[precision] = trained(config(out.parent, f"precision={precision}"), device, 2)
    bf16_at_0 = config(out.parent, "precision=bf16", "deepspeed=ds_configs/zero0.json")
    results["bf16 zero0"] = trained(bf16_at_0, device, 2)
    for stage in range(4):
        run = config(out.parent, f"deepspeed=ds_configs/zero{stage}.json", "precision=bf16")
        results[f"masters zero{stage}"] = masters(run, device)
    results["resumed"] = resumed(out.parent, device)
    results["clipped"] = clipped(out.parent, device)
    results["looped"] = looped(out.parent, device)
    results["exploding"] = exploding(out.parent, device)
    results["broken is finite"] = broken(out.parent, device)
    if distributed.rank() == 0:
        out.write_text(json.dumps(results))
    distributed.stop()
    leave(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), "offload" in sys.argv[2:])
