"""Instructions, preferences and conversations: what a user says, and what is to be answered."""

from __future__ import annotations

from collections.abc import Sequence

from t2t.authoring.new.columns import Table
from t2t.authoring.new.items import name_of
from t2t.authoring.new.proposal import Proposal
from t2t.structures import Json

_INSTRUCTION = ("instruction", "instructions", "prompt", "query", "question", "指令")
_INPUT = ("input", "context", "inputs", "输入")
_OUTPUT = ("output", "response", "completion", "answer", "target", "输出")
_CHOSEN = ("chosen", "preferred", "better")
_REJECTED = ("rejected", "dispreferred", "worse")
_TURNS = ("conversations", "conversation", "messages", "dialog", "dialogue", "turns", "conv")
_SPEAKER = ("from", "role", "speaker", "author")
_SAID = ("value", "content", "text", "message", "utterance")
_ANSWERS = ("gpt", "assistant", "bot", "chatgpt", "model", "system_bot", "agent")
_METRICS: list[Json] = ["chrf", "rougeL", "exact_match"]


def _column(table: Table, names: Sequence[str]) -> str | None:
    """The path of a column of texts, some of which may be empty, with one of the names."""
    for name in names:
        for path, column in table.columns.items():
            if column.name.lower() == name and set(column.kinds) <= {"a text", "null"} and column.texts:
                return path
    return None


def preference(table: Table) -> Proposal | None:
    """A prompt with a chosen and a rejected answer: the target is the chosen one."""
    chosen, rejected = (_of_names(table, names) for names in (_CHOSEN, _REJECTED))
    if chosen is None or rejected is None:
        return None
    prompt = _column(table, _INSTRUCTION) or _column(table, _INPUT)
    listed = [record.get(chosen) for record in table.raw]
    remark = f"{rejected} is the answer that is not wanted: it is left out"
    if all(isinstance(value, list) and value for value in listed):
        return _chosen_messages(listed, chosen, rejected, remark)
    if prompt is None or not all(isinstance(value, str) for value in listed):
        return None
    found = Proposal(
        "instruction", {"prompt": prompt, "answer": chosen}, ["prompt"], {"text": "answer"}, _METRICS, prompt
    )
    return _with(found, remark, rejected)


def _of_names(table: Table, names: Sequence[str]) -> str | None:
    return next(
        (name_of(key) for name in names for key in (table.raw[0] if table.raw else {}) if key.lower() == name), None
    )


def _chosen_messages(listed: list[Json], chosen: str, rejected: str, remark: str) -> Proposal | None:
    """Lists of messages: the last one is the answer, those before it the prompt."""
    names = _turn_names(listed)
    if names is None:
        return None
    speaker, said = names
    history = {"turns": {"of": f"{chosen}[:-1]", "speaker": speaker, "text": said}}
    fields: dict[str, Json] = {"history": history, "answer": f"{chosen}[-1].{said}"}
    found = Proposal(
        "response", fields, ["history"], {"text": "answer"}, _METRICS, f"{chosen}[0].{said}", long="history"
    )
    found.keep_end = True
    return _with(found, remark, rejected)


def _with(found: Proposal, remark: str, read: str) -> Proposal:
    found.remarks = [*found.remarks, remark]
    found.reads.add(read)
    return found


def instruction(table: Table) -> Proposal | None:
    """Instruction and input, which is often empty, and output, as Alpaca has them."""
    asked, given, answer = (_column(table, names) for names in (_INSTRUCTION, _INPUT, _OUTPUT))
    if asked is None or answer is None or asked == answer:
        return None
    if given is None or given in (asked, answer):
        if _names(table) & {"context", "passage", "options", "choices"} or asked.lower() == "question":
            return None
        fields: dict[str, Json] = {"prompt": asked, "answer": answer}
        return Proposal("instruction", fields, ["prompt"], {"text": "answer"}, _METRICS, asked, long="prompt")
    if "instruction" not in asked.lower() and asked != "指令":
        return None
    whole = {"join": {"of": f"[{asked}, {given}][?@]", "with": " "}}
    fields = {"prompt": whole, "answer": answer}
    return Proposal("instruction", fields, ["prompt"], {"text": "answer"}, _METRICS, asked, long="prompt")


def _names(table: Table) -> set[str]:
    return {column.name.lower() for column in table.columns.values()}


def conversation(table: Table) -> Proposal | None:
    """A conversation a record: each answer is a target, the turns before it the prompt."""
    for key in dict.fromkeys(key for record in table.raw for key in record):
        listed = [record.get(key) for record in table.raw]
        names = _turn_names(listed) if key.lower() in _TURNS or len(table.raw[0]) <= 2 else None
        if names is None:
            continue
        speaker, said = names
        parts = any(isinstance(turn[said], list) for turns in listed for turn in turns or ())
        speakers = {str(turn.get(speaker)) for turns in listed for turn in turns or ()}
        answering = [one for one in speakers if one.lower() in _ANSWERS]
        if not answering:
            continue
        fields: dict[str, Json] = {
            "history": {"turns": {"of": "before", "speaker": speaker, "text": said}},
            "answer": said,
        }
        whole = f"parent.{name_of(key)}"  # a conversation stays in one split
        found = Proposal("response", fields, ["history"], {"text": "answer"}, _METRICS, whole, long="history")
        found.keep_end = True
        found.explode = _with_joined_parts(name_of(key), speaker, said) if parts else name_of(key)
        found.where = " || ".join(f"{name_of(speaker)} == '{one}'" for one in sorted(answering))
        found.where = f"({found.where}) && position > `0`"
        found.reads.add(key)
        return found
    return None


def _with_joined_parts(turns: str, speaker: str, said: str) -> str:
    """The turns with texts for lists of ``{type: text, text: ...}``."""
    return f"{turns}[*].{{{speaker}: {speaker}, {said}: join('', {said}[*].text || [{said}])}}"


def _is_said(value: Json) -> bool:
    """A text, or parts each of which is one."""
    if isinstance(value, list) and value:
        return all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value)
    return isinstance(value, str)


def _turn_names(listed: list[Json]) -> tuple[str, str] | None:
    """The keys of speaker and text of turns, where all of a column are lists of turns."""
    turns = [turn for value in listed if isinstance(value, list) for turn in value]
    if not turns or not all(isinstance(value, list) for value in listed) or not all(isinstance(t, dict) for t in turns):
        return None
    speaker = next((name for name in _SPEAKER if all(isinstance(turn.get(name), str) for turn in turns)), None)
    said = next((name for name in _SAID if all(_is_said(turn.get(name)) for turn in turns)), None)
    return (speaker, said) if speaker and said else None
