"""The exceptions of t2t.

    T2TError                     anything t2t raises on purpose
    └── InputError               a user's mistake: one sentence, exit code 2, no traceback
        ├── TemplateError        a task template
        ├── RunFileError         a run file (or a --set override)
        ├── DeepSpeedFileError   a file of ds_configs/
        ├── DataError            a data file or one of its records
        │   └── UnreachableGold  a gold that no output can say: a label that training never saw
        ├── VocabularyError      text that the tokenizer cannot say
        ├── UnreachableError     a data set or model of the hub, where the hub does not answer
        └── RunDirectoryError    a run directory that cannot be used as asked

A programming mistake is none of these and always shows its traceback.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

_LONGEST = 500  # characters of what was found that are reported


class T2TError(Exception):
    """Anything t2t raises on purpose."""


class FullDiskError(T2TError):
    """There is no room for what is to be written; what was there before is whole."""


class RefusedError(T2TError):
    """A stage of continual learning forgot more than ``accept:`` lets pass; the model of the stage before stays."""


class InputError(T2TError):
    """A user's mistake, told in one sentence: where, what was found, what to do."""

    def __init__(self, where: str, found: str, todo: str) -> None:
        super().__init__(where, found, todo)
        self.where = where
        self.found = found
        self.todo = todo

    def __str__(self) -> str:
        found = (
            self.found
            if len(self.found) <= _LONGEST
            else f"{self.found[: _LONGEST // 2]} ... {self.found[-_LONGEST // 2 :]}"
        )
        sentence = f"{self.where}: {found}; {self.todo}"
        return " ".join(sentence.split())


class TemplateError(InputError):
    """A task template is wrong."""


class RunFileError(InputError):
    """A run file, or an override of it, is wrong."""


class DeepSpeedFileError(InputError):
    """A DeepSpeed file is wrong or sets what the run file owns."""


class DataError(InputError):
    """A data file or a record of it is wrong."""


class UnreachableGold(DataError):
    """A gold that no output of the task can say, since training never saw its label. It counts as missed."""


class VocabularyError(InputError):
    """A text holds characters that the tokenizer cannot say."""


class UnreachableError(InputError):
    """A data set or model of the hub is not kept here, and the hub does not answer."""


class RunDirectoryError(InputError):
    """A run directory cannot be used as asked."""


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def full_sentence(path: str | bytes | None) -> str:
    """What to say where there is no room for a file."""
    if path is None:
        return "a disk is full; make room, then start the same command again"
    place = Path(os.fsdecode(path))
    folder = next(one for one in (place, *place.absolute().parents) if one.is_dir())
    free = shutil.disk_usage(folder).free
    return f"{place}: its disk is full ({free / 1e6:.1f} MB free); make room, then start the same command again"


def sentence_of(error: OSError | UnicodeEncodeError) -> str:
    """What an error of the operating system says to a user: which file, what is wrong with it, what to do."""
    if isinstance(error, OSError) and error.errno in FULL:
        return full_sentence(error.filename)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror}; make it readable and writable, or name another"
    return " ".join(str(error).split())
