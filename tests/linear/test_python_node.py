"""The Python node: the user's own class under the laws, and only where it is trusted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2t.cli import main
from t2t.errors import DataError, TemplateError
from t2t.linear.parsed import Parsed
from t2t.linear.target import Target
from t2t.structures import Json
from t2t.trust import VARIABLE

MODULE = '''\
class Date:
    """Year, month and day, written with the marks of the tree inside."""

    def normal(self, raw, fields):
        if not isinstance(raw, list) or len(raw) != 3:
            raise ValueError("no date")
        return raw

    def render(self, value, fields):
        return " ; ".join(map(str, value))

    def parse(self, text, fields):
        return [int(part) for part in text.split(";")]
'''


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dates_of_mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(VARIABLE, "1")
    return tmp_path


def tree(name: Json = "dates_of_mine:Date") -> Target:
    fields = {"date": {"python": name, "absent": "never"}, "note": {"text": None}}
    return Target(
        {"each": "days", "as": "{date} = {note}", "between": " ; ", "fields": fields}, lambda path: "t.yaml:9"
    )


@pytest.mark.usefixtures("trusted")
def test_the_laws_hold_with_marks_inside() -> None:
    target = tree()
    day = st.fixed_dictionaries(
        {"date": st.none() | st.lists(st.integers(), min_size=3, max_size=3), "note": st.text()}
    )

    @settings(max_examples=100, deadline=None)
    @given(st.lists(day, max_size=3))
    def holds(value: Json) -> None:
        if any("\ud800" <= char <= "\udfff" for char in str(value)):
            return
        assert target.parse(target.render(value, {}), {}) == Parsed(value)

    holds()
    assert target.render([{"date": [2024, 5, 1], "note": "x"}], {}) == "2024 |m 5 |m 1 = x"


@pytest.mark.usefixtures("trusted")
def test_the_digest_of_its_code_follows_the_file() -> None:
    node = tree().nodes["date"]
    before = node.code_digest()
    with Path(str(sys.modules["dates_of_mine"].__file__)).open("a") as file:
        file.write("# changed\n")
    assert node.code_digest() != before


@pytest.mark.usefixtures("trusted")
def test_a_text_that_it_cannot_read_is_an_issue_and_a_wrong_gold_names_its_line() -> None:
    parsed = tree().parse("soon = x ; 1 |m 2 |m 3 = y", {})
    assert parsed.value == [{"date": [1, 2, 3], "note": "y"}]
    assert [issue.kind for issue in parsed.issues] == ["unreadable"]
    assert not parsed.ok
    with pytest.raises(DataError, match=r"data:3: gold of 'date' is 'soon' \(no date\)"):
        tree().gold({"days": [{"date": "soon", "note": ""}]}, "data:3")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dates_of_mine", "write python: MODULE:CLASS"),
        (3, "write python: MODULE:CLASS"),
        ("dates_of_mine:Dat", "cannot be loaded"),
        ("no_such_module:Date", "cannot be loaded"),
    ],
)
def test_a_wrong_name_is_told(name: Json, message: str) -> None:
    with pytest.raises(TemplateError) as error:
        tree(name)
    assert message in str(error.value)
    assert str(error.value).startswith("t.yaml:9: ")


def test_without_trust_nothing_is_imported(
    trusted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    (trusted / "trap.py").write_text("raise SystemExit('imported')")
    with pytest.raises(TemplateError, match="runs code of its author; read that code, then say --trust-python"):
        tree("trap:Date")
    path = trusted / "demo" / "days.yaml"
    path.parent.mkdir()
    path.write_text(
        "task: demo/days\nversion: 1\nsource: {format: jsonl, train: x.jsonl}\nprompt: '{text}'\n"
        "target: {python: 'dates_of_mine:Date', gold: date}\nmetrics: [exact_match]\n"
    )
    (path.parent / "x.jsonl").write_text('{"text": "a", "date": [1, 2, 3]}\n')
    assert main(["show", str(path)]) == 2
    assert "--trust-python" in capsys.readouterr().err
    assert main(["show", str(path), "--trust-python"]) == 0
    assert "1 |p" not in capsys.readouterr().out
