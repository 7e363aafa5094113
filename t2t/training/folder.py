"""What a run writes into its folder: what it is, what it trained on, its facts and its model."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import deepspeed as deepspeed_library
import torch
import transformers

from t2t import __version__
from t2t.config.run import Precision
from t2t.data.batch import Plan
from t2t.engine import distributed
from t2t.engine.checkpoint import Position
from t2t.engine.deepspeed import TrainingEngine
from t2t.engine.disk import whole_folder
from t2t.engine.preflight import write_run_file
from t2t.engine.trained_on import TrainedOn
from t2t.model.peft import Method, adapted, save_adapter
from t2t.model.sayable import unsayable_summary
from t2t.model.seq2seq import Seq2Seq
from t2t.runs.rejects import count_bad
from t2t.runs.run_files import write_json
from t2t.structures import Json
from t2t.tasks.kept import FILE, keep
from t2t.training.preparation import Prepared
from t2t.training.validation import BEST, best_weights


def start_directory(folder: Path, run_file: str, prepared: Prepared, trained_on: TrainedOn) -> None:
    """Write what the run is: run.yaml, what it trains on, and the records that it leaves out."""
    if distributed.rank():
        return
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "model.tmp", ignore_errors=True)  # of a process that was killed
    write_run_file(folder, run_file)
    trained_on.write(folder / "checkpoints", prepared.tokenizer)
    used = [(task, prepared.limit(index)) for index, task in enumerate(prepared.tasks)]
    prepared.bad.update(count_bad(folder, used, prepared.encoder.bad))
    for line in data_lines(prepared):
        print(line, flush=True)


def data_lines(prepared: Prepared) -> Iterator[str]:
    """A line for each task: its examples, its share, and what is cut or changed of them."""
    everything = sum(map(len, prepared.data))
    parts = zip(prepared.tasks, prepared.data, prepared.mixture.shares, strict=False)
    for index, (task, rows, share) in enumerate(parts):
        counts = prepared.encoder.counts[task.name]
        cuts = [f"{counts.prompts_cut} prompts cut"] if counts.prompts_cut else []
        cuts += [f"{counts.targets_cut} targets cut"] if counts.targets_cut else []
        cuts += [unsayable_summary(counts.targets, counts.characters)] if counts.targets_changed else []
        cuts += [f"{prepared.bad[task.name]} bad records set aside"] if prepared.bad.get(task.name) else []
        if _sees_one_target(prepared, index):
            cuts += [f"its first {prepared.limit(index):,} examples have one target: raise limit, or shuffle its file"]
        taken = share * everything
        cuts += [f"an epoch takes only about {taken:.1g} examples"] if taken < len(rows) / 100 else []
        yield f"{task.name:<28} {len(rows):>8} examples  {share:6.1%}  {', '.join(cuts)}".rstrip()
    if prepared.more:
        yield f"{'against forgetting':<28} {len(prepared.more):>8} examples  {prepared.mixture.shares[-1]:6.1%}"


def print_drawn(prepared: Prepared) -> None:
    for name, counts in prepared.drawn.items():
        if not distributed.rank() and (counts.prompts_cut or counts.targets_cut):
            cut = f"{counts.prompts_cut} prompts and {counts.targets_cut} targets cut"
            print(f"{name}: of {counts.n} rows encoded for what varies by epoch {cut}", flush=True)


def write_model(
    directory: Path,
    engine: TrainingEngine,
    model: Seq2Seq,
    prepared: Prepared,
    method: Method | None = None,
    base: tuple[str | None, str | None] = (None, None),
    best: Mapping[str, Json] | None = None,
    described: Mapping[str, Callable[[Seq2Seq], Json]] | None = None,
) -> None:
    """Write model/ with its tasks, whole and on disk, or not at all: the last weights, or those of the ``best``
    validation.

    What a PEFT ``method`` has trained is merged into a plain T5; where that cannot be, it is in model/ beside the
    T5 that it belongs to. adapter/ has it alone, and in the layout of peft where it has one. ``base``: the name of the
    model that it belongs to, and the hash of its weights. ``described``: what JSON files beside the weights say of the
    trained model, by their names; None is not written.
    """
    weights = engine.weights_for_use()
    if weights is None:
        distributed.patient_barrier()
        return
    if best is not None:
        weights = best_weights(directory, int(best["step"])) or weights
    fresh = model.copy_with(weights, lambda made: adapted(made, method))
    files = {name: say(fresh) for name, say in (described or {}).items()}
    if method is not None and method.apart:
        with whole_folder(directory / "adapter") as folder:
            save_adapter(fresh, method, folder, base[1])
            _write_tasks(folder, prepared, files)
            if method.portable:
                method.save(fresh, folder, base[0])
    if method is not None and method.merges:
        method.merge(fresh)
    with whole_folder(directory / "model") as folder:
        if method is not None and not method.merges:
            save_adapter(fresh, method, folder)
            fresh = model.copy_with(method.plain(weights))
        fresh.save(prepared.tokenizer, folder, prepared.lengths.target)
        _write_tasks(folder, prepared, files)
    shutil.rmtree(directory / BEST, ignore_errors=True)  # they are the model now
    distributed.patient_barrier()


def _write_tasks(folder: Path, prepared: Prepared, files: Mapping[str, Json]) -> None:
    """What a model's folder says of its tasks beside the weights."""
    kept = keep(prepared.known_and_new, prepared.lengths, __version__, prepared.target_tokens)
    (folder / FILE).write_text(kept, encoding="utf-8")
    for name, content in files.items():
        if content is not None:
            write_json(folder / name, content)


