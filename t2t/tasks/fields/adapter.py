"""What an adapter is, and how it reads its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from t2t.errors import TemplateError
from t2t.registry import Registry, did_you_mean
from t2t.structures import Json
from t2t.tasks.data_files import file_digest, find_file
from t2t.tasks.expressions import Mismatch, Reader, describe
from t2t.tasks.json_text import read_document

# Given its arguments, an adapter is a pure function of the record's data (or, in a chain, of what came before);
# it raises Mismatch for a value that it cannot take.
Adapter: TypeAlias = Callable[["AdapterArguments"], Reader]
ADAPTERS: Registry[Adapter] = Registry("adapter", "t2t.adapters")


@dataclass(frozen=True, slots=True)
class SideFile:
    """A JSON file that an adapter reads beside the data; it is looked for when it is needed."""

    name: str
    base: Path
    where: str

    def read(self) -> Json:
        return read_document(find_file(self.name, self.base, self.where))

    def digest(self) -> str:
        """The sha256 (hex) of its bytes."""
        return file_digest(find_file(self.name, self.base, self.where).path)


class AdapterArguments:
    """The arguments of one adapter in a template: ``{name: {key: value, ...}}``, or the value of ``of`` alone.

    ``files`` gets each file that the adapter reads beside the data, since what is in it decides what the task yields;
    ``compile_`` makes a reader of a field that stands among the arguments: an expression, an adapter or a chain.
    """

    def __init__(
        self,
        adapter: str,
        given: Json,
        base: Path,
        where: str,
        files: list[SideFile],
        compile_: Callable[[Json], Reader],
    ) -> None:
        self.adapter = adapter
        self.base = base
        self.where = where
        self.files = files
        self.compile = compile_
        self._left: dict[str, Any] = dict(given) if isinstance(given, dict) else {} if given is None else {"of": given}
        self._known: list[str] = []

    def wrong(self, found: str, todo: str) -> TemplateError:
        return TemplateError(self.where, f"adapter {self.adapter}: {found}", todo)

    def _take(self, key: str, kind: type | tuple[type, ...], what: str, default: Json) -> Json:
        self._known.append(key)
        value = self._left.pop(key, None)
        if value is not None and not isinstance(value, kind):
            raise self.wrong(f"{key}: is {value!r}", f"write {what}")
        return default if value is None else value

    def expression(self, key: str) -> Reader | None:
        """What reads the value that ``key`` names in the record, an expression, an adapter or a chain of them; None
        where the template does not say it."""
        given = self._take(key, (str, dict, list), "a field name, a JMESPath expression, or an adapter", None)
        return None if given is None else self.compile(given)

    def value(self, key: str = "of") -> Reader:
        """As ``expression``; the whole value (of the step before) where the template does not say it."""
        return self.expression(key) or _itself

    def needed(self, key: str) -> Reader:
        """As ``expression``, but the template must say it."""
        read = self.expression(key)
        if read is None:
            raise self.wrong(f"{key}: is missing", "name a field")
        return read

    def text(self, key: str, default: str) -> str:
        return str(self._take(key, str, "a text", default))

    def maybe_text(self, key: str) -> str | None:
        text: str | None = self._take(key, str, "a text", None)
        return text

    def texts(self, key: str, default: list[str]) -> list[str]:
        found: list[str] = self._take(key, list, "a list of texts", default)
        if not all(isinstance(item, str) for item in found):
            raise self.wrong(f"{key}: is {found!r}", "write a list of texts")
        return found

    def flag(self, key: str) -> bool:
        return bool(self._take(key, bool, "true or false", False))

    def mapping(self, key: str) -> Json:
        return self._take(key, dict, "a mapping", None)

    def table_or_file(self, key: str) -> dict[str, Json] | list[Json] | SideFile | None:
        """A mapping, a list, or the file that holds one; None where the template does not say it."""
        found = self._take(key, (str, dict, list), "a mapping, a list, or a file name", None)
        return self._file(found) if isinstance(found, str) else found

    def list_or_file(self, key: str) -> list[Json] | SideFile:
        found = self._take(key, (str, list), "a list or a file name", None)
        if not found:
            raise self.wrong(f"{key}: is missing", "write a list or the name of a JSON file with one")
        return self._file(found) if isinstance(found, str) else found

    def _file(self, name: str) -> SideFile:
        file = SideFile(name, self.base, self.where)
        self.files.append(file)
        return file

    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        """One of some words; the first is the default."""
        word = self._take(key, str, " or ".join(choices), choices[0])
        if word not in choices:
            raise self.wrong(f"{key}: is {word!r}", did_you_mean(str(word), choices))
        return str(word)

    def has(self, *keys: str) -> bool:
        """True if exactly these arguments are given."""
        return self._left.keys() == set(keys)

    def rest(self) -> dict[str, Json]:
        """All arguments that were not taken, for an adapter whose keys are names of the template's own."""
        rest, self._left = self._left, {}
        return rest

    def finish(self) -> None:
        """TemplateError for an argument that the adapter has not."""
        for key in self._left:
            raise self.wrong(f"unknown argument {key!r}", did_you_mean(str(key), self._known))


def _itself(value: Json) -> Json:
    return value


def need_text(value: Json) -> str:
    """``value`` if it is a text; Mismatch otherwise."""
    if not isinstance(value, str):
        raise Mismatch(f"a text is needed, found {describe(value)}", "correct the record or the template's fields")
    return value


def need_texts(value: Json) -> list[str]:
    """``value`` if it is a list of texts; Mismatch otherwise."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Mismatch(
            f"a list of texts is needed, found {describe(value)}", "correct the record or the template's fields"
        )
    return value


def need_objects(value: Json) -> list[dict[str, Json]]:
    """``value`` if it is a list of objects; Mismatch otherwise."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Mismatch(
            f"a list of objects is needed, found {describe(value)}", "correct the record or the template's fields"
        )
    return value


def need_object(value: Json) -> dict[str, Json]:
    """``value`` if it is an object; Mismatch otherwise."""
    if not isinstance(value, dict):
        raise Mismatch(f"an object is needed, found {describe(value)}", "correct the record or the template's fields")
    return value
