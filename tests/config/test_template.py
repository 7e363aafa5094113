from pathlib import Path

import pytest

from t2t.config.template import read_template
from t2t.errors import InputError, TemplateError
from t2t.tasks.task import Task

GOOD = """\
task: ner/x
version: 1
source: {format: jsonl, train: x.jsonl}
prompt: "find {type.labels} in: {text}"
target:
  each: mentions
  as: "{text} = {type}"
  fields:
    text: {span_of: text}
    type: {label: {person: person, location: location}}
metrics: [{span_f1: {over: mentions, span: text, type: type}}]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "ner" / "x.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_template_is_read(tmp_path: Path) -> None:
    template = read_template(write(tmp_path, GOOD))
    assert (template.task, template.version, template.languages) == ("ner/x", 1, ("en",))
    assert template.where(("target", "fields", "type")).endswith("x.yaml:10")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("version: 1", "verson: 1", 2, "unknown key 'verson'; did you mean 'version'?"),
        ("version: 1\n", "", 1, "key 'version' is missing; add it"),
        ("version: 1", "version: one", 2, "version: 'one' is not a valid integer; correct it"),
        ("version: 1", "version: 0", 2, "version: 0 is not greater than or equal to 1"),
        ("task: ner/x", "task: ner/y", 1, "does not fit the file's place; name it 'ner/x'"),
        ("{text} = {type}", "{text}{type}", 7, "as: fields {text} and {type} touch; put a mark between them"),
        ("location: location}", "location: person}", 10, "have the same words"),
        ("span_of: text", "span_off: text", 9, "unknown node 'span_off'; did you mean 'span_of'?"),
        ("{type.labels}", "{typ.labels}", 4, "the target has no node 'typ'; did you mean 'type'?"),
        ("{type.labels}", "{labels}", 4, "write {NODE.labels}"),
        ("{type.labels}", "{mentions.labels}", 4, "no node 'mentions'"),
        ('{text}"\ntarget', '{text"\ntarget', 4, "write {name}, or {{ and }} for braces"),
        ("version: 1", "version: 1\nshorten: {field: txt}", 3, "shorten: field 'txt' does not stand in the prompt"),
        ("version: 1", "version: 1\nshorten: {fild: text}", 3, "unknown key 'fild'; did you mean 'field'?"),
        ("version: 1", "version: 1\nprompts: [{text: a}]", 1, "either prompt: or prompts:"),
        ("version: 1", "version: 1\nversion: 2", 3, "version"),
        ("version: 1", "version: &a 1", 2, "anchors"),
        ("version: 1", "version: 1\nlanguage: []", 3, "language: "),
        ("version: 1", "version: 1\nlanguage: chinese", 3, "language: 'chinese' is no code of a language; write"),
        ("version: 1", "version: 1\nlanguage: [en, zh Hant]", 3, "language: 'zh Hant' is no code of a language"),
        (
            "over: mentions",
            "over: mention",
            11,
            "reads 'mention', but the whole target is the list 'mentions'; write over",
        ),
        ("version: 1", "version: 1\nlanguage: 3", 3, "language: 3 is not a valid string or a valid list"),
        ("version: 1", "version: 1\ndescription: a\x01b", 3, "the character '\\x01'"),
        ("version: 1", f"version: {'9' * 5000}", 2, "a number of 5000 digits"),
        ("task: ner/x", "task: ../x", 1, "'../x' is no name"),
        ("metrics: [", "metrics: [{}, ", 11, "a metric is {}"),
        ("metrics: [", "metrics: [{bleu: , chrf: }, ", 11, "a metric is {'bleu': None, 'chrf': None}"),
        ("metrics: [", "metrics: [3, ", 11, "metrics[0]: 3 is not a valid string or a mapping"),
        ("metrics: [", "metrics: [{bleu: 3}, ", 11, "bleu: 3 is not a mapping"),
        ("version: 1", "version: 1\nlists: {l: {each: m, as: '{a}', fields: [a]}}", 3, "fields: is a list"),
        ("version: 1", "version: 1\nshorten: {field: l}\nlists: {l: {each: m, as: '{a}'}}", 3, "stands under lists:"),
        ("version: 1", "version: 1\nreferences: " + "(" * 3000, 3, "is no JMESPath expression"),
    ],
)
def test_a_wrong_template_is_one_sentence_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(TemplateError) as error:
        Task(read_template(path))
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"[1, 2]",
        b"a: [" * 1000,
        b"{" * 100_000,
        b"a: &a [x]\nb: [*a, *a]",
        b"task: !!python/object:os.system x",
        b"",
    ],
)
def test_a_hostile_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "")
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_template(path)
    assert len(str(error.value)) < 1000
