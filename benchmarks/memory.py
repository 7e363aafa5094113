"""Memory by the length of documents: what encoding and generation take beyond a start with short ones.

    python benchmarks/memory.py [--megabytes 64]

Each line is a process of its own: about as many megabytes of documents of one length, cut to 128 tokens, are encoded
for training, or answered by a model of random weights. Prints the largest resident size beyond that of the same with a
hundred documents of 100 characters.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

LENGTHS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
TEMPLATE = """\
task: demo/long
version: 1
source: {format: jsonl, train: long.jsonl}
prompt: "mood of: {text}"
shorten: {field: text}
target: {label: [glad, sad], gold: mood}
metrics: [accuracy]
"""


def make(folder: Path, length: int, count: int) -> None:
    (folder / "demo").mkdir(exist_ok=True)
    (folder / "demo" / "long.yaml").write_text(TEMPLATE)
    unit = "the storm closed the port and nobody came home "
    with (folder / "demo" / "long.jsonl").open("w") as file:
        for number in range(count):
            text = f"{number} " + unit * (length // len(unit))
            file.write(json.dumps({"text": text, "mood": ("glad", "sad")[number % 2]}) + "\n")


def encode(folder: Path) -> None:
    from t2t.data.encode import Encoder
    from t2t.model.tokenizer import load_tokenizer
    from t2t.tasks.task import load_task

    task = load_task(str(folder / "demo" / "long.yaml"))
    encoder = Encoder(load_tokenizer(folder / "model"), 128, 8)
    for _ in encoder.encode_many(task, task.examples("train"), task_index=0):
        pass


def answer(folder: Path) -> None:
    from t2t.commands.answer import Asked, answer_file

    asked = Asked(model=folder / "model", task=None, inputs=[str(folder / "demo" / "long.jsonl")])
    answer_file(asked, folder / "out.jsonl")


def prepare(folder: Path) -> None:
    from t2t.config.run import Lengths
    from t2t.model.backbone import build_from_scratch
    from t2t.model.tokenizer import train_tokenizer
    from t2t.tasks.kept import FILE, keep
    from t2t.tasks.task import load_task

    shape = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    tokenizer = train_tokenizer(["the storm closed the port and nobody came home ; mood of: glad sad"] * 20, 560)
    build_from_scratch(shape, len(tokenizer)).save(tokenizer, folder / "model", 8)
    make(folder, 100, 100)
    task = load_task(str(folder / "demo" / "long.yaml"))
    (folder / "model" / FILE).write_text(keep([task], Lengths(prompt=128, target=8), "0"), encoding="utf-8")


def peak(folder: Path, kind: str) -> float:
    """Megabytes that a process took at most."""
    command = [sys.executable, __file__, "--one", kind, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=64, help="of documents in each line")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="of a document, in characters")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        {"encode": encode, "answer": answer}[given.one[0]](Path(given.one[1]))
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        print(f"\n{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        start = {kind: peak(folder, kind) for kind in ("encode", "answer")}
        print("characters   documents   encoding, MB   generation, MB")
        for length in given.lengths:
            count = max(4, given.megabytes * 1_000_000 // length)
            make(folder, length, count)
            more = {kind: peak(folder, kind) - least for kind, least in start.items()}
            print(f"{length:>10,}  {count:>10,}  {more['encode']:>13,.0f}  {more['answer']:>15,.0f}", flush=True)


if __name__ == "__main__":
    main()
