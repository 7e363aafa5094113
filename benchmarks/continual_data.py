"""What benchmarks/continual.py trains on: CLINC150 by domain, and the sentences that its start learns English from."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import yaml

CLINC, SENTENCES, BANKING = "clinc", "clinc/sentences", "clinc/banking77"


def write_clinc(data: Path, out: Path) -> list[str]:
    """Lines of CLINC150 by domain and a template for each, below ``out``; gives the domains.

    The lines of a split are shuffled: the file has them by intent, and who takes the first hundred would see four of
    fifteen.
    """
    folder = out / "task_templates" / CLINC
    folder.mkdir(parents=True, exist_ok=True)
    splits = json.loads((data / "clinc150/data_full.json").read_text(encoding="utf-8"))
    domains = json.loads((data / "clinc150/domains.json").read_text(encoding="utf-8"))
    labels = {intent: intent.replace("_", " ") for own in domains.values() for intent in own}
    names = []
    for domain, intents in domains.items():
        name = domain.replace(" ", "_").replace("&", "and").lower()
        names.append(name)
        for split, ours in (("train", "train"), ("val", "valid"), ("test", "test")):
            rows = [{"text": text, "intent": intent} for text, intent in splits[split] if intent in intents]
            random.Random(0).shuffle(rows)
            _write(folder / f"{name}.{ours}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        files = {split: f"{name}.{split}.jsonl" for split in ("train", "valid", "test")}
        template = {
            "task": f"{CLINC}/{name}", "version": 1, "description": f"Intents of the domain {domain}.",
            "language": "en", "source": {"format": "jsonl", **files}, "fields": {"text": "text", "intent": "intent"},
            "prompt": "intent of: {text}", "target": {"label": labels, "gold": "intent"}, "metrics": ["accuracy"],
        }  # fmt: skip
        _write(folder / f"{name}.yaml", yaml.safe_dump(template, sort_keys=False))
    return names


def write_banking(data: Path, out: Path) -> None:
    """BANKING77 with its lines shuffled, for the same reason, and a template."""
    folder = out / "task_templates" / CLINC
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        with (data / f"banking77/{split}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        random.Random(0).shuffle(rows)
        _write(folder / f"banking77.{split}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    names = json.loads((data / "banking77/categories.json").read_text(encoding="utf-8"))
    template = {
        "task": BANKING, "version": 1, "description": "What a customer of a bank asks for.", "language": "en",
        "source": {"format": "jsonl", "train": "banking77.train.jsonl", "test": "banking77.test.jsonl"},
        "fields": {"text": "text", "category": "category"}, "prompt": "banking intent of: {text}",
        "target": {"label": {name: name.replace("_", " ") for name in names}, "gold": "category"},
        "metrics": ["accuracy"],
    }  # fmt: skip
    _write(folder / "banking77.yaml", yaml.safe_dump(template, sort_keys=False))


def _write(file: Path, text: str) -> None:
    """Write a file that is not there yet, so that strategies may be trained beside each other."""
    if not file.is_file():
        file.write_text(text)


def write_sentences(data: Path, out: Path) -> None:
    """What people say, one sentence a line (none of it is of CLINC150), and a template that hides spans of it."""
    folder = out / "task_templates" / CLINC
    folder.mkdir(parents=True, exist_ok=True)
    lines = sorted({" ".join(line.lower().split()) for line in _sentences(data)})
    random.Random(0).shuffle(lines)
    _write(folder / "sentences.jsonl", "".join(json.dumps({"text": line}) + "\n" for line in lines if line))
    template = {
        "task": SENTENCES, "version": 1, "description": "Hidden spans of what people say.", "language": "en",
        "source": {"format": "jsonl", "train": "sentences.jsonl"}, "fields": {"text": "text"},
        "token_task": {"span_corruption": {"of": "text", "noise": 0.2, "mean_span": 1.5, "anywhere": True}},
    }  # fmt: skip
    _write(folder / "sentences.yaml", yaml.safe_dump(template, sort_keys=False))


def _sentences(data: Path) -> Iterator[str]:
    """Utterances of dialogues, requests to assistants and banks, short sentences of language courses."""
    for line in (data / "tatoeba_en_zh/cmn.txt").read_text(encoding="utf-8").splitlines():
        yield line.split("\t")[0]
    yield from (data / "snips_slots/train/seq.in").read_text(encoding="utf-8").splitlines()
    with (data / "banking77/train.csv").open(encoding="utf-8", newline="") as file:
        yield from (row["text"] for row in csv.DictReader(file))
    for split in ("dev", "test"):
        for line in (data / f"dialogsum/dialogsum.{split}.jsonl").read_text(encoding="utf-8").splitlines():
            yield from (turn.partition(": ")[2] for turn in json.loads(line)["dialogue"].split("\n"))
    with gzip.open(data / "multi30k/train.en.gz", "rt", encoding="utf-8") as captions:
        yield from list(captions)[:10_000]
