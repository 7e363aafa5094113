"""Time and memory of ``t2t check`` on SNIPS-size records, through T5's vocabulary, on one core.

    python benchmarks/check_speed.py                                    # 10,000 and 100,000 records
    python benchmarks/check_speed.py --spiece spiece.model              # another SentencePiece model

Records are drawn from the training part of SNIPS (``T2T_DATA``) where it lies, with a number in each so that none
repeats; else they are made up, as long as those. Each size is checked in a process of its own. Memory: the growth of
the largest resident size over a check of 1,000 records in the same process. The bounds that are claimed: 100,000
records in 60 seconds, memory that does not grow with the records but for 8 bytes each.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from t2t.tasks.data_files import data_dir

TEMPLATE = """\
task: speed/snips
version: 1
source: {format: jsonl, train: %s}
fields: {text: text, intent: intent, slots: {bio: {tokens: text, tags: tags}}}
prompt: "snips: {text}"
target:
  as: "{intent} @ {slots}"
  fields:
    intent: {label: %s}
    slots:
      each: slots
      as: "{type} = {text}"
      fields: {type: {label: %s}, text: {span_of: text}}
metrics: [{accuracy: {of: intent}}, {span_f1: {over: slots, span: text, type: type}}]
"""
MADE_UP = (
    "play the number %d album by the band called Ada and friends",
    "O O B-track O O O O O O B-artist O O",
    "play",
)


def records() -> Iterator[dict[str, str]]:
    """Requests without end, each with a number of its own as its last word."""
    folder = data_dir() / "snips_slots" / "train"
    if folder.is_dir():
        files = [(folder / name).read_text(encoding="utf-8").splitlines() for name in ("seq.in", "seq.out", "label")]
        rows = list(zip(*files, strict=True))
    else:
        rows = [MADE_UP]
    for number, (text, tags, intent) in enumerate(cycle(rows)):
        yield {"text": f"{text} {number}", "tags": f"{tags} O", "intent": intent}


def write(folder: Path, count: int) -> Path:
    """A template over ``count`` records."""
    rows = list(islice(records(), count))
    intents = sorted({row["intent"] for row in rows})
    types = sorted({tag[2:] for row in rows for tag in row["tags"].split() if tag != "O"})
    (folder / f"{count}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path = folder / str(count) / "speed" / "snips.yaml"
    path.parent.mkdir(parents=True)
    source = folder / f"{count}.jsonl"
    path.write_text(TEMPLATE % (json.dumps(str(source)), json.dumps(intents), json.dumps(types)), encoding="utf-8")
    return path


def measure(first: str, template: str, tokenizer: str) -> None:
    """Print seconds and bytes as JSON. ``first`` warms up: what is loaded once does not count as growth."""
    from t2t.authoring.check import check

    check([first], Path(tokenizer))
    before, began = peak(), time.perf_counter()
    _, errors = check([template], Path(tokenizer), as_json=True)
    print(json.dumps({"seconds": time.perf_counter() - began, "bytes": peak() - before, "errors": errors}))


def peak() -> int:
    """The largest resident size so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run(count: int, folder: Path, first: Path, tokenizer: Path) -> dict[str, float]:
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--measure", str(first), str(write(folder, count)), str(tokenizer)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spiece", type=Path, default=data_dir() / "sentencepiece_models" / "t5" / "spiece.model")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(*arguments.measure)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer = folder / "t5"
        tokenizer.mkdir()
        (tokenizer / "spiece.model").write_bytes(arguments.spiece.read_bytes())
        (tokenizer / "config.json").write_text('{"model_type": "t5", "vocab_size": 32128}')
        first = write(folder, 1_000)
        for size in arguments.sizes:
            found = run(size, folder, first, tokenizer)
            grown = found["bytes"] / 1e6
            print(f"{size:>7} records  {found['seconds']:6.1f} s  {size / found['seconds']:8,.0f} a second  ", end="")
            print(f"memory grows by {grown:.1f} MB ({found['bytes'] / size:.0f} bytes a record)", flush=True)


if __name__ == "__main__":
    main()
