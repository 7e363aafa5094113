"""A batch job that can be killed at any moment: its input in chunks, each answered once and written whole.

What is done is in OUT.parts/: ``job.json`` says what the job is, and each chunk that is finished has its answers
and its bad records there. The chunks are a function of the input, and a chunk is decoded by itself, so the same bytes
come of a job that was killed, of several workers, and of one that went through. When all chunks are there they are
joined in their order, and the folder is removed.

Who works on a chunk has claimed it, by a lock that goes with the process: of any number of workers each takes the next
chunk that is free, and what a dead one has left is taken over.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import xxhash
from filelock import FileLock

from t2t.data.bounded import bounded, length
from t2t.errors import DataError, RunDirectoryError
from t2t.json_lines import json_line
from t2t.runs.run_files import read_json, write_json
from t2t.serving.outputs import writing
from t2t.structures import Json
from t2t.tasks.record import RawRecord
from t2t.whole_files import whole_bytes, whole_file

CHUNK = 2048  # records
_ENDS = 1 << 20  # bytes at both ends of a file by which it is known, beside its size and date
_HEAD = "job.json"
_LOOK = 0.2  # seconds
Chunk = tuple[int, list[RawRecord], list[DataError]]  # its number, its records, the bad ones met on the way to its end


@dataclass(frozen=True, slots=True)
class JoinedOutput:
    """How many answers, bad records and unsure answers a job ended with."""

    answers: int
    bad: int
    unsure: int


class Job:
    """The chunks of one job for the output ``out``."""

    def __init__(self, out: Path, head: Mapping[str, Json], begin: bool = True) -> None:
        """RunDirectoryError where OUT.parts holds another job, of which something is there or being done. Without
        ``begin`` another process has begun it: where it is not there it is joined."""
        self.out, self.folder = out, parts_of(out)
        self.rejected = out.with_name(f"{out.name}.bad.jsonl")
        self.unsure = out.with_name(f"{out.name}.unsure.jsonl")
        self._old = out.with_name(f"{out.name}.parts.joined")
        self._lock = out.with_name(f"{out.name}.parts.lock")
        self._head: dict[str, Json] = json.loads(json.dumps({**head, "chunk": CHUNK}))
        if begin:
            with FileLock(self._lock):  # nobody else begins or joins
                self._begin()

    def _begin(self) -> None:
        file = self.folder / _HEAD
        shutil.rmtree(self._old, ignore_errors=True)  # of a process that was killed while it removed it
        if not file.is_file():
            shutil.rmtree(self.folder, ignore_errors=True)  # written by one that came too late for a job
        elif self._is_begun():
            self._check()
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(file, self._head)

    def _is_begun(self) -> bool:
        """Whether a chunk is there, or is being done."""
        return any(self.folder.glob("*[0-9].jsonl")) or any(map(_is_held, self.folder.glob("*.claim")))

    def _check(self) -> bool:
        """Whether the folder is there. RunDirectoryError where it is of another job."""
        try:
            old = read_json(self.folder / _HEAD)
        except FileNotFoundError:
            return False
        if differs := sorted(key for key in {*old, *self._head} if old.get(key) != self._head.get(key)):
            found = f"it holds another job for this output (it differs in {', '.join(differs)})"
            raise RunDirectoryError(str(self.folder), found, "end that one by its command, or remove the folder")
        return True

    def is_finished(self, number: int) -> bool:
        return self._part(number).is_file() or self.is_joined()

    def is_joined(self) -> bool:
        """Whether the output is there and the folder gone. RunDirectoryError where another job has it, which was begun
        when nothing of this one was there."""
        return not self._check()

    @contextmanager
    def claimed(self, number: int) -> Iterator[bool]:
        """Whether this process has the chunk to do, for as long as the context lasts: nobody else has it, and it is
        not finished. The claim ends with the process too."""
        path = self.folder / f"{number:09d}.claim"
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:  # joined, and the folder removed
            yield False
            return
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            except OSError as error:
                found = f"its file system gives no locks ({error.strerror}), by which the workers of a job share it"
                raise RunDirectoryError(str(path), found, "name an --output on another file system") from error
            # A claim that another has just given up may be of a file that is no longer there: then the chunk is done.
            yield not self.is_finished(number)
            if self.is_finished(number):
                path.unlink(missing_ok=True)
        finally:
            os.close(file)

    def tries(self, number: int) -> int:
        """How often this was called for a chunk since ``forget_tries``: by those that were killed at it, and now."""
        with (self.folder / f"{number:09d}.tries").open("ab") as file:
            file.write(b".")
            return file.tell()

    def forget_tries(self) -> None:
        for path in self.folder.glob("*.tries"):
            path.unlink(missing_ok=True)

    def is_free(self, number: int) -> bool:
        """Whether a chunk is nobody's and not finished."""
        if self.is_finished(number):
            return False
        with self.claimed(number) as mine:
            return mine

    def finish(
        self,
        number: int,
        rows: Iterable[Mapping[str, Json]],
        bad: Sequence[DataError],
        unsure: Iterable[Mapping[str, Json]] = (),
    ) -> None:
        """Write a chunk's answers, those that are ``unsure``, and bad records; it is finished when its answers have
        their name. Nothing where others have finished and joined it meanwhile."""
        try:
            if not self.is_joined():
                self._write(number, rows, bad, unsure)
        except FileNotFoundError:
            if not self.is_joined():
                raise

    def _write(
        self,
        number: int,
        rows: Iterable[Mapping[str, Json]],
        bad: Sequence[DataError],
        unsure: Iterable[Mapping[str, Json]],
    ) -> None:
        _write_some(self._bad(number), ({"where": one.where, "found": one.found, "todo": one.todo} for one in bad))
        _write_some(self._unsure(number), unsure)
        with whole_file(self._part(number)) as file:
            file.writelines(json_line(row, default=repr) for row in rows)

    def join(self, count: int) -> JoinedOutput | None:
        """Write the output if all of the ``count`` chunks are finished, and remove the folder; what is in it.

        None while another worker has chunks to do, or has joined them.
        """
        with FileLock(self._lock):
            if self.is_joined():  # by another while this one waited, which made the lock anew
                shutil.rmtree(self.folder, ignore_errors=True)  # of one that came too late
                self._lock.unlink(missing_ok=True)
                return None
            if not all(map(self.is_finished, range(count))):
                return None
            bad = _lines_of(map(self._bad, range(count)), self.rejected)
            unsure = _lines_of(map(self._unsure, range(count)), self.unsure)
            answers = self._joined(range(count))
            self.folder.rename(self._old)  # so that nobody claims in it while it is removed
            shutil.rmtree(self._old)
            self._lock.unlink(missing_ok=True)
        return JoinedOutput(answers, bad, unsure)

    def _joined(self, chunks: range) -> int:
        if self.out.suffix.lower() != ".parquet":
            with whole_bytes(self.out) as out:
                return sum(_copied(self._part(number), out) for number in chunks)
        answers, columns = 0, dict[str, None]()
        for row in self._rows(chunks):  # one that stands in some rows alone is a column too
            columns.update(dict.fromkeys(row))
        with writing(self.out, tuple(columns)) as write:
            for row in self._rows(chunks):
                write(row)
                answers += 1
        return answers

    def _rows(self, chunks: range) -> Iterator[dict[str, Json]]:
        for number in chunks:
            with self._part(number).open(encoding="utf-8") as part:
                yield from map(json.loads, part)

    def first_bad(self) -> dict[str, str] | None:
        """The first bad record of the joined output."""
        if not self.rejected.is_file():
            return None
        with self.rejected.open(encoding="utf-8") as file:
            found: dict[str, str] = json.loads(next(file))
        return found

    def _part(self, number: int) -> Path:
        return self.folder / f"{number:09d}.jsonl"

    def _bad(self, number: int) -> Path:
        return self.folder / f"{number:09d}.bad.jsonl"

    def _unsure(self, number: int) -> Path:
        return self.folder / f"{number:09d}.unsure.jsonl"


