"""Files of tokens with tags, one token a line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from t2t.errors import DataError
from t2t.tasks.fields.tags import SCHEMES

PHRASES = frozenset({"NP", "VP", "PP", "ADJP", "ADVP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP"})
_TAG = re.compile(rf"O|[{''.join(sorted({*''.join(SCHEMES.values())}))}][-_]\S+|\S+[-_][BIESLUMW]")
_MOST_TYPES = 100
_OFTEN = 5  # times that a tag comes again, on average
Spec = dict[str, Any]


def tag_file(lines: Sequence[str]) -> Spec | None:
    """Tokens with tags, a blank line behind each sentence."""
    full = [line for line in lines if line.strip() and not line.startswith("-DOCSTART-")]
    comments = any(re.match(r"#\s", line) for line in full)
    full = [line for line in full if not (comments and re.match(r"#\s|#$", line))]
    for separator, cut in (("tab", "\t"), ("space", None)):
        rows = [line.split(cut) for line in full]
        if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
            continue
        columns = list(zip(*rows, strict=True))
        if (tags := _tag_column(columns, blank=len(full) < len(lines))) is None:
            continue
        names = [f"column{number}" for number in range(1, len(columns) + 1)]
        names[_token_column(columns, tags)], names[tags] = "tokens", "tags"
        spec: Spec = {"format": "conll"} | ({"separator": separator} if cut is None else {})
        spec |= {"comment": "#"} if comments else {}
        return spec | ({"columns": names} if names != ["tokens", "tags"] else {})
    return None


def check_tags(name: str, lines: Sequence[str]) -> None:
    """DataError for a file of tokens all of which have a tag: parts of speech, for which there is no template."""
    full = [line.split() for line in lines if line.strip()]
    parted = any(not line.strip() for line in lines[:-1])
    if not parted or len({len(row) for row in full}) != 1 or len(full[0]) < 2:
        return
    counts = [Counter(column) for column in zip(*full, strict=True)]
    closed = [count for count in counts if 1 < len(count) <= _MOST_TYPES and len(count) * _OFTEN <= len(full)]
    words = max(len(count) for count in counts)
    upper = [
        count for count in closed if all(tag.isupper() or not tag.isalnum() for tag in count) and len(count) < words
    ]
    if upper:
        some = ", ".join(tag for tag, _ in upper[-1].most_common(3))
        found = f"every token has a tag ({some}): parts of speech, for which there is no template"
        todo = "where tags are types of mentions, write O behind all other tokens; else give lines of text and of tags"
        raise DataError(name, found, f"{todo} as two files")


def _tag_column(columns: Sequence[Sequence[str]], blank: bool) -> int | None:
    """The column of tags: with marks, else, where blank lines part sentences, of bare types with O among them. Names
    come before phrases, and a later column before an earlier one."""
    marked = [i for i, column in enumerate(columns) if all(map(_TAG.fullmatch, column)) and {*column} != {"O"}]
    named = [i for i in marked if not {tag.partition("-")[2] for tag in columns[i] if tag != "O"} <= PHRASES]
    if marked:
        return (named or marked)[-1]
    bare = [i for i, column in enumerate(columns) if blank and _is_bare(column)]
    return bare[-1] if bare else None


def _is_bare(column: Sequence[str]) -> bool:
    counts = Counter(column)
    return 1 < len(counts) <= _MOST_TYPES and counts["O"] * 3 > len(column) and all(t[0].isalpha() for t in counts)


def _token_column(columns: Sequence[Sequence[str]], tags: int) -> int:
    """The column with the most different values that are no numbers."""
    others = [i for i in range(len(columns)) if i != tags]
    return max(others, key=lambda i: (len({cell for cell in columns[i] if not cell.isdecimal()}), -i))
