"""From raw records to the fields of examples: JMESPath expressions and adapters, one file a group of adapters."""

from t2t.tasks.fields import e2e, marking, nested, offsets, plain, refer, tags, turns  # noqa: F401  (they register)
from t2t.tasks.fields.adapter import ADAPTERS, SideFile
from t2t.tasks.fields.compile import compile_field, compile_fields

__all__ = ["ADAPTERS", "SideFile", "compile_field", "compile_fields"]
