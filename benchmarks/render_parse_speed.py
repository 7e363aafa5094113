"""Rendering against compiled Jinja2 templates, and parsing with grounding, on one core, in one run.

    python benchmarks/render_parse_speed.py

Three shapes of task: one label, a list of mentions, an intent with slots (two lists in one). The peer renders the same
prompt and the same target from the same values, by one compiled template each, without escaping, checking or reading
back; ours escapes and checks. In the first run no value needs an escape, so that both give the same text (which is
asserted); in the second some mentions hold a mark, which only ours escapes. Prints processor time, the median of
several rounds that take turns.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jinja2

from t2t.linear.prompt import Prompt
from t2t.linear.target import Target
from t2t.structures import Json, Span, Value

LABELS = {f"type_{letter}": f"kind {letter}" for letter in "abcdefghijkl"}
SENTENCE = "add the song to my list called rainy days in Oslo for two people at nine tomorrow please find a table"
WORDS = SENTENCE.split()
MENTIONS: Json = {
    "each": "mentions", "as": "{type} = {text}", "between": " ; ", "empty": "none",
    "fields": {"type": {"label": LABELS}, "text": {"span_of": "text"}},
}  # fmt: skip
LOOP = (
    "{% for m in mentions %}{{ labels[m.type] }} = {{ m.text }}{% if not loop.last %} ; {% endif %}"
    "{% else %}none{% endfor %}"
)


@dataclass(frozen=True, slots=True)
class Shape:
    """One task in our language and in the peer's."""

    name: str
    target: Json
    peer: str
    value: Callable[[Mapping[str, Json]], Value]


SHAPES = [
    Shape("label", {"label": LABELS, "gold": "label"}, "{{ labels[label] }}", lambda record: record["label"]),
    Shape("mentions", MENTIONS, LOOP, lambda record: record["mentions"]),
    Shape(
        "label + mentions",
        {"as": "{label} @ {mentions}", "fields": {"label": {"label": LABELS}, "mentions": MENTIONS}},
        "{{ labels[label] }} @ " + LOOP,
        lambda record: {"label": record["label"], "mentions": record["mentions"]},
    ),
]


def records(count: int, mark: str = "") -> list[dict[str, Json]]:
    """Texts of 9 words on average and 2 to 3 mentions each, two words long; some hold ``mark``."""
    rng = random.Random(1)
    made = []
    for _ in range(count):
        words = rng.choices(WORDS, k=rng.randint(5, 13))
        if mark and rng.random() < 0.25:
            words[rng.randrange(len(words) - 1)] += mark
        starts = sorted(rng.sample(range(len(words) - 1), rng.randint(2, 3)))
        mentions = [{"type": rng.choice(list(LABELS)), "text": _span(words, start)} for start in starts]
        made.append({"text": " ".join(words), "label": rng.choice(list(LABELS)), "mentions": mentions})
    return made


def _span(words: list[str], start: int) -> Span:
    before = len(" ".join([*words[:start], ""]))
    text = " ".join(words[start : start + 2])
    return Span(text, before, before + len(text))


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(shape: Shape, rows: list[dict[str, Json]], rounds: int) -> tuple[float, float, float]:
    """Microseconds a record: ours rendering, the peer rendering, ours parsing."""
    prompt = Prompt("find slots in: {text}", lambda name, where: [], {}, "prompt")
    target = Target(shape.target, lambda path: "target")
    env = jinja2.Environment()
    peer_prompt, peer_target = env.from_string("find slots in: {{ text }}"), env.from_string(shape.peer)
    values = [shape.value(row) for row in rows]
    texts = [target.render(value, row) for value, row in zip(values, rows, strict=True)]
    peers = [{**row, "labels": LABELS, "mentions": [{**m, "text": m["text"].text} for m in row["mentions"]]}
             for row in rows]  # fmt: skip
    if not any("|" in text for text in texts):
        assert texts == [peer_target.render(row) for row in peers]
        assert [prompt.render(row, "") for row in rows] == [peer_prompt.render(row) for row in peers]
    assert [target.parse(text, row).ok for text, row in zip(texts, rows, strict=True)] == [True] * len(rows)

    def ours() -> None:
        for row, value in zip(rows, values, strict=True):
            prompt.render(row, "record")
            target.render(value, row, "record")

    def theirs() -> None:
        for row in peers:
            peer_prompt.render(row)
            peer_target.render(row)

    def parse() -> None:
        for row, text in zip(rows, texts, strict=True):
            target.parse(text, row)

    times = [[seconds(work) for work in (ours, theirs, parse)] for _ in range(rounds)]
    own, peer, parsing = (statistics.median(column) / len(rows) * 1e6 for column in zip(*times, strict=True))
    return own, peer, parsing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    titles = ("shape", "ours µs", "jinja2 µs", "ratio", "parsed a second")
    print("{:<26}  {:>8}  {:>9}  {:>6}  {:>15}".format(*titles))
    for marked in ("", ";"):
        rows = records(arguments.records, marked)
        for shape in SHAPES:
            own, peer, parsing = compare(shape, rows, arguments.rounds)
            name = shape.name + (", some escaped" if marked else "")
            print(f"{name:<26}  {own:8.2f}  {peer:9.2f}  {peer / own:6.1f}  {1e6 / parsing:15,.0f}")


if __name__ == "__main__":
    main()
