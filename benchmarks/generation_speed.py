"""Generated tokens a second: our torch engine against transformers' ``generate``, in one run.

    python benchmarks/generation_speed.py                                   # toy size, for a CPU
    python benchmarks/generation_speed.py --size base --precision bf16      # for a GPU
    python benchmarks/generation_speed.py --engines torch ctranslate2       # the other engine beside it

Both decode greedily with the same T5 of random weights, whose outputs therefore never end before the limit, from the
same prompts (log-normal lengths of median 40, sigma 0.6), sorted by length. Ours takes batches by a budget of tokens,
the peer ``--rows`` prompts at once. Prints the median of several rounds, alternating, and the share of equal outputs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from train_speed import SIZES, VOCABULARY
from transformers import PreTrainedTokenizerFast, T5ForConditionalGeneration

from t2t.engine.distributed import has_gpu
from t2t.generation.ctranslate2_engine import CTranslate2Engine
from t2t.generation.generator import Decoding, Generator, Request
from t2t.generation.torch_engine import TorchEngine
from t2t.model.backbone import build_from_scratch
from t2t.model.seq2seq import Seq2Seq
from t2t.model.tokenizer import train_tokenizer
from t2t.serving.conversion import convert

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def prompts(count: int, vocabulary: int) -> list[list[int]]:
    """Random prompts with the lengths of the module's docstring, EOS last."""
    random = np.random.default_rng(1)
    sizes = np.clip(np.exp(random.normal(np.log(40), 0.6, count)), 4, 256).astype(int)
    return [[*random.integers(3, vocabulary, size - 1).tolist(), 1] for size in sizes]


def ours(engine: Generator, asked: list[list[int]], tokens: int, batch_tokens: int | None) -> list[tuple[int, ...]]:
    requests = [Request(str(number), ids) for number, ids in enumerate(asked)]
    return [output.ids for output in engine.generate(requests, Decoding(tokens, batch_tokens))]


@torch.inference_mode()
def peer(model: T5ForConditionalGeneration, asked: list[list[int]], tokens: int, rows: int) -> list[tuple[int, ...]]:
    """What ``generate`` gives, batch by batch over the sorted prompts."""
    order = sorted(range(len(asked)), key=lambda number: len(asked[number]))
    found: dict[int, tuple[int, ...]] = {}
    for start in range(0, len(order), rows):
        batch = order[start : start + rows]
        longest = max(len(asked[number]) for number in batch)
        padded = [asked[number] + [0] * (longest - len(asked[number])) for number in batch]
        ids_bs = torch.tensor(padded, device=model.device)
        given = model.generate(
            input_ids=ids_bs, attention_mask=(ids_bs != 0).long(), max_new_tokens=tokens, do_sample=False, num_beams=1
        )
        for number, row in zip(batch, given[:, 1:].tolist(), strict=True):
            found[number] = tuple(row[: row.index(1) + 1] if 1 in row else row)
    return [found[number] for number in range(len(asked))]


def by_ctranslate2(model: Seq2Seq, precision: str) -> CTranslate2Engine:
    """The engine over a conversion of ``model``, with a tokenizer of as many pieces."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel({f"p{number}": number for number in range(model.vocabulary)}, "p2")),
        pad_token="p0",
        eos_token="p1",
        unk_token="p2",
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model.save(tokenizer, place / "model")
        convert(place / "model", place / "converted")
        compute = {"fp32": "float32", "bf16": "bfloat16", "int8": "int8"}[precision]
        return CTranslate2Engine(place / "converted", model.ids, lambda: TorchEngine(model), compute=compute)


def timed(decode: Callable[[], list[tuple[int, ...]]]) -> tuple[float, list[tuple[int, ...]]]:
    """Tokens a second, and the outputs."""
    began = time.perf_counter()
    found = decode()
    return sum(map(len, found)) / (time.perf_counter() - began), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="toy")
    parser.add_argument("--precision", choices=DTYPES, default="fp32")
    parser.add_argument("--prompts", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=64, help="of each output")
    parser.add_argument("--batch-tokens", type=int, help="of ours; by default as the engine says")
    parser.add_argument("--rows", type=int, default=32, help="of the peer's batches")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="+", choices=("torch", "ctranslate2", "ctranslate2-int8"), default=["torch"])
    given = parser.parse_args()
    device, dtype = "cuda" if has_gpu() else "cpu", DTYPES[given.precision]
    model = build_from_scratch({**SIZES[given.size], "init": "t5"}, VOCABULARY[given.size])
    engine = Generator(TorchEngine(model, device, dtype), train_tokenizer(["words of a text"] * 20, 600))
    asked = prompts(given.prompts, VOCABULARY[given.size])
    others = {
        name: Generator(by_ctranslate2(model, "int8" if name.endswith("int8") else given.precision), engine.tokenizer)
        for name in given.engines
        if name != "torch"
    }
    decoders = {
        "ours": lambda: ours(engine, asked, given.tokens, given.batch_tokens),
        **{name: partial(ours, other, asked, given.tokens, given.batch_tokens) for name, other in others.items()},
        "peer": lambda: peer(model.module, asked, given.tokens, given.rows),
    }
    for name, decode in decoders.items():
        print(f"warming up, {name}: {timed(decode)[0]:,.0f} tokens/s", flush=True)  # seen also if the rest is cut short
    speeds: dict[str, list[float]] = {name: [] for name in decoders}
    outputs = {}
    for _ in range(given.rounds):
        for name, decode in decoders.items():
            speed, outputs[name] = timed(decode)
            speeds[name].append(speed)
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    equal = sum(one == other for one, other in zip(outputs["ours"], outputs["peer"], strict=True)) / len(asked)
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"{where}; torch {torch.__version__}, transformers {transformers.__version__}; {given.size}")
    print(f"{given.precision}: ours {medians['ours']:,.0f}, peer {medians['peer']:,.0f} tokens/s, ", end="")
    print(f"ratio {medians['ours'] / medians['peer']:.2f}; {equal:.1%} of the outputs equal")
    for name in others:
        equal = sum(one == other for one, other in zip(outputs["ours"], outputs[name], strict=True)) / len(asked)
        ratio = medians[name] / medians["ours"]
        print(f"{name}: {medians[name]:,.0f} tokens/s, {ratio:.2f} times torch; {equal:.1%} equal")


if __name__ == "__main__":
    main()
