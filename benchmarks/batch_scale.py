"""A batch job from ten thousand to a million records: seconds and the largest memory of the command.

    python benchmarks/batch_scale.py [--counts 10000 100000 1000000] [--workers 1]

``t2t generate --input FILE --output FILE`` with a model of random weights that is as small as one can be, so that what
grows with the number of records is seen: reading, chunks, ids, joining. Records have 20 to 60 characters.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from t2t.config.run import Lengths
from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import train_tokenizer
from t2t.tasks.kept import FILE, keep
from t2t.tasks.task import load_task

WORDS = (
    "Ada",
    "Bo",
    "moved",
    "lives",
    "in",
    "Oslo",
    "Rome",
    "Lima",
    "since",
    "spring",
    "pays",
    "with",
    "euros",
    "daily",
)
SHAPE = {"d_model": 16, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}


def make_model(folder: Path) -> Path:
    """A model of one task, of random weights."""
    tokenizer = train_tokenizer([f"topic of: {' '.join(WORDS)} = language ; currency"] * 5, 600)
    folder.mkdir()
    build_from_scratch(SHAPE, len(tokenizer), 1).save(tokenizer, folder, 12)
    (folder / FILE).write_text(keep([load_task("atlas/topic_en")], Lengths(prompt=64, target=12), "0.1.0"))
    return folder


def write_records(file: Path, count: int) -> None:
    draw = random.Random(count)
    with file.open("w") as out:
        for number in range(count):
            text = " ".join(draw.choice(WORDS) for _ in range(draw.randint(4, 10)))
            out.write(json.dumps({"id": f"r{number}", "text": text}) + "\n")


def measure(folder: Path, model: Path, count: int, workers: int) -> tuple[float, float]:
    """Seconds, and megabytes of the process (of workers, of the largest)."""
    source, out = folder / f"{count}.jsonl", folder / f"{count}.out.jsonl"
    write_records(source, count)
    command = [
        sys.executable,
        "-m",
        "t2t",
        "generate",
        "--model",
        str(model),
        "--input",
        str(source),
        "--output",
        str(out),
    ]
    began = time.perf_counter()
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen([*command, "--workers", str(workers)], stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit((folder / "said.txt").read_text()[-2000:])
    with out.open() as lines:
        answers = sum(1 for _ in lines)
    if answers != count:
        raise SystemExit(f"{answers} answers for {count} records")
    out.unlink()
    source.unlink()
    return seconds, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    print("| records | seconds | records a second | MB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = make_model(folder / "model")
        for count in given.counts:
            seconds, megabytes = measure(folder, model, count, given.workers)
            print(f"| {count:,} | {seconds:.1f} | {count / seconds:,.0f} | {megabytes:.0f} |", flush=True)


if __name__ == "__main__":
    main()
