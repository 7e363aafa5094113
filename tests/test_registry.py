"""Things that packages of others bring are known by their entry points, when they are asked for."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from t2t import registry
from t2t.config.optimizer_settings import OPTIMIZERS, read_optimizer
from t2t.errors import InputError, RunFileError, TemplateError
from t2t.linear.admission import admits
from t2t.linear.node_kinds import NODES
from t2t.linear.target import Target
from t2t.linear.windows import Window, inside
from t2t.model.peft.method import METHODS
from t2t.model.sayable import _fixed_words
from t2t.registry import Registry
from t2t.structures import Span
from t2t.tasks.label_sets import has_open_sets


def test_an_entry_point_is_loaded_when_its_name_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs_of_a_test.py").write_text("def shout(word):\n    return word.upper()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = {"t2t.words": [EntryPoint("shout", "theirs_of_a_test:shout", "t2t.words")]}
    monkeypatch.setattr(registry, "entry_points", lambda group: points.get(group, []))
    words: Registry[object] = Registry("word", "t2t.words")
    assert "theirs_of_a_test" not in sys.modules
    shout = words.get("shout", "x.yaml:1")
    assert callable(shout)
    assert shout("a") == "A"
    with pytest.raises(InputError, match=r"x\.yaml:1: unknown word 'shot'; did you mean 'shout'\?"):
        words.get("shot", "x.yaml:1")


def test_what_registers_itself_elsewhere_is_imported_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: Registry[int] = Registry("word", elsewhere={"one": "elsewhere_of_a_test"})
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "elsewhere_of_a_test.py").write_text(
        "from tests.test_registry import KEPT\nKEPT[0].register('one')(1)\n"
    )
    KEPT[:] = [words]
    assert words.names() == ["one"]
    assert words.get("one", "x") == 1


KEPT: list[Registry[int]] = []


def test_a_method_of_others_is_one_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "head_only_of_a_test.py").write_text(
        "from typing import Literal\n"
        "from t2t.config.settings import settings\n"
        "@settings\n"
        "class HeadOnly:\n"
        "    method: Literal['head_only'] = 'head_only'\n"
        "    merges = True\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("head_only", "head_only_of_a_test:HeadOnly", "t2t.peft")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "t2t.peft" else [])
    from t2t.model.peft import read_method

    try:
        method = read_method({"method": "head_only"}, lambda key: key)
        assert method is not None
        assert method.method == "head_only"
    finally:
        METHODS._items.pop("head_only", None)


def test_an_optimizer_of_others_is_one_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "signs_of_a_test.py").write_text(
        "from typing import Literal\n"
        "from t2t.config.optimizer_settings import OptimizerSettings\n"
        "from t2t.config.settings import Share, settings\n"
        "@settings\n"
        "class Signs(OptimizerSettings):\n"
        "    name: Literal['signs'] = 'signs'\n"
        "    memory: Share = 0.5\n"
        "    def make(self, groups):\n"
        "        return [self.memory, groups]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("signs", "signs_of_a_test:Signs", "t2t.optimizers")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "t2t.optimizers" else [])
    try:
        found = read_optimizer({"name": "signs", "memory": 0.25, "learning_rate": 0.5}, lambda key: key)
        assert (found.name, found.learning_rate, found.make([])) == ("signs", 0.5, [0.25, []])
        with pytest.raises(RunFileError, match=r"optimizer\.memory: memory: 2 is not less than 1"):
            read_optimizer({"name": "signs", "memory": 2}, lambda key: key)
    finally:
        OPTIMIZERS._items.pop("signs", None)


SWITCH = '''\
from t2t.linear.grammar import any_of
from t2t.linear.node import INVALID, Node


class Switch(Node):
    """True or false, in two words: ``switch: [ON, OFF]``."""

    keys = frozenset({"switch"})
    closed = True

    def __init__(self, spec, place, alphabet):
        super().__init__(spec, place, alphabet)
        self.on, self.off = spec["switch"]

    def normal(self, raw, scope):
        if not isinstance(raw, bool):
            raise self.data_error(scope, "is no switch", "write true or false")
        return raw

    def write(self, value, scope):
        return self.on if value else self.off

    def read(self, text, scope):
        if text in (self.on, self.off):
            return text == self.on
        scope.report("unknown_label", self.place.name, text)
        return INVALID

    def shape(self, scope):
        return any_of((self.on, self.off))

    def could_be(self, folded):
        return folded in (self.on, self.off)

    def labels(self):
        return {True: self.on, False: self.off}

    def fixed_words(self):
        yield from (("label", word, "switch") for word in (self.on, self.off))
        yield from super().fixed_words()
'''


def test_a_node_of_others_is_one_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "switch_of_a_test.py").write_text(SWITCH)
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("switch", "switch_of_a_test:Switch", "t2t.nodes")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "t2t.nodes" else [])
    fields = {"text": {"span_of": "text"}, "alive": {"switch": ["yes", "no"], "absent": "unsaid"}}
    spec = {"each": "people", "as": "{text} : {alive}", "fields": fields}
    try:
        target = Target(spec, lambda path: "x.yaml:1")
        record = {"text": "Ada met Bob", "people": [{"text": "Ada", "alive": False}, {"text": "Bob", "alive": None}]}
        gold = target.gold(record, "x")
        written = target.render(gold, record)
        assert written == "Ada : no ; Bob : unsaid"
        parsed = target.parse(written, record)
        assert parsed.ok
        assert parsed.value == target.reference(record, "x")
        assert [issue.kind for issue in target.parse("Ada : maybe", record).issues] == ["unknown_label"]
        assert target.constrainable
        assert admits(target.grammar(record), written)
        assert not admits(target.grammar(record), "Ada : maybe")
        assert target.words("alive", "x") == ["yes", "no"]
        assert {word for _, word, _ in _fixed_words(target)} == {":", ";", "yes", "no", "unsaid", "none"}
        assert has_open_sets({"switch": {"from": "train"}})
        kept = [{"text": Span("Bob", 0, 3), "alive": None}]
        assert inside(target.root, parsed.value, "text", Window(8, "Bob", 11)) == kept
        with pytest.raises(TemplateError, match=r"x\.yaml:1: unknown node 'swich'; did you mean 'switch'\?"):
            Target({"swich": ["yes", "no"], "gold": "x"}, lambda path: "x.yaml:1")
    finally:
        NODES._items.pop("switch", None)
