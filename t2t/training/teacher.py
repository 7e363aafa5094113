"""A teacher: whether it can teach this run, what it adds to the loss, and the targets that it writes."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from t2t import __version__
from t2t.config.run import TeacherSettings
from t2t.data.encode import Encoded, Encoder
from t2t.engine import distributed
from t2t.engine.disk import content_hash
from t2t.engine.distilled import Distilled
from t2t.engine.preflight import told_at
from t2t.errors import RunFileError
from t2t.generation.generator import Decoding
from t2t.model.backbone import load_pretrained
from t2t.model.peft import load_adapter
from t2t.model.peft.routes import check_one_model
from t2t.model.pretrained import describe
from t2t.model.tokenizer import encode_texts, load_tokenizer
from t2t.serving.answers import answer
from t2t.serving.loading import load_generator, model_folder
from t2t.tasks.bad_records import BadRecords
from t2t.tasks.task import Task
from t2t.whole_files import write_text

Where = Callable[[str], str]
_WEIGHTS = ("*.safetensors", "*.bin", "config.json", "adapter.json")


def teacher_tokenizer(teacher: TeacherSettings, where: Where) -> PreTrainedTokenizerFast:
    """Its tokenizer. RunFileError where the folder has no model."""
    with told_at(where, "teacher.from"):
        folder = model_folder(Path(teacher.source))
        check_one_model(str(folder))
        return load_tokenizer(folder, describe(str(folder)).vocabulary)


def check_teacher(teacher: TeacherSettings | None, tokenizer: PreTrainedTokenizerFast, where: Where) -> None:
    """RunFileError unless the teacher's ids mean what this run's do, where its distributions are learned from."""
    if teacher is None:
        return
    own, others = tokenizer.get_vocab(), teacher_tokenizer(teacher, where).get_vocab()
    if not teacher.share or own == others:
        return
    differ = sorted(own.items() ^ others.items(), key=lambda pair: (pair[1], pair[0]))
    found = f"the teacher has another vocabulary: {len(others):,} pieces, this run {len(own):,}, and the first that " \
        f"differs is the id {differ[0][1]}"  # fmt: skip
    todo = f"take its tokenizer (tokenizer: {{from: {teacher.source}}}), or learn from what it writes alone " \
        "(targets: generated, weight: 0)"  # fmt: skip
    raise RunFileError(where("teacher.from"), found, todo)


def teacher_hash(teacher: TeacherSettings | None) -> str:
    """A hash of the files that decide what the teacher says; empty without one."""
    return "" if teacher is None else content_hash(model_folder(Path(teacher.source)), _WEIGHTS)


def teacher_terms(
    teacher: TeacherSettings | None, device: torch.device, where: Where, *, autocast: bool
) -> list[Distilled]:
    """What the teacher adds to the loss, its weights loaded on ``device``."""
    if teacher is None or not teacher.share:
        return []
    with told_at(where, "teacher.from"):
        folder = model_folder(Path(teacher.source))
        model = load_adapter(load_pretrained(folder), folder)
    model.module.to(device)
    model.for_training(device)
    return [Distilled(model, teacher.share, teacher.temperature, teacher.top, autocast=autocast)]


def writes_targets(teacher: TeacherSettings | None, task: Task) -> bool:
    """True if the teacher writes the targets of ``task``: not where they are ids."""
    return teacher is not None and teacher.targets == "generated" and task.token_task is None


def with_its_targets(
    teacher: TeacherSettings, task: Task, rows: Sequence[Encoded], encoder: Encoder, limit: int | None, folder: Path
) -> list[Encoded]:
    """``rows`` of the training split with the teacher's answers in place of the gold's targets.

    They are decoded greedily, and again under the grammar of the target where they are none; what the teacher answered
    is kept in ``folder``. A row whose prompt does not fit the teacher keeps its gold.
    """
    written: defaultdict[str, deque[str]] = defaultdict(deque)
    for name, text in _answers(teacher, task, encoder, limit, folder):
        written[name].append(text)
    texts = [written[row.id].popleft() if written[row.id] else None for row in rows]
    targets = iter(encode_texts(encoder.tokenizer, [text for text in texts if text is not None]))
    end, most = int(encoder.tokenizer.eos_token_id), encoder.target_limit
    taught = []
    for row, answered in zip(rows, texts, strict=True):
        ids = row.labels.tolist() if answered is None else next(targets)
        ids = ids if len(ids) <= most else [*ids[: most - 1], end]
        taught.append(replace(row, labels=np.asarray(ids, dtype=np.int32)))
    if not distributed.rank():
        others = sum(row.labels.tolist() != new.labels.tolist() for row, new in zip(rows, taught, strict=True))
        print(f"{task.name}: the teacher wrote {len(rows):,} targets, {others:,} are not those of the gold", flush=True)
    return taught


def _answers(
    teacher: TeacherSettings, task: Task, encoder: Encoder, limit: int | None, folder: Path
) -> list[tuple[str, str]]:
    """The id of each prompt of the training split and what the teacher writes for it, asked once."""
    made_by = [__version__, teacher_hash(teacher), task.name, task.fingerprint, limit, encoder.prompt_limit]
    name = hashlib.sha256(json.dumps([*made_by, encoder.target_limit]).encode()).hexdigest()[:32]
    file = folder / f"taught-{name}.json"
    try:
        return [(str(one), str(text)) for one, text in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        pass  # it was not asked yet, or the file is damaged
    generator = load_generator(model_folder(Path(teacher.source)))
    own = Encoder(generator.tokenizer, encoder.prompt_limit, encoder.target_limit)
    decode = partial(generator.generate, decoding=Decoding(encoder.target_limit))
    examples = islice(task.examples("train"), limit)
    found = [
        (output.id, output.text)
        for answered in answer(task, examples, own, decode, task.constrainable, BadRecords("skip"))
        for output in answered.outputs
    ]
    write_text(file, json.dumps(found))
    return found