def _is_held(claim: Path) -> bool:
    with suppress(FileNotFoundError), claim.open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_first() -> bool:
    """Whether of several workers at a job this process is the one that tells what concerns all."""
    return os.environ.get("T2T_WORKER", os.environ.get("RANK", "0")) == "0"


def parts_of(out: Path) -> Path:
    """The folder of a job's chunks."""
    return out.with_name(f"{out.name}.parts")


def work(
    job: Job,
    read: Callable[[], Iterator[Chunk]],
    answer: Callable[[Chunk], None],
    see: Callable[[Sequence[RawRecord]], None] = lambda records: None,
) -> int:
    """Have ``answer`` finish each chunk that is free, and wait for those that others have, to take over what they leave
    if they die.

    ``read``: the chunks from the first, once more for each round. ``see`` is told of the records of each chunk once.
    Gives how many chunks there are.
    """
    count = 0
    for turn in itertools.count():
        for chunk in read():
            count = max(count, chunk[0] + 1)
            if not job.is_finished(chunk[0]):
                with job.claimed(chunk[0]) as mine:
                    if mine:
                        answer(chunk)
            if not turn:
                see(chunk[1])
        left = [number for number in range(count) if not job.is_finished(number)]
        while left and not any(map(job.is_free, left)):
            time.sleep(_LOOK)
            left = [number for number in left if not job.is_finished(number)]
        if not left:
            break
    return count


