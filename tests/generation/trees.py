"""Targets of many kinds, with a tokenizer and the masks of their grammars."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import HealthCheck, settings
from transformers import PreTrainedTokenizerFast

from t2t.generation.constrain import Constrainer
from t2t.linear.grammar import Grammar
from t2t.linear.parsed import Parsed
from t2t.linear.target import Target
from t2t.model.backbone import T5_IDS
from t2t.model.tokenizer import load_tokenizer, train_tokenizer
from t2t.structures import Json
from t2t.tasks.sources import data_dir

LABELS = {"per": "person", "loc": "location", "creative-work": "creative work"}
SENTENCE = "Ada Lovelace met Ada ; in  Paris = café | 北京 ．\u0301 İ \n \u2581 \ufdd0 #2 none 😀"
CHINESE = "北京大学的王明明去了上海；她很高兴。"
WHERE = {"text": SENTENCE, "zh": CHINESE, "options": ["a ; b", "二", "none", ""], "nothing": ""}


def strict(parsed: Parsed) -> bool:
    """True for what masks may let through: they do not know which places were said, so one may be said twice."""
    return {issue.kind for issue in parsed.issues} <= {"duplicate"}


def target(spec: Json) -> Target:
    return Target(spec, lambda path: "t.yaml:1")


def spans(field: str, **more: Json) -> Json:
    fields = {"text": {"span_of": field, **more}, "type": {"label": LABELS}}
    return {"each": "mentions", "as": "{text} = {type}", "between": " ; ", "fields": fields}


TREES = {
    "spans": target(spans("text")),
    "numbered": target(spans("text", repeat="number")),
    "chinese": target(spans("zh", repeat="number") | {"empty": "无"}),
    "label": target({"label": LABELS, "gold": "x", "absent": "unknown"}),
    "labels": target({"labels": LABELS, "gold": "x"}),
    "number": target({"number": 2, "gold": "x"}),
    "letter": target({"choice": "options", "gold": "x"}),
    "option": target({"choice": "options", "by": "text", "gold": "x"}),
    "text": target({"text": None, "gold": "x", "absent": "none"}),
    "events": target({
        "each": "events", "as": "{trigger} @ {type} @ {note} @ {args}", "between": " / ",
        "fields": {
            "trigger": {"span_of": "text"}, "type": {"label": LABELS}, "note": {"text": None},
            "args": {
                "each": "args", "as": "( {role} = {text} )", "between": " , ",
                "fields": {"role": {"label": LABELS}, "text": {"span_of": "zh", "absent": "unknown"}},
            },
        },
    }),
}  # fmt: skip
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
T5 = data_dir() / "sentencepiece_models" / "t5" / "spiece.model"


@cache
def trained() -> PreTrainedTokenizerFast:
    return train_tokenizer(
        ["find names in: Ada Lovelace met = person ; location", "北京 上海 creative work none"] * 5, 700
    )


@cache
def constrainer() -> Constrainer:
    return Constrainer(trained())


@cache
def grammar(name: str) -> Grammar:
    return TREES[name].grammar(WHERE)


with_t5 = pytest.mark.skipif(not T5.exists(), reason=f"T5's vocabulary is not there: {T5}")
both_sizes = pytest.mark.parametrize("rows", [None, 32128])


@cache
def t5(rows: int | None) -> tuple[PreTrainedTokenizerFast, Constrainer]:
    tokenizer = load_tokenizer(T5, rows)
    return tokenizer, Constrainer(tokenizer)


EOS = T5_IDS.end
