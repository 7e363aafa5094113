"""Continual learning on real data: how much each strategy keeps, and what it costs.

    python benchmarks/continual.py domains --out DIR                 # CLINC150 in ten stages, three orders
    python benchmarks/continual.py domains --out DIR --strategies sequential replay --orders 1
    python benchmarks/continual.py trials --out DIR                  # three settings of each, by validation
    python benchmarks/continual.py tasks --out DIR                   # five families of tasks, one after the other
    python benchmarks/continual.py overhead --out DIR                # time a step and memory against sequential
    python benchmarks/continual.py domains --out DIR --toy           # each at toy size, in a minute or two

domains: CLINC150 is cut into its ten domains of 15 intents, learned one after the other in text form: the prompt is the
same and the model may say any of the 150 intents at any time (class-incremental). All strategies start from one model,
trained here on other data: hidden spans of what people say, and BANKING77. overhead takes the first two stages of that.
tasks: slots, intents, names, descriptions and translation, from random weights. Each line of DIR/TABLE.jsonl is one
strategy and order; a table that was killed goes on. At the end it is printed as RESULTS.md has it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from continual_data import BANKING, SENTENCES, write_banking, write_clinc, write_sentences
from continual_runs import (
    Cost,
    as_table,
    common,
    learned,
    matrix_of,
    run,
    seconds_a_step,
    spread,
    staged,
)
from continual_ways import TRIALS, Way

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("T2T_SHARED", ROOT.parent / "shared"))
STRATEGIES: dict[str, Way] = {name: ways[0] for name, ways in TRIALS.items()}
SHAPE = {"d_model": 128, "d_kv": 32, "d_ff": 384, "num_layers": 2, "num_decoder_layers": 1, "num_heads": 4}
LENGTHS = {"prompt": 64, "target": 16}
FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("slots", {"task": "slots/snips_inline"}),
    ("intents", {"task": BANKING}),
    ("names", {"task": "wnut17/ner"}),
    ("descriptions", {"task": "e2e_nlg/text", "limit": 4000}),
    ("translation", {"task": "tatoeba/en-zh", "limit": 4000}),
]
TRIED = 9  # the order of the domains that settings are tried on
Line = dict[str, Any]


def start(out: Path, given: argparse.Namespace) -> Path:
    """The model that all strategies start from, with its folder in ``out``."""
    made = Path("runs/start/model")
    if not (out / made).is_dir():
        write_sentences(SHARED / "data", out)
        settings = {
            **common(given.toy),
            "tasks": [{"task": SENTENCES, "weight": 2}, {"task": "classification/banking77", "weight": 1}],
            "tokenizer": {"vocab_size": 4000, "sample": 500 if given.toy else 30000},
            "model": {"from_scratch": {**SHAPE, "init": "copy"}},
            "lengths": {"prompt": 96, "target": 40},
            "batch": {"tokens": 1800, "micro_batches": 1},
            "schedule": {"steps": 10 if given.toy else 2400, "warmup": 10 if given.toy else 100},
        }
        if given.toy:
            settings["tasks"] = [{**task, "limit": 500} for task in settings["tasks"]]
        run(out, "start", settings)
    return made


def domain(
    out: Path, given: argparse.Namespace, names: list[str], model: Path, name: str, order: int, few: int,
    trial: int = 0,
) -> tuple[str, Cost]:  # fmt: skip
    """Train one strategy on ``few`` domains in one order; gives the name of the run and what it took."""
    chosen = random.Random(order).sample(names, len(names))[:few]
    stages = [(one, [{"task": f"clinc/{one}"}]) for one in chosen]
    settings = {
        **common(given.toy),
        **staged(TRIALS[name][trial], stages, given.steps),
        "seed": order,
        "model": {"from": str(model), "dropout": 0.1},
        "lengths": LENGTHS,
        "batch": {"tokens": 1200, "micro_batches": 1},
    }
    if given.table == "trials":
        settings["generate"] = {**settings["generate"], "splits": ["valid"]}
    label = f"{name.replace(' ', '-')}-{order}-{few}-{trial}"
    return label, run(out, label, settings)


def domains(out: Path, given: argparse.Namespace, name: str, order: int) -> Line:
    """A line of the table of CLINC150 by domain."""
    names, model = write_clinc(SHARED / "data", out), start(out, given)
    label, cost = domain(out, given, names, model, name, order, 3 if given.toy else len(names))
    matrix = matrix_of(out, label)
    whole = {} if STRATEGIES[name].gathers else {"learned": learned(matrix)}
    return {**asdict(cost), **matrix["summary"], **whole, "matrix": matrix}


def trials(out: Path, given: argparse.Namespace, name: str, order: int) -> Line:
    """A line of the table of settings: ``order`` is the number of the trial, all are of the same domains."""
    names, model = write_clinc(SHARED / "data", out), start(out, given)
    label, cost = domain(out, given, names, model, name, TRIED, 2 if given.toy else 5, order)
    matrix = matrix_of(out, label)
    whole = {} if STRATEGIES[name].gathers else {"learned": learned(matrix)}
    return {**asdict(cost), **matrix["summary"], **whole, "way": asdict(TRIALS[name][order])}


def families(out: Path, given: argparse.Namespace, name: str, order: int) -> Line:
    """A line of the table of five families of tasks."""
    write_banking(SHARED / "data", out)
    limit = {"limit": 60} if given.toy else {}
    stages = [(stage, [{**task, **limit}]) for stage, task in FAMILIES]
    if order:
        random.Random(order).shuffle(stages)
    stages = stages[: 2 if given.toy else None]
    settings = {
        **common(given.toy),
        **staged(replace(STRATEGIES[name], rate=2.0e-2), stages, given.steps),
        "seed": order,
        "tokenizer": {"vocab_size": 8000, "sample": 100 if given.toy else 4000},
        "model": {"from_scratch": {**SHAPE, "init": "copy", "dropout": 0.1}},
        "lengths": {"prompt": 192, "target": 96},
        "batch": {"tokens": 2400, "micro_batches": 1},
    }
    label = f"families-{name.replace(' ', '-')}-{order}"
    cost = run(out, label, settings)
    matrix = matrix_of(out, label)
    last = dict(zip(matrix["tasks"], matrix["scores"][-1], strict=True))
    return {**asdict(cost), **matrix["summary"], "last": last}


def overhead(out: Path, given: argparse.Namespace, name: str, order: int) -> Line:
    """A line of the table of costs: of the second of two stages, for which there is something to remember."""
    names, model = write_clinc(SHARED / "data", out), start(out, given)
    label, cost = domain(out, given, names, model, name, order, 2)
    last = sorted((out / "runs" / label / "stages").iterdir())[-1]
    kept = sum(file.stat().st_size for file in (last / "continual").rglob("*") if file.is_file())
    step = seconds_a_step(out, label, last.name)
    return {**asdict(cost), "step": step, "kept": kept / 1e6}


def table_of_domains(lines: list[Line]) -> str:
    upper = [line["accuracy"] for line in lines if line["strategy"] == "joint"]
    heading = ["strategy", "accuracy", "share of joint", "learned", "forgetting", "BWT", "orders", "seconds"]
    rows = []
    for name, own in _by_strategy(lines):
        keys = ("accuracy", "learned", "forgetting", "backward")
        accuracy, *others = (spread([line.get(key) for line in own]) for key in keys)
        share = f"{_mean(own, 'accuracy') / (sum(upper) / len(upper)):.0%}" if upper else ""
        rows.append([name, accuracy, share, *others, str(len(own)), f"{_mean(own, 'seconds'):.0f}"])
    return as_table(heading, rows)


def table_of_trials(lines: list[Line]) -> str:
    rows = []
    for name, own in _by_strategy(lines):
        for line in own:
            way = line["way"]
            said = ", ".join(f"{key}: {value}" for key, value in way["continual"].items() if key != "strategy")
            figures = [
                f"{line[key]:.3f}" if line.get(key) is not None else "" for key in ("accuracy", "learned", "forgetting")
            ]
            rows.append([name, said, f"{way['rate']:g}", *figures])
    return as_table(["strategy", "settings", "rate", "accuracy", "learned", "forgetting"], rows)


def table_of_families(lines: list[Line]) -> str:
    tasks = list(lines[0]["last"])
    rows = []
    for name, own in _by_strategy(lines):
        each = [spread([line["last"][task] for line in own]) for task in tasks]
        totals = [spread([line[key] for line in own]) for key in ("accuracy", "forgetting")]
        rows.append([name, *each, *totals, f"{_mean(own, 'seconds'):.0f}"])
    return as_table(["strategy", *tasks, "accuracy", "forgetting", "seconds"], rows)


def table_of_costs(lines: list[Line]) -> str:
    base = next((own for name, own in _by_strategy(lines) if name == "sequential"), None)
    rows = []
    for name, own in _by_strategy(lines):
        more = [_mean(own, key) - (_mean(base, key) if base else 0.0) for key in ("step", "megabytes")]
        step = f"{more[0] / _mean(base, 'step'):+.0%}" if base else ""
        times = [f"{1000 * _mean(own, 'step'):.0f}", step, f"{_mean(own, 'megabytes'):.0f}", f"{more[1]:+.0f}"]
        rows.append([name, *times, f"{_mean(own, 'kept'):.1f}", f"{_mean(own, 'processor'):.0f}"])
    heading = [
        "strategy",
        "ms a step",
        "against sequential",
        "memory, MB",
        "against sequential",
        "kept on disk, MB",
        "seconds",
    ]
    return as_table(heading, rows)


def _by_strategy(lines: list[Line]) -> list[tuple[str, list[Line]]]:
    known = {name: [line for line in lines if line["strategy"] == name] for name in STRATEGIES}
    return [(name, own) for name, own in known.items() if own]


def _mean(lines: list[Line], key: str) -> float:
    return sum(line[key] for line in lines) / len(lines)


Measure = Callable[[Path, argparse.Namespace, str, int], Line]
TABLES: Mapping[str, tuple[Measure, Callable[[list[Line]], str]]] = {
    "trials": (trials, table_of_trials),
    "domains": (domains, table_of_domains),
    "tasks": (families, table_of_families),
    "overhead": (overhead, table_of_costs),
}
FROM_RANDOM = ("sequential", "joint", "replay", "ewc", "online ewc", "l2", "lwf", "averaging", "generative")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, help="by default all that go with the table")
    parser.add_argument("--orders", type=int, help="by default 3 of domains (and of trials: settings), else 1")
    parser.add_argument("--steps", type=int, help="of a stage; by default 100, of tasks 150")
    parser.add_argument("--toy", action="store_true")
    given = parser.parse_args()
    given.strategies = given.strategies or list(FROM_RANDOM if given.table == "tasks" else STRATEGIES)
    given.orders = given.orders or (3 if given.table in ("trials", "domains") and not given.toy else 1)
    given.steps = given.steps or (10 if given.toy else 150 if given.table == "tasks" else 100)
    return given


def main() -> None:
    given = arguments()
    out = given.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    measure, table = TABLES[given.table]
    file = out / f"{given.table}.jsonl"
    lines: list[Line] = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
    for order in range(given.orders):
        for name in given.strategies:
            if any((line["strategy"], line["order"]) == (name, order) for line in lines):
                continue
            lines.append({"strategy": name, "order": order, **measure(out, given, name, order)})
            with file.open("a") as added:
                added.write(json.dumps(lines[-1]) + "\n")
            told = {key: value for key, value in lines[-1].items() if key != "matrix"}
            print(json.dumps(told), flush=True)
    print(table(lines))


if __name__ == "__main__":
    main()
