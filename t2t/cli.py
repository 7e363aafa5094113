"""The command line. It parses arguments and calls one function of t2t.runs; nothing heavy is imported before."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from t2t import __version__
from t2t.arithmetic import add_in_one_order
from t2t.collector import search_seldom
from t2t.commands.launch import ALLOW_HELP, ALLOW_UNVERIFIED
from t2t.errors import InputError, RunFileError, T2TError, sentence_of
from t2t.terminal import show_controls, shown

Command = Callable[[argparse.Namespace], int]


def _list(arguments: argparse.Namespace) -> int:
    from t2t.authoring.listing import list_tasks

    print(list_tasks())
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from t2t.authoring.check import check_each, report_text
    from t2t.config.shipped_files import template_files
    from t2t.tasks.task import named_tasks

    names = [task for name in arguments.template or sorted(template_files()) for task in named_tasks(name)]
    reports = check_each(names, arguments.tokenizer)
    print(report_text(reports, arguments.json))
    return 2 if any(report.failed for report in reports) else 1 if any(report.errors for report in reports) else 0


def _show(arguments: argparse.Namespace) -> int:
    from t2t.authoring.show import show

    print(show(arguments.task, arguments.split, arguments.id, arguments.tokenizer, arguments.epoch))
    return 0


def _new(arguments: argparse.Namespace) -> int:
    from t2t.authoring.new import new

    text, errors = new(arguments.files, arguments.out)
    print(text)
    return 1 if errors else 0


def _train(arguments: argparse.Namespace) -> int:
    from t2t.commands.start import TrainingFailed, start_training

    if (arguments.file is None) == (arguments.config is None):
        raise RunFileError("t2t train", "there is not exactly one run file", "write t2t train FILE")
    if arguments.dry_run:
        return _dry_run(arguments.file or arguments.config, arguments.set)
    try:
        start_training(arguments.file or arguments.config, arguments.set)
    except TrainingFailed as failed:
        return failed.code
    return 0


def _dry_run(file: Path, overrides: Sequence[str]) -> int:
    from t2t.commands.launch import check_reach_of
    from t2t.config.run import load_run

    run = load_run(file, overrides)
    check_reach_of(run.model, run.tokenizer, run.where)

    from t2t.training.dry_run import dry_run  # takes seconds

    for line in dry_run(run):
        print(line, flush=True)
    return 0


def _generate(arguments: argparse.Namespace) -> int:
    add_in_one_order()
    if (arguments.config is None) == (arguments.model is None):
        found = "there is neither --config nor --model" if arguments.config is None else "--config and --model"
        todo = "--config FILE generates for the splits of a run, --model DIR --input FILE for your own records"
        raise RunFileError("t2t generate", found, todo)
    return _generate_for_run(arguments) if arguments.model is None else _generate_for_file(arguments)


def _generate_for_file(arguments: argparse.Namespace) -> int:
    from t2t.commands.answer import Asked, answer_file
    from t2t.config.run_file import read_generation
    from t2t.serving.inputs import names_of

    if arguments.input is None or arguments.types:
        found = "--input is missing" if arguments.input is None else "--types goes with --config"
        raise RunFileError("t2t generate --model", found, "write --model DIR --task NAME --input FILE")
    keep = [name for name in (arguments.keep or "").split(",") if name]
    asked = Asked(
        model=arguments.model,
        task=",".join(names_of(arguments.task)) or None,
        inputs=arguments.input,
        form=arguments.format,
        fields=arguments.field,
        keep=keep,
        adapters=_adapters(arguments.adapters),
        settings=read_generation(arguments.set, arguments.top),
        min_score=arguments.min_score,
        unique_ids=arguments.unique_ids,
    )
    if arguments.distributed == "ray":
        from t2t.commands.ray_job import answer_with_ray

        answer_with_ray(asked, arguments.output, arguments.workers or 0)
        return 0
    if arguments.workers is not None and arguments.workers > 1:
        from t2t.commands.workers import answer_with_workers

        return answer_with_workers(arguments.argv, asked, arguments.output, arguments.workers)
    answer_file(asked, arguments.output)
    return 0


def _positive(given: str) -> int:
    if not given.isdecimal() or not int(given):
        raise argparse.ArgumentTypeError(f"{given!r} is no number above 0, write 1, 2, ..")
    return int(given)


def _share(given: str) -> float:
    try:
        found = float(given)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise argparse.ArgumentTypeError(f"{given!r} is no probability, write e.g. 0.9")
    return found


def _adapters(pairs: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for pair in pairs:
        name, sign, folder = pair.partition("=")
        if not (name and sign and folder) or name in found:
            what = "is given twice" if name in found else "is no NAME=DIR"
            raise RunFileError(f"--adapters {pair}", f"it {what}", "write e.g. --adapters names=runs/names/adapter")
        found[name] = Path(folder)
    return found


def _generate_for_run(arguments: argparse.Namespace) -> int:
    from t2t.config.run import load_run

    of_records = arguments.adapters or arguments.top or arguments.min_score or arguments.unique_ids
    if of_records or arguments.workers is not None or arguments.distributed is not None:
        found = "--adapters, --top, --min-score, --unique-ids, --workers and --distributed go with --model"
        raise RunFileError("t2t generate --config", found, "leave them out, or write --model DIR --input FILE")
    run = load_run(arguments.config, arguments.set)

    from t2t.commands.generate import generate_run  # takes seconds

    generate_run(run, arguments.types)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from t2t.commands.export import export
    from t2t.commands.push import check_push, push

    if arguments.public and arguments.push is None:
        raise InputError("--public", "there is no --push", "write --push OWNER/NAME --public")
    if arguments.push is not None:
        check_push(arguments.push)
    print(export(arguments.model, arguments.to, arguments.format, arguments.quantization), flush=True)
    if arguments.push is not None:
        print(push(arguments.to, arguments.push, arguments.public))
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from t2t.commands.explain import AskedWhy, explain_file

    asked = AskedWhy(
        model=arguments.model,
        task=arguments.task,
        inputs=arguments.input,
        form=arguments.format,
        fields=arguments.field,
        limit=arguments.limit,
        adapters=_adapters(arguments.adapters),
    )
    return 0 if explain_file(asked, arguments.output, arguments.json) else 1


def _drift(arguments: argparse.Namespace) -> int:
    from t2t.commands.drift import AskedDrift, report_drift

    asked = AskedDrift(
        model=arguments.model,
        task=arguments.task,
        inputs=arguments.input,
        form=arguments.format,
        fields=arguments.field,
        limit=arguments.limit,
    )
    return 3 if report_drift(asked, arguments.json) and arguments.fail_on_drift else 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from t2t.config.run import load_run
    from t2t.evaluation.evaluate import evaluate_run, print_table

    print_table(evaluate_run(load_run(arguments.config, arguments.set)))
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from t2t.config.run import load_run
    from t2t.report import write_report

    print(write_report(load_run(arguments.config, arguments.set).directory))
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from t2t.commands.demo import demo
    from t2t.commands.start import TrainingFailed

    try:
        demo(arguments.set, arguments.ask)
    except TrainingFailed as failed:
        return failed.code
    return 0


def _run_arguments(parser: argparse.ArgumentParser, config: bool = True, such_as: str = "") -> None:
    if config:
        parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the run file")
    help_ = f"override a setting of it{such_as}"
    parser.add_argument("--set", action="append", default=[], metavar="a.b=c", help=help_)
    _trust_argument(parser)


def _trust_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trust-python", action="store_true", help="run the Python nodes of templates")


def _epoch(given: str) -> int:
    if not given.isdecimal():
        raise argparse.ArgumentTypeError(f"{given!r} is no epoch, write 0, 1, 2, ..")
    return int(given)


def _tokenizer_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tokenizer", type=Path, metavar="DIR", help="count and show tokens of this tokenizer (or a hub name)"
    )


Add = Callable[[str, Command, str], argparse.ArgumentParser]


def _authoring(add: Add) -> None:
    check = add("check", _check, "try templates on their whole data before training")
    check.add_argument("template", nargs="*", help="task names or template files; by default all")
    _tokenizer_argument(check)
    check.add_argument("--json", action="store_true", help="print everything found as JSON")
    _trust_argument(check)
    show = add("show", _show, "one example at every stage, from record to structure")
    show.add_argument("task", help="a task name or a template file")
    show.add_argument("--split", help="the split to look in; by default the first")
    show.add_argument("--id", help="the id of the example; by default the first that is not empty")
    show.add_argument("--epoch", type=_epoch, metavar="N", help="as training draws it in epoch N (0, 1, ..) of seed 0")
    _tokenizer_argument(show)
    _trust_argument(show)
    new = add("new", _new, "propose a template and a run file for data, write and check them")
    files_help = (
        "a data file, a folder or an archive; or several files: line-aligned, of splits, of classes. Exit code 1:"
    )
    files_help += " something is left out that may be the task; 2: the data cannot be read right"
    new.add_argument("--from", dest="files", nargs="+", required=True, metavar="DATA", help=files_help)
    new.add_argument("--out", type=Path, metavar="FAMILY/NAME.yaml", help="the template; default: in task_templates/")
    add("list", _list, "the tasks of the template library")


def _training(add: Add) -> None:
    train = add("train", _train, "train a run file: what `deepspeed launch.sh` does")
    train.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the run file")
    train.add_argument("--config", type=Path, metavar="FILE", help="the run file, as launch.sh is given it")
    _run_arguments(train, config=False)
    train.add_argument("--dry-run", action="store_true", help="check and prepare all, and say what would be done")
    train.add_argument("--allow-unverified", dest="set", action="append_const", const=ALLOW_UNVERIFIED, help=ALLOW_HELP)


def _records_arguments(parser: argparse.ArgumentParser, required: bool) -> None:
    """What says which records a model is given."""
    parser.add_argument(
        "--task",
        metavar="NAME",
        help="one of the model's tasks, or several (A,B) for each record; not needed where it has one, or where each "
        "record says its own under task"
        if not required
        else "one of the model's tasks; not needed where it has one",
    )
    input_help = "files or patterns: jsonl, json, csv, tsv, parquet, or lines of text; - is standard input"
    parser.add_argument("--input", nargs="+", required=required, metavar="FILE", help=input_help)
    forms = ("jsonl", "json", "csv", "tsv", "parquet", "lines")
    parser.add_argument("--format", choices=forms, help="of the input, where its ending does not say it")
    parser.add_argument("--field", action="append", default=[], metavar="F=COLUMN", help="the column that a field is")


def _adapters_argument(parser: argparse.ArgumentParser) -> None:
    adapters_help = "adapters trained on that model; each answers the tasks that it was trained on"
    parser.add_argument("--adapters", nargs="+", default=[], metavar="NAME=DIR", help=adapters_help)


def _explaining(add: Add) -> None:
    why = "which tokens of its text carried each item of an output, as a page with the text shaded"
    explain = add("explain", _explain, why)
    explain.add_argument("--model", type=Path, required=True, metavar="DIR", help="a run or a model folder")
    _records_arguments(explain, required=True)
    _adapters_argument(explain)
    output_help = "the page; default: explain.html"
    explain.add_argument("--output", type=Path, default=Path("explain.html"), metavar="FILE", help=output_help)
    explain.add_argument("--json", type=Path, metavar="FILE", help="the attributions too, a line for each record")
    limit_help = "explain the first N records; default: 100"
    explain.add_argument("--limit", type=_positive, default=100, metavar="N", help=limit_help)
    _trust_argument(explain)


def _drifting(add: Add) -> None:
    drift = add("drift", _drift, "whether new records are like those that a model was trained on, or an update is due")
    drift.add_argument("--model", type=Path, required=True, metavar="DIR", help="a run or a model folder")
    _records_arguments(drift, required=True)
    drift.add_argument("--json", type=Path, metavar="FILE", help="write what was found as JSON too")
    limit_help = "compare the first N records; default: 1000"
    drift.add_argument("--limit", type=_positive, default=1000, metavar="N", help=limit_help)
    drift.add_argument("--fail-on-drift", action="store_true", help="end with exit code 3 where an update is due")
    _trust_argument(drift)


def _generation(add: Add) -> None:
    generate = add("generate", _generate, "write predictions for the splits of a run, or answers for your own records")
    generate.add_argument("--config", type=Path, metavar="FILE", help="the run file, for the splits of its tasks")
    such_as = "; also with --model: generate.beams=4, generate.sample.n=3 (three samples of each input)"
    _run_arguments(generate, config=False, such_as=such_as)
    generate.add_argument("--model", type=Path, metavar="DIR", help="a model folder, for records that have no gold")
    _records_arguments(generate, required=False)
    workers_help = "processes on this machine; on several with one disk start the same command on each: they share it"
    generate.add_argument("--workers", type=_positive, metavar="N", help=workers_help)
    distributed_help = "on a Ray cluster (RAY_ADDRESS, else this machine) by --workers models, else one a GPU"
    generate.add_argument("--distributed", choices=("ray",), help=distributed_help)
    output_help = "jsonl, or parquet by its ending; default: standard output"
    generate.add_argument("--output", type=Path, metavar="FILE", help=output_help)
    generate.add_argument("--keep", metavar="A,B", help="columns of the input that the output has too")
    top_help = "of a label or a choice, the K likeliest values with their probabilities (generate.mode=rank)"
    generate.add_argument("--top", type=_positive, default=0, metavar="K", help=top_help)
    score_help = "set answers aside whose confidence is below P (0 to 1), in OUTPUT.unsure.jsonl"
    generate.add_argument("--min-score", type=_share, default=0.0, metavar="P", help=score_help)
    unique_help = "refuse an input in which an id stands twice, before anything is answered; else it is told at the end"
    generate.add_argument("--unique-ids", action="store_true", help=unique_help)
    _adapters_argument(generate)
    generate.add_argument("--types", metavar="A,B", help="ask for types of your own, of tasks with types: sampled")
    out = add("export", _export, "write a model to a folder that others use without t2t, with a card")
    out.add_argument("--model", type=Path, required=True, metavar="DIR", help="a run or a model folder")
    out.add_argument("--to", type=Path, required=True, metavar="OUT", help="a new folder")
    out.add_argument("--format", choices=("transformers", "ctranslate2"), default="transformers")
    out.add_argument(
        "--quantization", choices=("float32", "bfloat16", "int8"), default="float32", help="of ctranslate2"
    )
    push_help = "upload it to this repository of the hub too, made private where it is not there; exit code 1: refused"
    out.add_argument("--push", metavar="OWNER/NAME", help=push_help)
    out.add_argument("--public", action="store_true", help="of --push: everybody may read it")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands and flags (a test freezes them)."""
    parser = argparse.ArgumentParser("t2t", description="One text-to-text model for every language task.")
    parser.add_argument("--version", action="version", version=f"t2t {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Command, help_: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_, description=help_)
        command.set_defaults(run=run)
        return command

    _authoring(add)
    _training(add)
    _generation(add)
    _explaining(add)
    _drifting(add)
    _run_arguments(add("evaluate", _evaluate, "score the predictions and print a table"))
    _run_arguments(add("report", _report, "write the HTML report of a run"))
    demo = add("demo", _demo, "train, generate, evaluate and report the atlas tasks, and answer sentences")
    demo.add_argument("--ask", action="append", metavar="TEXT", help="a sentence to answer at the end, again for more")
    _run_arguments(demo, config=False)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    2: a user's mistake, a path that is not there among them; 1: what the system refused. Each is reported in one
    sentence on standard error.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot say a character shows its number
    show_controls()
    if arguments is None:  # the process is the command's own
        search_seldom()
    parsed = build_parser().parse_args(arguments)
    parsed.argv = list(sys.argv[1:] if arguments is None else arguments)
    if getattr(parsed, "trust_python", False):
        from t2t.trust import trust_python

        trust_python()
    run: Command = parsed.run
    try:
        return run(parsed)
    except InputError as error:
        print(f"t2t: {shown(str(error))}", file=sys.stderr)
        return 2
    except T2TError as error:
        print(f"t2t: {shown(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 141
    except KeyboardInterrupt:
        return 130
    except (OSError, UnicodeEncodeError) as error:
        print(f"t2t: {sentence_of(error)}", file=sys.stderr)
        return 2 if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError)) else 1
