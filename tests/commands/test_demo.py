"""What the demo says at its end."""

from __future__ import annotations

from typing import cast

from t2t.commands.demo import SENTENCES, found_in
from t2t.serving.model import Answer, Model
from t2t.structures import Span, Value


class Knows:
    """A model that finds the first word of each text."""

    tasks = ("atlas/ner_en", "atlas/ner_zh", "atlas/relation_en", "atlas/qa_en")

    def __call__(self, task: str, inputs: list[str]) -> list[Answer]:
        values: dict[str, Value] = {
            "atlas/ner_en": [
                {"text": Span(inputs[0].split()[0], 0, 2), "type": "city"},
                {"text": Span("x"), "type": "y"},
            ],
            "atlas/ner_zh": [],
            "atlas/relation_en": [{"head": Span("Oslo"), "pairs": [{"role": "guest", "text": Span("Chile")}]}],
        }
        return [Answer("1", values[task], (), 0.0, "", False, 1.0)]


def test_each_sentence_is_answered_by_the_tasks_of_its_language() -> None:
    lines = list(found_in(cast(Model, Knows()), ["Oslo Zoë", "北京是中国的首都。"]))
    assert lines == [
        "\nOslo Zoë",
        "  atlas/ner_en       text: Oslo, type: city ; text: x, type: y",
        "  atlas/relation_en  head: Oslo, pairs: role: guest, text: Chile",
        "\n北京是中国的首都。",
        "  atlas/ner_zh       nothing",
    ]
    assert len(SENTENCES) == 3
