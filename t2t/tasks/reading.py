"""From raw records to fields: a template's source, and its ``fields:``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from t2t.config.template import Template
from t2t.structures import Record
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.fields import SideFile, compile_fields
from t2t.tasks.record import RawRecord
from t2t.tasks.sources import Source, build_source


class Reading:
    """How the records of a template are read. Nothing is read before it is asked for.

    TemplateError for a mistake in ``fields:``.
    """

    def __init__(self, template: Template) -> None:
        self._template = template
        self._files: list[SideFile] = []
        self._map = compile_fields(
            template.fields, template.path.parent, lambda name: template.where(("fields", name)), self._files
        )

    @cached_property
    def source(self) -> Source:
        """The source of the raw records. TemplateError for a mistake in ``source:``."""
        template = self._template
        return build_source(dict(template.source), template.path.parent, template.where(("source",)))

    def fields(self, raw: RawRecord) -> Record:
        """What the template's ``fields:`` make of a raw record. DataError for one that they do not fit."""
        return self._map(raw)

    def each_of_training(self, use: Callable[[Record, str], None]) -> None:
        """``use`` the fields and the place of each training record; one for which it raises DataError is bad."""
        bad = BadRecords(self._template.on_bad)
        for _ in bad.each(self.source.records("train", bad), lambda raw: use(self.fields(raw), raw.where)):
            pass

    def digests(self) -> list[str]:
        """Those of the files that ``fields:`` names, beside the source's own."""
        return [file.digest() for file in self._files]
