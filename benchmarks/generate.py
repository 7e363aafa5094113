"""Answers a second: our engines against transformers' ``generate`` and raw CTranslate2, on a run's own test inputs.

    make demo && python benchmarks/generate.py --run runs/atlas          # the demo's model
    python benchmarks/generate.py --run runs/atlas --size small    # T5-small's shape, trained on its tasks
    python benchmarks/generate.py --run runs/atlas --json                # the last line is {"ratio": ..}

The inputs are prompts of all tasks of the run in a random order, and outputs end where the model ends them. Peers:
``generate`` on batches of 8 and of 32 in that order, padded to their longest, with the same limit; CTranslate2's
``translate_batch`` on the pieces of the prompts, sorted by length, as it is fastest: on a CPU in batches of 4,096
tokens, each core with its own, else of 32,768. All greedy. "auto" is ours with the check of each output and the second
decoding of those that are none of the language. Median of several rounds, in turns. The ratio is the faster of ours to
``generate`` in batches of 8. At the end outputs of batches of an eighth of the size are compared: how many differ, and
by how many nats the two tokens where they part differ, after the same prefix.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ctranslate2
import torch
import yaml
from generation_speed import DTYPES
from real_runs import train
from transformers import T5ForConditionalGeneration

from t2t.config.run import RunConfig, load_run
from t2t.data.encode import Encoder
from t2t.engine.distributed import device_name, has_gpu
from t2t.generation.generator import Decoding, Generator, Request
from t2t.runs.run_tasks import answering_tasks
from t2t.serving.conversion import convert
from t2t.serving.loading import load_generator, model_folder
from t2t.tasks.sources import data_dir

T5 = data_dir() / "sentencepiece_models" / "t5" / "spiece.model"
SMALL = {"d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6, "num_decoder_layers": 6, "num_heads": 8}
Answers = list[tuple[int, ...]]


def requests_of(run: RunConfig, generator: Generator, each: int) -> list[Request]:
    """The first test inputs of each task, in a random order."""
    encoder = Encoder(generator.tokenizer, run.lengths.prompt, run.lengths.target)
    found = []
    for task in answering_tasks(run.tasks, run.where):
        windows = [one for example in itertools.islice(task.examples("test"), each) for one in task.windows(example)]
        for window, (_, ids) in zip(windows, encoder.prompts(task, windows), strict=True):
            grammar = partial(task.grammar, window) if task.constrainable else None
            found.append(Request(f"{task.name} {window.id}", ids.tolist(), grammar))
    random.Random(1).shuffle(found)
    return found


def ours(generator: Generator, asked: Sequence[Request], decoding: Decoding) -> Answers:
    return [output.ids for output in generator.generate(asked, decoding)]


@torch.inference_mode()
def by_generate(model: T5ForConditionalGeneration, asked: Sequence[Request], limit: int, rows: int) -> Answers:
    found: Answers = []
    for start in range(0, len(asked), rows):
        prompts = [one.prompt_ids for one in asked[start : start + rows]]
        longest = max(map(len, prompts))
        padded = [[*prompt, *[0] * (longest - len(prompt))] for prompt in prompts]
        ids_bs = torch.tensor(padded, device=model.device)
        given = model.generate(
            input_ids=ids_bs, attention_mask=(ids_bs != 0).long(), max_new_tokens=limit, do_sample=False, num_beams=1
        )
        found += [tuple(row[: row.index(1) + 1] if 1 in row else row) for row in given[:, 1:].tolist()]
    return found


def parted(generator: Generator, asked: Sequence[Request], one: Answers, other: Answers) -> list[float]:
    """Of each output that differs between two plans, what the tokens where they part differ by, in nats."""
    found = []
    for request, first, second in zip(asked, one, other, strict=True):
        if first != second:
            place = next(n for n, pair in enumerate(itertools.zip_longest(first, second)) if pair[0] != pair[1])
            both = [ids[: place + 1] for ids in (first, second)]
            left, right = generator.engine.log_probabilities([request.prompt_ids] * 2, both)
            found.append(abs(left[-1] - right[-1]))
    return found


def raw(translator: ctranslate2.Translator, prompts: Sequence[list[str]], limit: int, tokens: int) -> int:
    """``prompts``: sorted already. Gives how many outputs there are."""
    found = translator.translate_batch(
        prompts, beam_size=1, max_decoding_length=limit, max_batch_size=tokens, batch_type="tokens"
    )
    return len(found)


def small_run(run: RunConfig, out: Path, updates: int) -> Path:
    """T5-small's shape and vocabulary, 60 M parameters, trained for so many updates on those tasks of a run that it has
    the characters of, so that its outputs end by themselves."""
    settings: dict[str, Any] = yaml.safe_load((run.directory / "run.yaml").read_text(encoding="utf-8"))
    settings |= {
        "run": "small",
        "tasks": [one for one in settings["tasks"] if "_zh" not in str(one)],
        "unsayable_share": 1.0,
        "model": {"from_scratch": {**SMALL, "gated": False}},
        "tokenizer": {"from": str(T5)},
        "schedule": {"name": "linear", "warmup": 20, "steps": updates},
        "deepspeed": "ds_configs/zero0.json",
        "checkpoint": {"every": 1000000, "keep": 1},
    }
    for key in ("validate", "best", "early_stopping", "log"):
        settings.pop(key, None)
    return train(out, settings)


def rounds(decoders: dict[str, Callable[[], Any]], count: int, inputs: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Outputs a second of each, the median, and what each gave."""
    speeds: dict[str, list[float]] = {name: [] for name in decoders}
    given = {name: decode() for name, decode in decoders.items()}  # warm
    for _ in range(count):
        for name, decode in decoders.items():
            began = time.perf_counter()
            decode()
            speeds[name].append(inputs / (time.perf_counter() - began))
    return {name: statistics.median(one) for name, one in speeds.items()}, given


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/atlas"), help="the folder of a run")
    parser.add_argument("--size", choices=("own", "small"), default="own")
    parser.add_argument("--updates", type=int, default=300, help="of the model of size small")
    parser.add_argument("--out", type=Path, default=Path("runs/generate"), help="where that model is")
    parser.add_argument("--each", type=int, default=100, help="inputs of each task")
    parser.add_argument("--precision", choices=DTYPES, default="fp32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    run = load_run(given.run / "run.yaml")
    if given.size == "small":
        given.out.mkdir(parents=True, exist_ok=True)
    folder = given.run
    if given.size == "small":
        folder = small_run(run, given.out.resolve(), given.updates)
        run = load_run(folder / "run.yaml")
    engines = {
        name: load_generator(folder, precision=given.precision, engine=name) for name in ("torch", "ctranslate2")
    }
    limit = run.lengths.target
    asked = requests_of(run, engines["torch"], given.each)
    free = [Request(one.id, one.prompt_ids) for one in asked]
    peer = T5ForConditionalGeneration.from_pretrained(model_folder(folder), dtype=DTYPES[given.precision])
    peer = peer.to("cuda" if has_gpu() else "cpu").eval()
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as place:
        convert(model_folder(folder), Path(place) / "converted")
        translator = ctranslate2.Translator(
            str(Path(place) / "converted"), device="cuda" if has_gpu() else "cpu",
            compute_type={"fp32": "float32", "bf16": "bfloat16"}[given.precision],
            inter_threads=1 if has_gpu() else threads, intra_threads=1,
        )  # fmt: skip
        torch.set_num_threads(threads)  # CTranslate2 has set it to one
    pieces = engines["torch"].tokenizer.convert_ids_to_tokens
    prompts = sorted((pieces(list(one.prompt_ids)) for one in asked), key=len, reverse=True)
    decoding = Decoding(limit)
    decoders = {
        "torch, never": partial(ours, engines["torch"], free, decoding),
        "torch, auto": partial(ours, engines["torch"], asked, decoding),
        "ctranslate2, never": partial(ours, engines["ctranslate2"], free, decoding),
        "ctranslate2, auto": partial(ours, engines["ctranslate2"], asked, decoding),
        "generate, 32 rows": partial(by_generate, peer, asked, limit, 32),
        "generate, 8 rows": partial(by_generate, peer, asked, limit, 8),
        "raw CTranslate2": partial(raw, translator, prompts, limit, 32768 if has_gpu() else 4096),
    }
    speeds, outputs = rounds(decoders, given.rounds, len(asked))
    lengths = [len(output) for output in outputs["torch, never"]]
    weights = sum(one.numel() for one in peer.parameters())
    print(f"{device_name()}; torch {torch.__version__}, ctranslate2 {ctranslate2.__version__}; {given.precision}")
    print(f"{weights / 1e6:.1f} M parameters, {len(asked)} inputs, outputs of {statistics.mean(lengths):.1f} tokens\n")
    print("| | outputs/s | against generate, 8 rows | equal to torch's |\n|---|---|---|---|")
    for name, speed in speeds.items():
        same = ""
        if isinstance(outputs[name], list) and name != "torch, never":
            same = f"{statistics.mean(a == b for a, b in zip(outputs[name], outputs['torch, never'], strict=True)):.1%}"
        print(f"| {name} | {speed:.1f} | {speed / speeds['generate, 8 rows']:.2f} | {same} |")
    smaller = ours(engines["torch"], free, Decoding(limit, engines["torch"].engine.batch_tokens // 8))
    gaps = parted(engines["torch"], free, outputs["torch, never"], smaller)
    print(f"\nIn batches of an eighth {len(gaps)} of {len(asked)} outputs differ", end="")
    print(f", where they part by at most {max(gaps):.1e} nats" if gaps else "")
    fastest = max(speeds["torch, never"], speeds["ctranslate2, never"])
    found = {
        "ratio": fastest / speeds["generate, 8 rows"],
        "to_32_rows": fastest / speeds["generate, 32 rows"],
        "to_raw_ctranslate2": speeds["ctranslate2, never"] / speeds["raw CTranslate2"],
        **{
            f"{name}_auto_to_never": speeds[f"{name}, auto"] / speeds[f"{name}, never"]
            for name in ("torch", "ctranslate2")
        },
    }
    if given.json:
        print(json.dumps(found))
    else:
        print("\n" + ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