def _sees_one_target(prepared: Prepared, index: int) -> bool:
    """True where a limit leaves examples of a single target, as it does of a sorted file."""
    limit, rows = prepared.limit(index), prepared.data[index]
    if limit is None or not rows or prepared.tasks[index].token_task is not None:
        return False
    whole = len(rows) + len(prepared.held_out.get(index, ()))
    return whole >= limit > 1 and len({row.labels.tobytes() for row in rows}) == 1


def end_lines(directory: Path) -> Iterator[str]:
    """Where the model of a finished run is, what its best validation found, and what comes next."""
    yield model_line(directory)
    yield f"next: t2t generate --config {directory / 'run.yaml'}"


def model_line(directory: Path) -> str:
    """Where the model of a finished run, or stage, is, and what its best validation found."""
    file = directory / "facts.json"  # a run of stages has none: its stages have
    facts = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    best = f", best {facts['best']} at step {facts['best_step']}" if "best" in facts else ""
    return f"the model is in {directory / 'model'}{best}"


def write_facts(
    directory: Path,
    precision: Precision,
    prepared: Prepared,
    plan: Plan,
    model: Seq2Seq,
    end: Position,
    best: Mapping[str, Json] | None = None,
) -> None:
    """data.json: sizes, cuts, shares asked for and seen in training. facts.json: on what the run was made."""
    if distributed.rank():
        return
    write_json(directory / "data.json", task_facts(prepared, plan, end))
    versions = {"t2t": __version__, "torch": torch.__version__, "transformers": transformers.__version__}
    facts = {
        "parameters": sum(getattr(p, "ds_numel", p.numel()) for p in model.parameters().values()),
        "vocabulary": len(prepared.tokenizer),
        "steps": end.step,
        "tokens": end.tokens,
        **({} if best is None else {"best_step": best["step"], "best": f"{best['metric']} {best['value']:.4f}"}),
        "processes": distributed.world_size(),
        "precision": precision,
        "device": distributed.device_name(),
        "finished": time.strftime("%Y-%m-%d %H:%M"),
        "versions": versions | {"deepspeed": deepspeed_library.__version__},
    }
    write_json(directory / "facts.json", facts)


def task_facts(prepared: Prepared, plan: Plan, end: Position) -> dict[str, dict[str, Json]]:
    before, last = prepared.mixture.drawn_before(end.epoch), plan.taken(end.epoch, end.step_in_epoch)
    drawn = [int(count) + last[task] for task, count in enumerate(before)]
    facts: dict[str, dict[str, Json]] = {}
    for index, task in enumerate(prepared.tasks):
        found = prepared.encoder.counts[task.name]
        counts = found.to_json()
        shares = {"requested": float(prepared.mixture.shares[index]), "realised": drawn[index] / max(1, sum(drawn))}
        bad = {"bad_records": prepared.bad.get(task.name, 0)}
        facts[task.name] = {"version": task.version, "fingerprint": task.fingerprint, **counts, **bad, **shares}
        if found.targets_changed:
            facts[task.name]["unsayable"] = unsayable_summary(found.targets, found.characters)
        if task.name in prepared.drawn:
            drawn_counts = prepared.drawn[task.name].to_json()
            facts[task.name] |= {f"drawn_{name}": count for name, count in drawn_counts.items()}
    return facts