def chunks_of(records: Iterable[RawRecord], unread: list[DataError], size: int | None = None) -> Iterator[Chunk]:
    """The chunks of an input by number, each with the bad records that were met on the way to its end.

    ``unread`` is filled while ``records`` are read. There is at least one chunk.
    """
    number = -1
    for number, chunk in enumerate(bounded(records, size or CHUNK, lambda raw: length(raw.data))):
        met, unread[:] = list(unread), []
        yield number, chunk, met
    if unread or number < 0:
        yield number + 1, [], list(unread)


def _write_some(path: Path, rows: Iterable[Mapping[str, Json]]) -> None:
    """Write a file of lines; of none there is no file, since every file is looked at when one is written."""
    if lines := [json_line(row, default=repr) for row in rows]:
        with whole_file(path) as file:
            file.writelines(lines)
    else:
        path.unlink(missing_ok=True)  # of one that was killed before the chunk was finished


def _lines_of(parts: Iterable[Path], out: Path) -> int:
    """Join files of lines; gives how many there are. Of none there is no file."""
    with whole_bytes(out) as file:
        count = sum(_copied(part, file) for part in parts if part.is_file())
    if not count:
        out.unlink()
    return count


def _copied(path: Path, out: BinaryIO) -> int:
    """Append a file; gives its lines."""
    lines = 0
    with path.open("rb") as file:
        while block := file.read(_ENDS):
            out.write(block)
            lines += block.count(b"\n")
    return lines


def by_place(bad: Sequence[DataError], chunk: Sequence[RawRecord]) -> list[DataError]:
    """Bad records of a chunk in the order of the input, whether they could not be read or not be answered."""
    files: dict[str, int] = {}
    for where in (*(raw.where for raw in chunk), *(one.where for one in bad)):
        files.setdefault(where.rpartition(":")[0], len(files))

    def place(one: DataError) -> tuple[int, int]:
        file, _, number = one.where.rpartition(":")
        return files[file], int(number) if number.isdecimal() else 0

    return sorted(bad, key=place)


def identity(path: Path) -> list[Json]:
    """By what a file is known: its size, date and both ends."""
    found, known = path.stat(), xxhash.xxh3_128()
    with path.open("rb") as file:
        known.update(file.read(_ENDS))
        file.seek(max(0, found.st_size - _ENDS))
        known.update(file.read(_ENDS))
    return [str(path), found.st_size, found.st_mtime_ns, known.hexdigest()]
