"""A tiny model whose label hangs on one word of the text, trained on the spot.

Texts without such a word are plain, so that a text of padding is no reason for glad or sad.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import torch
from torch.nn import functional

from t2t.config.run import Lengths
from t2t.config.template import read_template
from t2t.model.backbone import build_from_scratch
from t2t.model.seq2seq import IGNORED
from t2t.model.tokenizer import encode_texts, train_tokenizer
from t2t.tasks.kept import FILE, keep
from t2t.tasks.task import Task

MOODS = {"乐": "glad", "喜": "glad", "悲": "sad", "雨": "sad"}  # a token each
OTHERS = ["the", "a", "old", "we", "saw", "and", "then", "it", "was", "here", "of", "in"]
TEMPLATE = """\
task: mood/line
version: 1
source: {format: jsonl, train: train.jsonl}
prompt: "mood of: {text}"
target: {label: [glad, sad, plain], gold: mood}
metrics: [accuracy]
"""
STEPS, ROWS = 350, 32


def lines(seed: int, count: int) -> list[tuple[str, str]]:
    """Texts of six words with the word that each hangs on, which stands anywhere."""
    drawn, found = Random(seed), []
    for _ in range(count):
        word, words = drawn.choice(list(MOODS)), drawn.choices(OTHERS, k=5)
        words.insert(drawn.randrange(6), word)
        found.append((" ".join(words), word))
    return found


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moods")
    template = folder / "mood" / "line.yaml"
    template.parent.mkdir()
    template.write_text(TEMPLATE)
    known = lines(1, 1000)
    rows = [(f"mood of: {text}", MOODS[word]) for text, word in known]
    rows += [(f"mood of: {text.replace(word, 'we')}", "plain") for text, word in known[:500]]
    written = (json.dumps({"text": prompt, "mood": mood}) + "\n" for prompt, mood in rows)
    (template.parent / "train.jsonl").write_text("".join(written))
    tokenizer = train_tokenizer([" ".join(row) for row in rows], 700)
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    t5 = build_from_scratch(sizes, len(tokenizer))
    optimizer, drawn = torch.optim.Adam(t5.module.parameters(), lr=3e-3), Random(2)
    for _ in range(STEPS):
        some = drawn.sample(rows, ROWS)
        ids, labels = (padded(encode_texts(tokenizer, texts), t5.ids.pad) for texts in zip(*some, strict=True))
        labels = labels.masked_fill(labels == t5.ids.pad, IGNORED)
        batch = {"input_ids": ids, "attention_mask": (ids != t5.ids.pad).long(), "labels": labels}
        loss = functional.cross_entropy(t5.logits_of(batch).transpose(1, 2), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    t5.save(tokenizer, folder, 8)
    (folder / FILE).write_text(keep([Task(read_template(template))], Lengths(prompt=64, target=8), "0.1.0"))
    return folder


def padded(rows: list[list[int]], pad: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
