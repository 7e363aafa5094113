"""``t2t generate --model DIR --task NAME --input FILE``: structures from records that have no gold."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from t2t import __version__
from t2t.config.run import GenerateSettings
from t2t.config.settings import as_data
from t2t.engine.disk import content_hash
from t2t.engine.lifetime import end_with_starters
from t2t.errors import DataError, InputError, RunFileError
from t2t.serving.batch_job import CHUNK, Job, by_place, chunks_of, identity
from t2t.serving.doubled_ids import SeenIds
from t2t.serving.inputs import files_of, read_files, read_spooled, renaming, spooled
from t2t.serving.loading import adapter_folder, model_folder
from t2t.serving.model import AdaptedModel, Model, load
from t2t.serving.outputs import COLUMNS, Rejects, writing
from t2t.structures import Json
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.data_files import find_file
from t2t.tasks.record import RawRecord

# What answers depend on.
_READ = ("*.safetensors", "*.bin", "config.json", "tokenizer*.json", "*.model", "adapter.json", "tasks.json",
         "calibration.json", "adapters.json", "adapters/*/*")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What records are answered, by what, and what is in the output.

    ``inputs``: files, patterns, or ``-``. ``form``: of the files, one of inputs.FORMATS; None: by their endings.
    ``fields``: FIELD=COLUMN pairs. ``keep``: columns of the input that are in the output too, as ``input_NAME`` where
    the output has a NAME of its own. ``shard``: which chunks are done here, of how many; from 0. ``min_score``: answers
    with less confidence are set aside, in OUT.unsure.jsonl. ``unique_ids``: an input with an id that stands twice is
    refused, before anything is answered; else it is told at the end.
    """

    model: Path
    task: str | None
    inputs: Sequence[str]
    form: str | None = None
    fields: Sequence[str] = ()
    keep: Sequence[str] = ()
    adapters: Mapping[str, Path] | None = None
    settings: GenerateSettings = GenerateSettings()  # noqa: RUF009 (frozen)
    shard: tuple[int, int] = (0, 1)
    min_score: float = 0.0
    unique_ids: bool = False


def answer_file(asked: Asked, out: Path | None) -> int:
    """Answer records and give how many there were.

    ``out``: JSON lines or Parquet by its ending; None: standard output. Bad records are reported on standard error, and
    are in OUT.bad.jsonl. DataError, and no output, where all of them are bad, and for ids that stand twice where they
    are asked to be ``unique_ids``. A job that was killed goes on where it was when it is called again (see Job).
    """
    if out is None and asked.unique_ids:
        raise RunFileError("--unique-ids", "it needs --output, since the input is read twice", "name a file")
    if out is None:
        return _stream(asked, files_of(asked.inputs))
    if out.is_dir():
        raise RunFileError("--output", f"{out} is a folder", "name a file")
    if list(asked.inputs) != ["-"]:
        names = files_of(asked.inputs)
        return _batch(
            asked, [find_file(name, Path.cwd(), name).path for name in names], out, partial(read_files, names)
        )
    with tempfile.TemporaryDirectory() as folder:
        whole = spooled(Path(folder))
        return _batch(asked, [whole], out, partial(read_spooled, whole))


def _loaded(asked: Asked) -> Model | AdaptedModel:
    settings = asked.settings
    return load(
        asked.model,
        adapters=asked.adapters,
        precision=settings.precision,
        engine=settings.engine,
        num_beams=settings.beams,
        length_penalty=settings.length_penalty,
        constrain=settings.constrain,
        batch_tokens=settings.tokens,
        mode=settings.mode,
        top=settings.top,
        items=settings.items,
        sample=None if settings.sample is None else as_data(settings.sample),
        no_repeat_ngram=settings.no_repeat_ngram,
        max_tokens=settings.max_tokens,
    )


def _stream(asked: Asked, names: Sequence[str]) -> int:
    rejects = Rejects(None)
    answered = unsure = 0
    with writing(None) as write, closing(rejects):
        loaded, bad = _loaded(asked), BadRecords("skip", rejects)
        records = islice(read_files(names, loaded.reader(asked.task), bad, asked.form), asked.settings.limit)
        for row in _rows(asked, loaded, records, bad):
            answered += 1
            if row["confidence"] < asked.min_score:
                unsure += 1
            else:
                write(row)
        if rejects.first is not None and not answered:
            raise _all_bad(rejects.first, rejects.count)
    _print_unsure(asked, unsure, "and not written: give --output to have them beside it")
    _print_none(asked, answered)
    return answered - unsure


