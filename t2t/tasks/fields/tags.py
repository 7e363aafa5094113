"""The adapter for tags of tokens: BIO and its kin."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from t2t.linear.nodes.span import ONE_PIECE
from t2t.structures import Json, Span
from t2t.tasks.expressions import Mismatch, Reader, describe
from t2t.tasks.fields.adapter import ADAPTERS, AdapterArguments, SideFile, need_text, need_texts
from t2t.tasks.fields.marking import TOKEN, Line, line_of

_PIECES = ("BD", "ID", "BH", "IH")  # marks that schemes for discontinuous mentions add to BIO
_OUTSIDE = "O"
_BEGINS, _ENDS, _ALONE = "BSUW", "ELSUW", "SUW"  # W is U in some corpora
SCHEMES = {"bio": "BI", "iob1": "BI", "bioes": "BIES", "bilou": "BILUW", "bmes": "BMES"}
_MARKS = "".join(sorted(set("".join(SCHEMES.values()))))
_BEFORE, _BEHIND = re.compile(rf"([{_MARKS}])[-_](.+)"), re.compile(rf"(.+)[-_]([{_MARKS}])")


@ADAPTERS.register("bio")
def bio(arguments: AdapterArguments) -> Reader:
    """``bio: {tokens: EXPRESSION, tags: EXPRESSION, text: EXPRESSION, join: " ", scheme: auto, repair: conlleval}``:
    mentions.

    Gives ``[{"text": Span, "type": str}, ...]``, from left to right.
    ``tokens`` and ``tags`` are lists, or raw lines split at spaces. Offsets count in ``text`` where that names the raw
    line in which the tokens are in order; else in the line that ``tokens`` is; else in the tokens joined by ``join``
    (default a space).

    ``scheme: auto`` takes all marks before the type, or behind it (``PER-B``), parted by ``-`` or ``_``: B and I, E or
    L for the last token, S, U or W for the only one, M for a middle one. ``bio``, ``iob1``, ``bioes``, ``bilou`` and
    ``bmes`` take their own; with ``bare`` tags are types without marks, and neighbours of one type are one mention.
    ``names: [NAME, ...]``, or a JSON file with the list, says what tags that are numbers mean.

    ``repair: conlleval`` (default) starts a new mention at a tag that continues none, as the script of CoNLL-2000 does;
    ``strict`` refuses it.
    """
    read_tokens, read_tags = arguments.needed("tokens"), arguments.needed("tags")
    read_text, glue = arguments.expression("text"), arguments.text("join", " ")
    scheme = arguments.one_of("scheme", ("auto", *SCHEMES, "bare"))
    strict = arguments.one_of("repair", ("conlleval", "strict")) == "strict"
    named = _names(arguments)
    arguments.finish()

    def apply(value: Json) -> list[dict[str, Any]]:
        text = need_text(read_text(value)) if read_text else None
        line, tags = line_of(read_tokens(value), text, glue), read_tags(value)
        tags = TOKEN.findall(tags) if isinstance(tags, str) else need_texts(named(tags) if named else tags)
        if len(tags) != len(line.places):
            raise Mismatch(f"{len(line.places)} tokens but {len(tags)} tags", "correct the record")
        return [_mention(line, chunk) for chunk in chunks(tags, scheme, strict)]

    return apply


def _names(arguments: AdapterArguments) -> Callable[[Json], list[Json]] | None:
    """What gives the names of tags that are numbers."""
    given = arguments.table_or_file("names")
    if given is None:
        return None
    known: list[Json] = list(given) if isinstance(given, list) else []

    def name(tag: Json) -> Json:
        if not known and isinstance(given, SideFile):
            known.extend(need_texts(given.read()))
        if isinstance(tag, bool) or not isinstance(tag, int) or not 0 <= tag < len(known):
            raise Mismatch(f"tag {describe(tag)} is no number below {len(known)}", "correct the record, or names:")
        return known[tag]

    return lambda tags: [name(tag) for tag in tags] if isinstance(tags, list) else tags


def _mention(line: Line, chunk: Chunk) -> dict[str, Any]:
    start, end = line.places[chunk.first][0], line.places[chunk.last][1]
    return {"text": Span(line.text[start:end], start, end), "type": chunk.kind}


@dataclass(slots=True)
class Chunk:
    """First and last token and type of a mention; ``open``: the next token may continue it."""

    first: int
    last: int
    kind: str
    open: bool = True


def chunks(tags: Sequence[str], scheme: str = "auto", strict: bool = False) -> list[Chunk]:
    """The mentions of tags. Mismatch for a tag that is none of the scheme, or, with ``strict``, that does not fit."""
    found: list[Chunk] = []
    last = Chunk(-1, -1, "", open=False)
    for index, tag in enumerate(tags):
        if tag == _OUTSIDE:
            _check_closed(last, scheme, strict, index)
            last = Chunk(-1, -1, "", open=False)
            continue
        mark, kind = ("I", tag) if scheme == "bare" else split_tag(tag, SCHEMES.get(scheme, _MARKS), index)
        continues = last.open and last.kind == kind and mark not in _BEGINS
        if continues:
            last.last = index
        else:
            _check_closed(last, scheme, strict, index)
            if strict and mark not in _BEGINS and scheme not in ("iob1", "bare"):
                message = f"tag {index + 1}, {tag!r}, continues no mention"
                raise Mismatch(message, "correct the record, or say repair: conlleval")
            last = Chunk(index, index, kind)
            found.append(last)
        last.open = mark not in _ENDS
    _check_closed(last, scheme, strict, len(tags))
    return found


def _check_closed(last: Chunk, scheme: str, strict: bool, index: int) -> None:
    """In schemes that mark the last token, strictly, a mention does not just stop."""
    if strict and last.open and scheme in ("bioes", "bilou", "bmes"):
        raise Mismatch(f"the mention before tag {index + 1} has no end", "correct the record, or say repair: conlleval")


def split_tag(tag: str, marks: str = _MARKS, index: int = 0) -> tuple[str, str]:
    """Mark and type of a tag other than O. Mismatch where it is none."""
    before, behind = _BEFORE.fullmatch(tag), _BEHIND.fullmatch(tag)
    mark, kind = before.groups() if before else (behind[2], behind[1]) if behind else ("", "")
    if not kind or mark not in marks:
        todo = f"tags are O, or a mark ({', '.join(marks)}) with a type, e.g. B-TYPE"
        if tag.partition("-")[0] in _PIECES:
            todo = f"{todo}: {ONE_PIECE}"
        elif not kind:
            todo = f"{todo}; types alone are scheme: bare"
        raise Mismatch(f"tag {index + 1} is {tag!r}", todo)
    return mark, kind
