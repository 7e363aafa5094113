"""The defects seen in systems that do the same job, by their numbers in the list of peers.

Each test restates what the peer does in a few lines, shows that the check fails on it, and holds for ours.
"""

from __future__ import annotations

import ast
import json
import re
from functools import partial
from pathlib import Path

import pytest
import torch

import t2t
from t2t.authoring.check import check
from t2t.config.template import read_template
from t2t.data.counts import Counts
from t2t.data.encode import Encoder
from t2t.generation.generator import Decoding, Generator, Request
from t2t.generation.torch_engine import TorchEngine
from t2t.linear.parsed import Parsed
from t2t.linear.prompt import Prompt
from t2t.linear.target import Target
from t2t.metrics import build_metrics, segments, value
from t2t.model.backbone import build_from_scratch
from t2t.model.tokenizer import decode_text, train_tokenizer
from t2t.structures import Example, Json, Span, Value
from t2t.tasks.mixture import Mixture
from t2t.tasks.task import Task

NER = {
    "each": "mentions", "as": "{text} = {type}", "between": " ; ", "empty": "none",
    "fields": {"text": {"span_of": "text"}, "type": {"label": ["person", "place"]}},
}  # fmt: skip
WORDS = {"each": "words", "as": "{word}", "between": " , ", "fields": {"word": {"text": "@"}}}


def target(spec: Json) -> Target:
    return Target(spec, lambda path: "t.yaml:1")


def scored(spec: Json, pairs: list[tuple[Value, Value | Parsed]]) -> float:
    (metric,) = build_metrics([spec], "t.yaml:1", "en")
    rows = [([gold], found if isinstance(found, Parsed) else Parsed(found)) for gold, found in pairs]
    return value(metric, segments(metric, rows))


def f1(right: float, found: float, gold: float) -> float:
    return 2 * right / (found + gold) if found + gold else 0.0


def test_1_empty_examples_are_no_true_positives() -> None:
    pairs: list[tuple[Value, Value | Parsed]] = [([], [])] * 9 + [(["Ada"], ["Bob"])]

    def peer() -> float:
        right = sum(1 if gold == found else 0 for gold, found in pairs)
        return f1(right, sum(max(len(found), 1) for _, found in pairs), sum(max(len(gold), 1) for gold, _ in pairs))

    assert peer() == pytest.approx(0.9)
    assert scored({"item_f1": {"over": "x"}}, pairs) == 0.0


