"""Labels, mentions, relations, events, state: what is right, what is wrong, what counts nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2t.errors import TemplateError
from t2t.linear.parsed import Issue, Parsed
from t2t.metrics import build_metrics, health_metrics, segments
from t2t.structures import Json, Span, Value

ValueOf = Callable[..., float]
UNREAD = Parsed(None, (Issue("unknown_label", "", "?"),))

NER = {"span_f1": {"over": "mentions", "span": "text", "type": "type"}}
NER_STRING = {"span_f1_string": {"over": "mentions", "span": "text", "type": "type"}}
STATE = {"joint_accuracy": {"over": "state"}}
EVENT = {"over": "events", "trigger": "trigger", "type": "type", "args": "args", "role": "role", "text": "text"}


def mention(text: str, start: int, kind: str) -> dict[str, Value]:
    return {"text": Span(text, start, start + len(text)), "type": kind}


def event(kind: str, trigger: str, *args: tuple[str, str]) -> dict[str, Value]:
    return {"type": kind, "trigger": Span(trigger), "args": [{"role": role, "text": Span(text)} for role, text in args]}


def test_accuracy_reads_a_path_and_scores_what_cannot_be_read_as_wrong(value_of: ValueOf) -> None:
    pairs: list[tuple[Value, Value | Parsed]] = [
        ({"intent": "a", "n": 1}, {"intent": "a", "n": 2}),
        ({"intent": "a", "n": 1}, {"n": 1}),
        ({"intent": None, "n": 1}, {"intent": None, "n": 1}),
        ({"intent": None, "n": 1}, UNREAD),
    ]
    assert value_of({"accuracy": {"of": "intent"}}, pairs) == 0.5
    assert value_of("exact_match", pairs) == 0.25


def test_null_is_an_answer_but_an_unreadable_output_is_not(value_of: ValueOf) -> None:
    assert value_of("accuracy", [(None, None)]) == 1.0
    assert value_of("accuracy", [(None, UNREAD)]) == 0.0
    assert value_of("squad_em", [(None, None)]) == 1.0
    assert value_of("squad_f1", [(None, UNREAD)]) == 0.0


def test_exact_match_compares_spans_by_text_and_refuses_dropped_parts(value_of: ValueOf) -> None:
    gold: Value = [mention("Oslo", 3, "place")]
    assert value_of("exact_match", [(gold, [mention("Oslo", 9, "place")])]) == 1.0
    assert value_of("exact_match", [(gold, Parsed(gold, (Issue("missing_mark", "", "x"),)))]) == 0.0
    assert value_of("exact_match", [(gold, Parsed(gold, (Issue("fuzzy", "text", "x"),)))]) == 1.0


def test_a_label_is_right_if_it_equals_any_reference() -> None:
    for name in ("accuracy", "macro_f1"):
        (metric,) = build_metrics([name], "x", "en")
        stats = segments(metric, [(["a", "b"], Parsed("b")), (["a"], Parsed("a"))]).sum(axis=0)
        assert metric.total(stats) == 1.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1, max_size=30))
def test_macro_f1_equals_scikit_learn(value_of: ValueOf, pairs: list[tuple[str, str]]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    expected = sklearn.f1_score([g for g, _ in pairs], [f for _, f in pairs], average="macro", zero_division=0)
    assert value_of("macro_f1", pairs) == pytest.approx(expected)


def test_macro_f1_does_not_make_a_class_of_unreadable_outputs(value_of: ValueOf) -> None:
    assert value_of("macro_f1", [("a", "a"), ("a", UNREAD), ("b", "b")]) == pytest.approx((2 / 3 + 1) / 2)


def test_empty_examples_count_nothing(value_of: ValueOf) -> None:
    pairs: list[tuple[Value, Value | Parsed]] = [([], [])] * 9 + [([mention("A", 0, "x")], [mention("B", 0, "x")])]
    assert value_of(NER_STRING, pairs) == 0.0
    assert value_of(NER_STRING, [([], [])]) == 1.0


def test_a_missed_duplicate_lowers_f1(value_of: ValueOf) -> None:
    twice: Value = [mention("A", 0, "x"), mention("A", 4, "x")]
    assert value_of(NER_STRING, [(twice, [mention("A", 0, "x")])]) == pytest.approx(2 / 3)
    doubled: Value = [mention("A", 0, "x"), mention("A", 0, "x")]
    assert value_of(NER, [([mention("A", 0, "x")], doubled)]) == pytest.approx(2 / 3)


def test_offsets_count_only_where_asked(value_of: ValueOf) -> None:
    gold: Value = {"mentions": [mention("A", 4, "x")]}
    found: Value = {"mentions": [mention("A", 0, "x")]}
    assert value_of(NER, [(gold, found)]) == 0.0
    assert value_of(NER_STRING, [(gold, found)]) == 1.0
    ungrounded: Value = {"mentions": [{"text": Span("A", found="absent"), "type": "x"}]}
    assert value_of(NER, [(gold, ungrounded)]) == 0.0


def test_an_unreadable_list_misses_every_mention(value_of: ValueOf) -> None:
    assert value_of(NER, [([mention("A", 0, "x")], UNREAD), ([mention("B", 0, "x")], [mention("B", 0, "x")])]) == (
        pytest.approx(2 / 3)
    )


def test_plain_spans_and_labels_are_items(value_of: ValueOf) -> None:
    assert value_of({"span_f1": {"over": "words"}}, [([Span("a", 0, 1)], [Span("a", 0, 1)])]) == 1.0
    assert value_of({"item_f1": {"over": "labels"}}, [(["joy", "fear"], ["fear"])]) == pytest.approx(2 / 3)


def test_relations_want_both_ends_and_the_relation(value_of: ValueOf) -> None:
    spec = {"over": "relations", "head": "head", "relation": "relation", "tail": "tail"}
    gold: Value = [{"head": Span("A", 0, 1), "relation": "r", "tail": Span("B", 2, 3)}]
    moved: Value = [{"head": Span("A", 5, 6), "relation": "r", "tail": Span("B", 2, 3)}]
    turned: Value = [{"head": Span("B", 2, 3), "relation": "r", "tail": Span("A", 0, 1)}]
    assert value_of({"relation_f1": spec}, [(gold, moved)]) == 1.0
    assert value_of({"relation_f1_offset": spec}, [(gold, moved)]) == 0.0
    assert value_of({"relation_f1": spec}, [(gold, turned)]) == 0.0


def test_strict_relations_want_the_types_of_the_ends(value_of: ValueOf) -> None:
    gold: Value = [{"head": "A", "ht": "person", "relation": "r", "tail": "B"}]
    found: Value = [{"head": "A", "ht": "place", "relation": "r", "tail": "B"}]
    assert value_of({"relation_f1": {"over": "x"}}, [(gold, found)]) == 1.0
    assert value_of({"relation_f1": {"over": "x", "head_type": "ht"}}, [(gold, found)]) == 0.0


def test_event_scores(value_of: ValueOf) -> None:
    gold: Value = [event("attack", "hit", ("agent", "storm"), ("place", "port")), event("die", "died")]
    found: Value = [event("attack", "hit", ("agent", "port")), event("born", "died")]
    assert value_of({"event_trigger_f1": EVENT}, [(gold, found)]) == pytest.approx(2 * 1 / (2 + 2))
    assert value_of({"event_argument_f1": EVENT}, [(gold, found)]) == 0.0
    assert value_of({"event_f1": EVENT}, [(gold, found)]) == pytest.approx(2 * 1 / (4 + 3))
    assert value_of({"event_f1": EVENT}, [({"events": gold}, {"events": gold})]) == 1.0


def test_joint_accuracy_is_about_the_set_of_items(value_of: ValueOf) -> None:
    gold: Value = [{"slot": "food", "value": "thai"}, {"slot": "area", "value": "north"}]
    assert isinstance(gold, list)
    assert value_of(STATE, [(gold, gold[::-1])]) == 1.0
    assert value_of(STATE, [(gold, gold[:1])]) == 0.0
    assert value_of(STATE, [(gold, Parsed(gold, (Issue("unknown_label", "slot", "fod"),)))]) == 0.0
    assert value_of(STATE, [([], UNREAD)]) == 0.0


def test_joint_accuracy_ignores_issues_of_other_fields(value_of: ValueOf) -> None:
    gold: Value = {"state": [], "reply": "ok"}
    assert value_of(STATE, [(gold, Parsed(gold, (Issue("bad_escape", "reply", "|x"),)))]) == 1.0
    assert value_of(STATE, [(gold, Parsed(gold, (Issue("unknown_label", "state.slot", "x"),)))]) == 0.0


def test_the_best_reference_counts() -> None:
    (metric,) = build_metrics([NER_STRING], "x", "en")
    stats = metric.segment([[mention("A", 0, "x")], [mention("B", 0, "x")]], Parsed([mention("B", 0, "x")]))
    assert stats.tolist() == [1, 1, 1]


def test_health() -> None:
    unparseable, ungrounded = health_metrics()
    found = Parsed([mention("A", 0, "x"), {"text": Span("Z", found="absent"), "type": "x"}])
    pairs = [([[]], found), ([[]], UNREAD), ([[]], Parsed([]))]
    assert unparseable.total(segments(unparseable, pairs).sum(axis=0)) == pytest.approx(1 / 3)
    assert ungrounded.total(segments(ungrounded, pairs).sum(axis=0)) == 0.5


def test_numbers(value_of: ValueOf) -> None:
    assert value_of({"mae": {"worst": 5}}, [(1, 2), (3.0, UNREAD)]) == 3.0
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=50), rng.normal(size=50)
    pairs: list[tuple[Value, Value | Parsed]] = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    assert value_of("pearson", pairs) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert value_of("pearson", [(1, 1), (2, 2), (3, UNREAD), (4, UNREAD)]) == pytest.approx(0.5)


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=4), st.builds(Span, st.text()))
KEYS = st.text(max_size=2)
VALUES = st.recursive(
    LEAVES, lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(KEYS, below, max_size=3))
)
ARGUMENTS = st.lists(st.fixed_dictionaries({"role": st.sampled_from("pq"), "text": KEYS}), max_size=2)
LISTS = st.lists(
    st.fixed_dictionaries({
        "text": st.builds(Span, KEYS, st.integers(0, 3), st.integers(3, 9)), "type": st.sampled_from("xy"),
        "head": KEYS, "relation": st.sampled_from("rs"), "tail": KEYS, "trigger": KEYS, "args": ARGUMENTS,
    }), max_size=4,
)  # fmt: skip


@settings(deadline=None)
@given(VALUES)
def test_any_gold_fed_back_is_right(value_of: ValueOf, gold: Value) -> None:
    assert value_of("accuracy", [(gold, gold)]) == 1.0
    assert value_of("macro_f1", [(gold, gold)]) == 1.0
    assert value_of("exact_match", [(gold, gold)]) == 1.0


@pytest.mark.parametrize(
    "spec", [NER, NER_STRING, {"relation_f1": {"over": "x"}}, {"event_f1": EVENT}, {"item_f1": {"over": "x"}}, STATE]
)
@settings(deadline=None)
@given(golds=st.lists(LISTS, min_size=1, max_size=3))
def test_gold_lists_fed_back_reach_the_best(value_of: ValueOf, spec: Json, golds: list[Value]) -> None:
    assert value_of(spec, [(gold, gold) for gold in golds]) == 1.0


@pytest.mark.parametrize(
    ("spec", "gold", "words"),
    [
        ({"span_f1": {"over": "nope"}}, "sports", "the gold value is 'sports'"),
        ({"span_f1": {"span": "txt"}}, [mention("Oslo", 3, "place")], "reads 'txt', but the gold value has text, type"),
        ({"span_f1": {"type": "kind"}}, [mention("Oslo", 3, "place")], "reads 'kind'"),
        ({"span_f1": {"over": "a.b"}}, {"a": [{"c": []}]}, "reads 'b', but the gold value has c"),
        ({"relation_f1": {"head": "from"}}, [{"head": "a", "relation": "b", "tail": "c"}], "reads 'from'"),
        ({"event_f1": {"args": "roles"}}, [event("close", "closed", ("agent", "storm"))], "reads 'roles'"),
        ({"event_f1": {"role": "rule"}}, [event("close", "closed", ("agent", "storm"))], "reads 'rule'"),
        ({"joint_accuracy": {"over": "stat"}}, {"state": []}, "reads 'stat'"),
        ({"item_f1": {"over": "nope"}}, "sports", "the gold value is 'sports'"),
    ],
)
def test_a_name_that_the_gold_has_not_is_no_perfect_score(
    value_of: ValueOf, spec: Json, gold: Value, words: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        value_of(spec, [(gold, gold)])
    assert words in str(caught.value)
    assert str(caught.value).startswith("t.yaml:1: ")
