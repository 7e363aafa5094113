"""Report: the files of a run directory as one self-contained HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from t2t.report import sections
from t2t.report.certainty_part import CertaintyChart, certainty
from t2t.report.continual_part import Stages, stages
from t2t.report.files import RunFiles, read_run
from t2t.report.style import CSS
from t2t.report.validation_part import ValidationTable, validation
from t2t.whole_files import write_text

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True, slots=True)
class View:
    """What stands on the page, part by part; None or nothing where a part has nothing to say."""

    head: sections.Head
    scores: sections.Scores
    stages: Stages | None
    validation: ValidationTable | None
    certainty: CertaintyChart | None
    training: list[sections.Drawn]
    worst: list[sections.WorstOfTask]
    data: sections.Data | None
    settings: sections.Settings | None


def write_report(run_dir: str | Path) -> Path:
    """Write ``report.html`` into the run directory, from its files alone; returns its path.

    The page loads nothing and runs no script. RunDirectoryError if the directory is no run's.
    """
    path = Path(run_dir) / "report.html"
    write_text(path, page(read_run(Path(run_dir))))
    return path


def page(run: RunFiles) -> str:
    """The whole page. Every text is escaped by the template, but for charts and marks, which are made here."""
    view = View(
        sections.head(run),
        sections.scores(run),
        stages(run),
        validation(run),
        certainty(run),
        sections.training(run),
        sections.worst(run),
        sections.data(run),
        sections.settings(run),
    )
    return _template().render(view=view, css=CSS) + "\n"


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("t2t.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html.j2")
