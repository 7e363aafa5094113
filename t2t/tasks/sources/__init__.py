"""Where records come from. ``build_source`` reads a template's ``source:``; one file a group of formats."""

from t2t.tasks.sources import documents, folders, hub, parquet, tables, text_lines  # noqa: F401  (their formats register)
from t2t.tasks.sources.base import SOURCES, RawRecord, Source, data_dir, find_file
from t2t.tasks.sources.build import build_source

__all__ = ["SOURCES", "RawRecord", "Source", "build_source", "data_dir", "find_file"]
