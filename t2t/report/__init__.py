"""Report: the files of a run directory as one self-contained HTML page."""

from __future__ import annotations

from html import escape
from pathlib import Path

from t2t.report import sections
from t2t.report.continual_part import continual
from t2t.report.files import RunFiles, read_run
from t2t.report.style import CSS
from t2t.report.validation_part import validation
from t2t.whole_files import write_text


def write_report(run_dir: str | Path) -> Path:
    """Write ``report.html`` into the run directory, from its files alone; returns its path.

    The page loads nothing and runs no script. RunDirectoryError if the directory is no run's.
    """
    path = Path(run_dir) / "report.html"
    write_text(path, page(read_run(Path(run_dir))))
    return path


def page(run: RunFiles) -> str:
    """The whole page."""
    parts = [
        sections.head,
        sections.scores,
        continual,
        validation,
        sections.training,
        sections.worst,
        sections.data,
        sections.settings,
    ]
    body = "\n".join(part(run) for part in parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(run.name)}: report</title><style>{CSS}</style></head>"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )
