"""From raw records to the fields of examples: JMESPath expressions and adapters, one file a group of adapters."""

from t2t.tasks.fields import dialogue, e2e, marking, nested, offsets, plain, refer, tags  # noqa: F401  (they register)
from t2t.tasks.fields.compile import compile_field, compile_fields
from t2t.tasks.fields.registry import ADAPTERS, SideFile

__all__ = ["ADAPTERS", "SideFile", "compile_field", "compile_fields"]
