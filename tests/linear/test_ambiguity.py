"""Law 5: an ambiguous target is refused when it is loaded, with where, what was found and what to do."""

import pytest
import yaml

from t2t.errors import DataError, TemplateError
from t2t.linear.target import Target

PAIR = "{each: m, as: '%s', fields: {a: {text: }, b: {text: }}}"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (PAIR % "{a}{b}", 'fields {a} and {b} touch; put a mark between them, e.g. "{a} : {b}"'),
        (PAIR % "{a} {b}", "touch"),
        (PAIR % "{a} is {b}", "marks are punctuation"),
        (PAIR % "{a} | {b}", "which the escape needs"),
        (PAIR % "{a} . {b}", "which the escape needs"),
        (PAIR % "{a} ； {b}", "changed by Unicode normalisation (NFKC); use ';'"),
        (PAIR % "{a} \u2581 {b}", "marks are punctuation"),
        (PAIR % "{a} \ufffd {b}", "marks are punctuation"),
        (PAIR % "{a} =\u0338 {b}", "changed by Unicode normalisation"),
        ("{labels: [a, b], gold: x, between: ''}", "between: has no mark"),
        ("{labels: [a, b], gold: x, between: 3}", "between: has no mark"),
        (PAIR % "{a} = = {b}", "holds a space"),
        (PAIR % "{a} ; {b}", "shares ';' with another level"),
        (PAIR % "{a} = {a}", "stands twice"),
        (PAIR % "{a}", "does not stand in as:"),
        (PAIR % "{a} = {c}", "which fields: does not have"),
        (PAIR % "{a", "write {name}"),
        (PAIR % "{a!r} = {b}", "a placeholder is {name}"),
        ("{as: '{a} -> {b} > {c}', fields: {a: {text: }, b: {text: }, c: {text: }}}", "share '>'"),
        ("{label: [ﬁne, fine], gold: x}", "have the same words"),
        ("{label: [], gold: x}", "is empty"),
        ("{label: {a: 1}, gold: x}", "has the words 1"),
        ("{label: ['a|b'], gold: x}", "holds '|'"),
        ("{label: ['a  b'], gold: x}", "layout"),
        ("{label: ['a', 'b']}", "add gold: FIELD"),
        ("{each: m, as: '{a} = {b}', fields: {a: {text: }, b: {label: [x = y]}}}", "label 'x = y' holds '='"),
        ("{each: m, as: '{b}', fields: {b: {label: [None, y]}}}", "empty: 'none' is also a possible item"),
        ("{each: m, as: '{b}', fields: {b: {number: 0}}, empty: '0'}", "is also a possible item"),
        ("{each: m, as: '{b}', fields: {b: {text: , absent: none}}}", "is also a possible item"),
        ("{label: [a, b], gold: x, absent: A}", "absent: 'A' is also a possible value"),
        ("{number: 1, gold: x, absent: '3.0'}", "is also a possible value"),
        ("{choice: o, gold: x, absent: c}", "is also a possible value"),
        ("{each: m, as: '{a}', fields: {a: {text: }}, absent: none}", "is also a possible value"),
        ("{labels: [a, none], gold: x}", "empty: 'none' is also a label"),
        ("{text: , gold: x, absent: 'a |b'}", "holds '|'"),
        ("{spanof: x}", "unknown node 'spanof'; did you mean 'span_of'?"),
        ("{span_of: x, gold: g, repeats: number}", "unknown key 'repeats'; did you mean 'repeat'?"),
        ("{text: , label: [a], gold: g}", "a node is both text and label"),
        ("{as: '{a} # {b}', fields: {a: {span_of: t, repeat: number}, b: {text: }}}", "shares '#'"),
        ("{text: , gold: 'a[', }", "no JMESPath expression"),
        ("{number: x, gold: g}", "give the decimals"),
        ("[a]", "a node is a list"),
    ],
)
def test_refused(spec: str, message: str) -> None:
    with pytest.raises(TemplateError) as error:
        Target(yaml.safe_load(spec), lambda path: "x.yaml:5")
    assert message in str(error.value)
    assert str(error.value).startswith("x.yaml:5: ")
    assert "\n" not in str(error.value)


def test_siblings_may_share_marks() -> None:
    items = "{each: %s, as: '{x} = {y}', fields: {x: {text: }, y: {text: }}, between: ' ; '}"
    Target(yaml.safe_load(f"{{as: '{{a}} @ {{b}}', fields: {{a: {items % 'a'}, b: {items % 'b'}}}}}"), lambda path: "x")


def test_the_line_of_the_faulty_key_is_asked_for() -> None:
    spec = yaml.safe_load("{each: m, as: '{a}', fields: {a: {label: [a, b], absnt: c}}}")
    with pytest.raises(TemplateError) as error:
        Target(spec, lambda path: "/".join(map(str, path)))
    assert error.value.where == "fields/a/absnt"


def test_options_that_only_case_tells_apart_are_refused_where_they_are_said() -> None:
    def where(path: tuple[str | int, ...]) -> str:
        return "t.yaml:1"

    said = Target({"choice": "o", "by": "text", "gold": "g"}, where)
    with pytest.raises(DataError, match="differ only in case"):
        said.gold({"o": ["Bank", "bank"], "g": "bank"}, "a:1")
    fields = {"o": ["bar", "pantry", "bar"], "g": 2}
    letter = Target({"choice": "o", "by": "letter", "gold_is": "index", "gold": "g"}, where)
    gold = letter.gold(fields, "a:1")
    assert {letter.parse(text, fields).value for text in "AC"} == {gold} == {"bar"}
    assert letter.render(gold, fields) == "A"


def test_labels_that_differ_in_case_alone_are_told_apart() -> None:
    tree = Target({"label": ["PER", "per", "Loc"], "gold": "x"}, lambda path: "t.yaml:1")
    for word in ("PER", "per", "Loc"):
        assert tree.parse(tree.render(word, {}), {}).value == word
    assert tree.parse("LOC", {}).value == "Loc"
    assert [issue.kind for issue in tree.parse("Per", {}).issues] == ["unknown_label"]