def test_2_a_missed_duplicate_is_missed() -> None:
    gold, found = ["Paris", "Paris"], ["Paris"]
    assert f1(len(set(gold) & set(found)), len(set(found)), len(set(gold))) == 1.0
    assert scored({"item_f1": {"over": "x"}}, [(gold, found)]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("text", ["a {b} c", "{", "}}", "{0.__class__}", "{question}"])
def test_3_braces_in_data_are_data(text: str) -> None:
    wanted = f"find in: {text} . who?"

    def peer() -> str | None:
        try:
            return ("find in: " + text + " . {question}").format(question="who?")
        except (KeyError, IndexError, ValueError):
            return None

    assert peer() != wanted
    ours = Prompt("find in: {text} . {question}", lambda name, where: [], {}, "p")
    assert ours.render({"text": text, "question": "who?"}, "r") == wanted


@pytest.mark.parametrize("word", ["a ; b", "x = person", "[ y ]", "a | b", "none"])
def test_4_marks_in_the_text_do_not_change_the_parse(word: str) -> None:
    def peer(mentions: list[tuple[str, str]]) -> list[tuple[str, ...]]:
        text = " ; ".join(f"[ {surface} | {kind} ]" for surface, kind in mentions)
        return [tuple(part.strip(" []").split(" | ")) for part in text.split(" ; ")]

    if word in ("a ; b", "[ y ]", "a | b"):
        assert peer([(word, "place")]) != [(word, "place")]
    ner = target(NER)
    gold: Value = [{"text": Span(word, 0, len(word)), "type": "place"}]
    record = {"text": word}
    parsed = ner.parse(ner.render(gold, record), record)
    assert (parsed.value, parsed.issues) == (gold, ())


def test_5_one_bad_item_drops_only_itself() -> None:
    output = "Ada = person ; Bob person ; Eve = robot ; Rome = place"

    def peer() -> list[tuple[str, str]]:
        found = []
        for item in output.split(" ; "):
            pieces = item.split(" = ")
            if len(pieces) != 2:
                break
            found.append((pieces[0], pieces[1]))
        return found

    assert len(peer()) == 1
    parsed = target(NER).parse(output, {"text": "Ada met Bob and Eve in Rome"})
    assert [item["text"].text for item in parsed.value] == ["Ada", "Rome"]
    assert [issue.kind for issue in parsed.issues] == ["missing_mark", "unknown_label"]


def runs_text(tree: ast.AST) -> list[str]:
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [name.id for name in calls if isinstance(name, ast.Name) and name.id in ("eval", "exec")]


def test_5_no_output_is_ever_run() -> None:
    assert runs_text(ast.parse("def parse(output):\n    return eval(output)")) == ["eval"]
    files = Path(t2t.__file__).parent.rglob("*.py")
    assert {path.name: found for path in files if (found := runs_text(ast.parse(path.read_text("utf-8"))))} == {}


def test_6_gold_and_outputs_are_read_by_one_tree() -> None:
    gold: Value = ["Washington, D.C.", "Rome"]
    written = ", ".join(str(word) for word in gold)
    assert written.split(", ") != gold  # gold kept as a list, outputs split at the comma
    words = target(WORDS)
    assert words.parse(words.render(gold, {}), {}).value == gold


def test_7_an_unparseable_answer_is_no_class() -> None:
    labels, outputs, golds = ["no", "yes"], ["", "yes", "maybe"], ["no", "yes", "no"]
    peer = [labels.index(output) if output in labels else 0 for output in outputs]
    assert sum(labels[found] == gold for found, gold in zip(peer, golds, strict=True)) == 3
    answer = target({"label": labels, "gold": "answer"})
    pairs = [(gold, answer.parse(output, {})) for output, gold in zip(outputs, golds, strict=True)]
    for spec in ("accuracy", "micro_f1", "macro_f1"):
        assert scored(spec, pairs) < 1.0
    assert scored("accuracy", pairs) == pytest.approx(1 / 3)
    assert scored("unparseable", pairs) == pytest.approx(2 / 3)


TEMPLATE = """\
task: demo/label
version: 1
source: {format: jsonl, train: train.jsonl}
prompt: "judge: {text}"
target: {label: [no, yes], gold: answer}
metrics: [accuracy]
"""


def write(folder: Path, records: list[Json], template: str = TEMPLATE) -> Path:
    path = folder / "demo" / "label.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(template.replace("[no, yes]", '["no", "yes"]'), encoding="utf-8")
    (path.parent / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records), encoding="utf-8")
    return path


def test_7_a_missing_field_is_found_before_the_run(tmp_path: Path) -> None:
    records = [{"text": "a", "answer": "no"}, {"text": "b"}]
    with pytest.raises(KeyError):
        assert [f"judge: {row['text']} {row['answer']}" for row in records]  # the peer, at the second record
    text, errors = check([str(write(tmp_path, records))])
    assert errors == 1
    assert "train.jsonl:2: record has no field 'answer'" in text


class Question:
    """A task whose question is behind a passage of any length."""

    name, fingerprint, prompts_vary = "demo/question", "1", False

    token_task, on_bad = None, "stop"

    def examples(self, split: str) -> Json:
        raise NotImplementedError

    def windowed(self, examples: Json) -> Json:
        raise NotImplementedError

    def drawn(self, example: Json, *, seed: int = 0, epoch: int | None = None) -> Json:
        return example

    def prompt(self, example: Json, *, seed: int = 0, epoch: int | None = None, keep: int | None = None) -> str:
        return f"{example.fields['text'][:keep]} ; who closed it"

    def shorten_length(self, example: Json) -> int | None:
        return len(example.fields["text"])

    def target_text(self, example: Json, seed: int = 0, epoch: int | None = None) -> str:
        return str(example.gold)


def test_8_the_question_and_eos_survive_a_cut_which_is_counted() -> None:
    tokenizer = train_tokenizer(["the storm closed the port ; who closed it"] * 20, 600)
    example = Example("1", {"text": "the storm closed the port " * 40}, "the storm " * 40)
    task, eos = Question(), tokenizer.eos_token_id
    peer = tokenizer(task.prompt(example))["input_ids"][:40]
    assert "who" not in decode_text(tokenizer, peer)
    assert peer[-1] != eos
    encoded, cut = Encoder(tokenizer, 40, 16).encode(task, example)
    assert decode_text(tokenizer, encoded.input_ids).endswith("who closed it")
    assert encoded.input_ids[-1] == encoded.labels[-1] == eos
    counts = Counts()
    counts.add(cut)
    assert cut is not None
    assert cut.characters > 0 < cut.target_tokens
    assert counts != Counts()


