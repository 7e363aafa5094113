"""How long it takes to score 100,000 predictions of intents and slots, on one core.

    python benchmarks/scoring_speed.py

Records as in SNIPS (9 words, an intent, 2 to 3 slots) and a prediction line for each, one in five of them wrong or
unreadable, are written to a temporary folder; then ``evaluate`` is timed from the files to scores.json: records read,
outputs parsed and grounded, accuracy, slot F1 by offsets, joint accuracy, exact match, macro F1 and MCC of the intents,
the two health metrics, ceilings, and a bootstrap interval of each. Prints processor time.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from t2t.config.template import read_template
from t2t.evaluation.evaluate import evaluate, table
from t2t.structures import Json
from t2t.tasks.task import Task

INTENTS = [f"intent {letter}" for letter in "abcdefg"]
TYPES = [f"kind {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
SENTENCE = "add the song to my list called rainy days in Oslo for two people at nine tomorrow please find a table"
TEMPLATE = f"""\
task: speed/slots
version: 1
source: {{format: jsonl, test: test.jsonl, id_field: id}}
prompt: "slots: {{text}}"
target:
  as: "{{intent}} @ {{slots}}"
  fields:
    intent: {{label: {json.dumps(INTENTS)}}}
    slots:
      each: slots
      as: "{{type}} = {{text}}"
      fields: {{type: {{label: {json.dumps(TYPES)}}}, text: {{span_of: text}}}}
      between: " ; "
      empty: none
metrics:
  - accuracy: {{of: intent}}
  - span_f1: {{over: slots, span: text, type: type}}
  - joint_accuracy: {{over: slots}}
  - exact_match
  - macro_f1: {{of: intent}}
  - mcc: {{of: intent}}
"""


def record(rng: random.Random, number: int) -> dict[str, Json]:
    """A text with two or three slots of two words."""
    words = rng.choices(SENTENCE.split(), k=rng.randint(6, 12))
    slots = []
    for start in sorted(rng.sample(range(0, len(words) - 1, 2), rng.randint(2, 3))):
        place = len(" ".join([*words[:start], ""]))
        slots.append({"type": rng.choice(TYPES), "text": {"text": " ".join(words[start : start + 2]), "start": place}})
    return {"id": str(number), "text": " ".join(words), "intent": rng.choice(INTENTS), "slots": slots}


def spoiled(text: str, rng: random.Random) -> str:
    """One output in five loses its end, its mark, or has another intent or type."""
    wrong = rng.randrange(20)
    if wrong == 0:
        return text[: len(text) // 2]
    if wrong == 1:
        return text.replace("@", "", 1)
    if wrong == 2:
        return rng.choice(INTENTS) + text[text.index(" @") :]
    return text.replace("kind b", "kind c") if wrong == 3 else text


def write(folder: Path, count: int) -> Task:
    """A task, its records and their predictions."""
    rng = random.Random(1)
    path = folder / "speed" / "slots.yaml"
    path.parent.mkdir()
    path.write_text(TEMPLATE, encoding="utf-8")
    rows = (json.dumps(record(rng, number)) for number in range(count))
    (path.parent / "test.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    task = Task(read_template(path))
    predictions = folder / "predictions" / "speed" / "slots.jsonl"
    predictions.parent.mkdir(parents=True)
    with predictions.open("w", encoding="utf-8") as file:
        for example in task.examples("test"):
            text = spoiled(task.target_text(example), rng)
            line = {"id": example.id, "task": task.name, "prompt": task.prompt(example), "text": text, "score": -0.1}
            file.write(json.dumps({**line, "value": None, "issues": []}) + "\n")
    return task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        task = write(Path(folder), arguments.records)
        start = time.process_time()
        rows = evaluate(folder, [task], ["test"])
        taken = time.process_time() - start
    print(table(rows))
    print(f"{arguments.records:,} predictions: {taken:.1f} s")


if __name__ == "__main__":
    main()