def _batch(asked: Asked, files: Sequence[Path], out: Path, read: Callable[..., Iterator[RawRecord]]) -> int:
    loaded = _loaded(asked) if asked.unique_ids else None
    if loaded is not None:
        _refuse_doubled(asked, read(loaded.reader(asked.task), BadRecords("skip"), asked.form))
    job = Job(out, _head(asked, files))
    rejects, unread = Rejects(None), list[DataError]()
    mine, shards = asked.shard
    seen = SeenIds() if mine == 0 and loaded is None else None  # one of the workers tells
    if "T2T_WORKER" in os.environ:
        end_with_starters()
    with tqdm(desc="generate", unit=" records") as bar:
        loaded = loaded or _loaded(asked)
        records = read(loaded.reader(asked.task), BadRecords("skip", unread.append), asked.form)
        number = 0
        for number, chunk, met in chunks_of(islice(records, asked.settings.limit), unread):
            if seen is not None:
                seen.add(chunk)
            if number % shards == mine and not job.is_finished(number):
                bad = list(met)
                rows = list(_rows(asked, loaded, chunk, BadRecords("skip", bad.append), number == 0))
                bad = by_place(bad, chunk)
                sure = [row for row in rows if row["confidence"] >= asked.min_score]
                job.finish(number, sure, bad, (row for row in rows if row["confidence"] < asked.min_score))
                for error in bad:
                    rejects(error)
            bar.update(len(chunk))
    if seen is not None:
        _print_doubled(seen)
    joined = job.join(number + 1)
    if joined is None:
        return 0  # others are still at it; the last of them joins
    first = job.first_bad()
    if first is not None and not joined.answers + joined.unsure:
        out.unlink(missing_ok=True)
        raise _all_bad(DataError(first["where"], first["found"], first["todo"]), joined.bad)
    if joined.bad:
        print(f"t2t: {joined.bad} records were set aside, see {job.rejected}", file=sys.stderr)
    _print_unsure(asked, joined.unsure, f"see {job.unsure}")
    _print_none(asked, joined.answers + joined.unsure)
    return joined.answers


def _refuse_doubled(asked: Asked, records: Iterator[RawRecord]) -> None:
    """DataError where an id stands twice. ``records``: all of the input, as far as they can be read."""
    seen = SeenIds()
    for _, chunk, _ in chunks_of(islice(records, asked.settings.limit), []):
        seen.add(chunk)
    if (found := seen.doubled()).ids:
        todo = "give each record an id of its own, or leave --unique-ids out: each then has its line, in their order"
        raise DataError(found.first[0].last, found.summary, todo)


def _print_doubled(seen: SeenIds) -> None:
    """What is at the end of a job is not lost because there was no room to look for ids."""
    try:
        if (found := seen.doubled()).ids:
            what = "each record has its line, in the order of the input (--unique-ids refuses such an input)"
            print(f"t2t: {found.summary}; {what}", file=sys.stderr)
    except InputError as error:
        print(f"t2t: {error}", file=sys.stderr)


def _head(asked: Asked, files: Sequence[Path]) -> dict[str, Json]:
    """What makes a job what it is: another model, input or setting is another job."""
    adapters = {name: content_hash(adapter_folder(folder), _READ) for name, folder in (asked.adapters or {}).items()}
    known = [identity(path) for path in files]
    stdin = list(asked.inputs) == ["-"]
    return {
        "t2t": __version__,
        "model": content_hash(model_folder(asked.model), _READ),
        "adapters": adapters,
        "task": asked.task,
        "settings": asdict(asked.settings),
        "fields": list(asked.fields),
        "keep": list(asked.keep),
        "min_score": asked.min_score,
        "format": asked.form,
        "input": [[one[1], one[3]] for one in known] if stdin else known,
        "chunk": CHUNK,
    }


def _rows(
    asked: Asked, loaded: Model | AdaptedModel, records: Iterable[RawRecord], bad: BadRecords, tell: bool = True
) -> Iterator[dict[str, Json]]:
    """The lines of the output. ``tell``: columns that the first record lacks."""
    kept_as = {key: f"input_{key}" if key in COLUMNS else key for key in asked.keep}
    for found, data in loaded.answer_records(asked.task, records, renaming(asked.fields), bad):
        if tell:
            _print_missing(asked.keep, data)
            tell = False
        kept: dict[str, Json] = {kept_as[key]: data.get(key) for key in asked.keep}
        yield {**found.to_json(), **kept}


def _all_bad(first: DataError, count: int) -> DataError:
    return DataError(first.where, f"{first.found}; none of {count} records could be answered", first.todo)


def _print_unsure(asked: Asked, count: int, where: str) -> None:
    if count:
        print(f"t2t: {count} answers have a confidence below {asked.min_score:g}, {where}", file=sys.stderr)


def _print_none(asked: Asked, answered: int) -> None:
    if not answered:
        name = "standard input" if list(asked.inputs) == ["-"] else " ".join(asked.inputs)
        print(f"t2t: {name} holds no record", file=sys.stderr)


def _print_missing(keep: Sequence[str], data: Mapping[str, Json]) -> None:
    missing = [key for key in keep if key not in data]
    if missing:
        has = ", ".join(map(str, data))
        found = f"the first record has no {', '.join(map(repr, missing))} (it has {has})"
        print(f"t2t: --keep: {found}; null stands where a record has none", file=sys.stderr)