def test_9_a_changed_file_of_the_same_name_is_another_task(tmp_path: Path) -> None:
    def peer(path: Path) -> str:
        return str(path)

    records = [{"text": "a", "answer": "no"}]
    path = write(tmp_path, records)
    names, prints = [peer(path)], [Task(read_template(path)).fingerprint]
    for template, rows in ((TEMPLATE, [{"text": "b", "answer": "no"}]), (TEMPLATE.replace("judge", "rate"), records)):
        write(tmp_path, rows, template)
        names.append(peer(path))
        prints.append(Task(read_template(path)).fingerprint)
    assert len(set(names)) == 1
    assert len(set(prints)) == 3


def test_10_a_mixture_goes_on_past_the_smallest_set_and_can_be_repeated() -> None:
    sizes = [3, 30]
    peer = [pair for number in range(max(sizes)) if number < min(sizes) for pair in ((0, number), (1, number))]
    assert {index for task, index in peer if task == 1} != set(range(30))
    orders = [[Mixture(sizes, [1.0, 1.0], seed=7).epoch(epoch).tolist() for epoch in range(4)] for _ in range(2)]
    assert orders[0] == orders[1]
    drawn = [tuple(pair) for epoch in orders[0] for pair in epoch]
    assert {index for task, index in drawn if task == 1} == set(range(30))
    assert {index for task, index in drawn if task == 0} == {0, 1, 2}


def test_11_a_constraint_that_allows_no_token_ends_its_row_and_no_other() -> None:
    tokenizer = train_tokenizer(["the storm closed the port"] * 20, 600)
    place = target({"span_of": "text", "gold": "place"})
    weather = target({"label": ["storm", "calm"], "gold": "weather"})
    asked = [("1", place, ""), ("2", weather, ""), ("3", place, "the port")]
    requests = [
        Request(name, tokenizer("the port")["input_ids"], partial(tree.grammar, {"text": text}))
        for name, tree, text in asked
    ]

    def peer(allowed: list[list[int]]) -> list[int]:
        weights = torch.full((len(allowed), 600), -torch.inf)
        for row, ids in enumerate(allowed):
            weights[row, ids] = 0.0
        return torch.multinomial(weights.softmax(dim=-1), 1).flatten().tolist()

    with pytest.raises(RuntimeError):
        peer([[], [5], [6]])
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    engine = Generator(TorchEngine(build_from_scratch(shape, len(tokenizer))), tokenizer)
    first, second, third = engine.generate(requests, Decoding(30, 1000))
    assert (first.text, first.cut) == ("", True)
    assert second.text in ("storm", "calm")
    assert third.text in "the port"
    assert not second.cut
    assert not third.cut


@pytest.mark.parametrize("spec", ["accuracy", "exact_match", "squad_em", "squad_f1", "bleu"])
def test_12_layout_at_the_edges_moves_no_score(spec: Json) -> None:
    golds, layouts = ["the old port of Rome", "a storm over the sea"], ["{}", "{}\n", " {}", "\t{} \r\n"]

    def peer(layout: str) -> float:
        return sum(gold == layout.format(gold) for gold in golds) / len(golds)

    assert len({peer(layout) for layout in layouts}) == 2
    answer = target({"text": "answer"})
    values = {scored(spec, [(g, answer.parse(layout.format(g), {})) for g in golds]) for layout in layouts}
    assert len(values) == 1
    code: Value = "def f():\n    return 1\n"
    assert answer.parse(answer.render(code, {}), {}).value == code  # layout that matters is written down


def peer_repair(text: str) -> str:
    return re.sub(r"\s*<unk>\s*", " ", text).strip()


@pytest.mark.parametrize(("unsaid", "surface"), [("M<unk>nchen", "München"), ("北<unk>", "北京")])
def test_13_an_unknown_piece_is_looked_up_in_the_source(unsaid: str, surface: str) -> None:
    record = {"text": f"Ada moved to {surface} in May"}
    assert peer_repair(unsaid) != surface
    (item,) = target(NER).parse(f"{unsaid} = place", record).value
    assert item["text"] == Span(surface, 13, 13 + len(surface))


@pytest.mark.parametrize("text", ["{a}", "a < b", "北京的首都", "x\n  y", "~`^\\"])
def test_13_characters_are_kept_not_lost_in_silence(text: str) -> None:
    tokenizer = train_tokenizer(["the storm closed the port"] * 20, 600)

    def peer(value: str) -> str:
        known = set(" abcdefghijklmnopqrstuvwxyz")
        return " ".join("".join(char for char in value if char in known).split())

    assert peer(text) != text
    assert decode_text(tokenizer, tokenizer(text)["input_ids"]) == text


def test_every_defect_has_a_test() -> None:
    numbers = {int(match[1]) for name in globals() if (match := re.match(r"test_(\d+)_", name))}
    assert numbers == set(range(1, 14))
