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
from t2t.engine.distributed import has_gpu
from t2t.engine.lifetime import end_with_starters
from t2t.errors import DataError, InputError, RunFileError
from t2t.generation.engine import usual_tokens
from t2t.serving.batch_job import Chunk, Job, by_place, chunks_of, identity, is_first, work
from t2t.serving.doubled_ids import SeenIds
from t2t.serving.inputs import Reader, files_of, names_of, read_files, read_spooled, renaming, spooled
from t2t.serving.loading import adapter_folder, model_folder
from t2t.serving.model import AdaptedModel, Model, load, reader_of
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

    ``task``: several, between commas, are asked of each record. ``inputs``: files, patterns, or ``-``. ``form``: of
    the files, one of inputs.FORMATS; None: by their endings. ``fields``: FIELD=COLUMN pairs. ``keep``: columns of the
    input that are in the output too, as ``input_NAME`` where the output has a NAME of its own. ``min_score``: answers
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
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        found = "standard input is one, and a launcher has started several processes that would share it out"
        raise RunFileError("--input -", found, "write it to a file, or use --workers")
    with tempfile.TemporaryDirectory() as folder:
        whole = spooled(Path(folder))
        return _batch(asked, [whole], out, partial(read_spooled, whole))


def loaded_for(asked: Asked) -> Model | AdaptedModel:
    """The model that answers."""
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
        loaded, bad = loaded_for(asked), BadRecords("skip", rejects)
        records = islice(read_files(names, loaded.reader(asked.task), bad, asked.form), asked.settings.limit)
        for row in _rows(asked, loaded, records, bad):
            answered += 1
            if row["confidence"] < asked.min_score:
                unsure += 1
            else:
                write(row)
        if rejects.first is not None and not answered:
            raise _all_bad(asked, rejects.first, rejects.count)
    _print_unsure(asked, unsure, "and not written: give --output to have them beside it")
    _print_none(asked, answered)
    return answered - unsure


def _batch(asked: Asked, files: Sequence[Path], out: Path, read: Callable[..., Iterator[RawRecord]]) -> int:
    worker, loaded = os.environ.get("T2T_WORKER"), None
    if worker is not None:
        end_with_starters()
    elif asked.unique_ids:
        loaded = loaded_for(asked)
        refuse_doubled(asked, loaded.reader(asked.task), read)
    job = Job(out, _head(asked, files), begin=worker is None)
    seen = SeenIds() if is_first() and not asked.unique_ids else None
    if worker is not None and job.is_joined():  # the others were through before this one had started
        if seen is not None:
            _see_all(asked, reader_of(asked.model, asked.task, asked.adapters), read, seen)
            _print_doubled(seen)
        return 0
    loaded = loaded or loaded_for(asked)
    with tqdm(desc="generate", unit=" records") as bar:

        def see(records: Sequence[RawRecord]) -> None:
            bar.update(len(records))
            if seen is not None:
                seen.add(records)

        chunks = partial(input_chunks, asked, loaded.reader(asked.task), read)
        count = work(job, chunks, ChunkAnswerer(asked, loaded, job, Rejects(None)), see)
    if seen is not None:
        _print_doubled(seen)
    return end_job(asked, job, count)


def input_chunks(asked: Asked, reader: Reader, read: Callable[..., Iterator[RawRecord]]) -> Iterator[Chunk]:
    """The input cut into chunks. ``read``: gives the records for a reader, where the bad ones go to, and a form."""
    unread: list[DataError] = []
    records = read(reader, BadRecords("skip", unread.append), asked.form)
    return chunks_of(islice(records, asked.settings.limit), unread)


class ChunkAnswerer:
    """Answers a chunk and writes what came of it; bad records go to ``rejects`` too."""

    def __init__(
        self, asked: Asked, loaded: Model | AdaptedModel, job: Job, rejects: Callable[[DataError], object]
    ) -> None:
        self._asked, self._loaded, self._job, self._rejects = asked, loaded, job, rejects

    def __call__(self, chunk: Chunk) -> None:
        number, records, met = chunk
        bad, least = list(met), self._asked.min_score
        rows = list(_rows(self._asked, self._loaded, records, BadRecords("skip", bad.append), number == 0))
        bad = by_place(bad, records)
        sure = [row for row in rows if row["confidence"] >= least]
        self._job.finish(number, sure, bad, (row for row in rows if row["confidence"] < least))
        for error in bad:
            self._rejects(error)


def end_job(asked: Asked, job: Job, count: int) -> int:
    """Join the ``count`` chunks and print what is to be known of them; gives how many answers there are, 0 where
    another process has joined them. DataError where no record could be answered."""
    joined = job.join(count)
    if joined is None:
        return 0
    first = job.first_bad()
    if first is not None and not joined.answers + joined.unsure:
        job.out.unlink(missing_ok=True)
        raise _all_bad(asked, DataError(first["where"], first["found"], first["todo"]), joined.bad)
    if joined.bad:
        print(f"t2t: {joined.bad} records were set aside, see {job.rejected}", file=sys.stderr)
    _print_unsure(asked, joined.unsure, f"see {job.unsure}")
    _print_none(asked, joined.answers + joined.unsure)
    return joined.answers


def begin_job(asked: Asked, out: Path, stdin: Path) -> Job:
    """The job of a command, before those who work at it are started. ``stdin``: what was read of it."""
    names = list(asked.inputs)
    files = [stdin] if names == ["-"] else [find_file(name, Path.cwd(), name).path for name in files_of(names)]
    return Job(out, _head(asked, files))


def refuse_doubled(asked: Asked, reader: Reader, read: Callable[..., Iterator[RawRecord]]) -> None:
    """DataError where an id stands twice in the input, as far as it can be read."""
    seen = SeenIds()
    _see_all(asked, reader, read, seen)
    if (found := seen.doubled()).ids:
        todo = "give each record an id of its own, or leave --unique-ids out: each then has its line, in their order"
        raise DataError(found.first[0].last, found.summary, todo)


def _see_all(asked: Asked, reader: Reader, read: Callable[..., Iterator[RawRecord]], seen: SeenIds) -> None:
    for _, chunk, _ in input_chunks(asked, reader, read):
        seen.add(chunk)


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
    members = [] if stdin else [find_file(name, Path.cwd(), name).member for name in files_of(asked.inputs)]
    return {
        "t2t": __version__,
        "model": content_hash(model_folder(asked.model), _READ),
        "adapters": adapters,
        "task": asked.task,
        "settings": asdict(asked.settings),
        "batches": asked.settings.tokens or usual_tokens("cuda" if has_gpu() else "cpu"),
        "fields": list(asked.fields),
        "keep": list(asked.keep),
        "min_score": asked.min_score,
        "format": asked.form,
        "input": [[one[1], one[3]] for one in known] if stdin else known,
        "members": members,
    }


def _rows(
    asked: Asked, loaded: Model | AdaptedModel, records: Iterable[RawRecord], bad: BadRecords, tell: bool = True
) -> Iterator[dict[str, Json]]:
    """The lines of the output. ``tell``: columns that the first record lacks."""
    own = (*COLUMNS, "task") if len(names_of(asked.task)) > 1 else COLUMNS
    kept_as = {key: f"input_{key}" if key in own else key for key in asked.keep}
    for found, data in loaded.answer_records(asked.task, records, renaming(asked.fields), bad):
        if tell:
            _print_missing(asked.keep, data)
            tell = False
        kept: dict[str, Json] = {kept_as[key]: data.get(key) for key in asked.keep}
        yield {**found.to_json(), **kept}


def _all_bad(asked: Asked, first: DataError, count: int) -> DataError:
    """``count``: of several tasks each record is bad for each."""
    several = len(names_of(asked.task)) > 1
    records = "no record could be answered" if several else f"none of {count} records could be answered"
    return DataError(first.where, f"{first.found}; {records}", first.todo)


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
