"""The format hub: data sets of the Hugging Face Hub, or of a local folder, by the ``datasets`` library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2t.config.shipped_files import UNVERIFIED
from t2t.errors import DataError, TemplateError, UnreachableError
from t2t.reach import hub_answers
from t2t.registry import did_you_mean
from t2t.structures import Json
from t2t.tasks.bad_records import STOP, BadRecords
from t2t.tasks.data_files import data_dir, file_digest
from t2t.tasks.sources.base import SOURCES, Options, RawRecord, Source, Spec, sha256_of

_COMMIT = re.compile(r"[0-9a-f]{40}")
_CONVERTED = "refs/convert/parquet"  # the branch to which the Hub converts a data set by itself


@SOURCES.register("hub")
def hub(spec: Spec, base: Path, where: str) -> Source:
    """``datasets.load_dataset(path, name, revision=..., split=...)``; the split keys name the data set's splits.

    A data set of the Hub must be pinned by ``revision``, a commit of 40 hexadecimal digits; ``unverified`` stands for
    one that nobody has seen, and reads what the Hub has today. A local folder (beside the template, under
    ``data_dir()``, or absolute) needs none. Code of a data set is never run: of an unverified one that is a loading
    script, the Parquet files are read that the Hub has made of it. ``class_names: true``: numbers of classes, also in
    lists and objects, are read as the names that the data set's features give them.
    """
    options = Options(spec, where)
    path = options.take("path", str, "the name of a data set, OWNER/NAME, or a folder")
    name = options.take("name", str, "the name of a configuration")
    revision = options.take("revision", str, "a commit of 40 hexadecimal digits")
    class_names = options.take("class_names", bool, "true or false", False)
    splits = options.files()
    options.finish()
    if not path:
        raise TemplateError(where, "source: path: is missing", "write the name of a data set, OWNER/NAME, or a folder")
    for split, value in splits.items():
        if not isinstance(value, str):
            raise TemplateError(
                where, f"source: {split}: is {value!r}", "write the name of one of the data set's splits"
            )
    folder = _folder(path, base)
    if folder is None and revision != UNVERIFIED and not _COMMIT.fullmatch(revision or ""):
        found = f"source: revision: is {revision!r}"
        raise TemplateError(
            where, found, "pin the data set by a commit of 40 hexadecimal digits (see its page, Files, History)"
        )
    return HubSource(path, name, revision, splits, folder, where, class_names)


def _folder(path: str, base: Path) -> Path | None:
    places = (
        (Path(path), base / path, data_dir() / path) if Path(path).is_absolute() else (base / path, data_dir() / path)
    )
    return next((place for place in places if place.is_dir()), None)


@dataclass(frozen=True, slots=True)
class HubSource:
    """A data set of the Hub or of a folder; see ``hub``. Ids are "SPLIT:INDEX"."""

    path: str
    name: str | None
    revision: str | None
    by_split: dict[str, str]
    folder: Path | None
    where: str
    class_names: bool = False

    def splits(self) -> list[str]:
        return list(self.by_split)

    def records(self, split: str, bad: BadRecords = STOP) -> Iterator[RawRecord]:
        if split not in self.by_split:
            raise DataError(self.where, f"the source has no split {split!r}", did_you_mean(split, self.by_split))
        loaded = self._load(self.by_split[split])
        features = (loaded.features or {}) if self.class_names else {}
        for index, row in enumerate(loaded):
            where = f"{self.path}:{index + 1}"
            data = {key: _by_name(features[key], value) if key in features else value for key, value in row.items()}
            yield RawRecord(where, f"{split}:{index}", data)

    def _load(self, split: str) -> Any:
        import datasets

        answers = self.folder is not None or hub_answers()
        datasets.config.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE or not answers
        path = str(self.folder) if self.folder else self.path
        revision = None if self.folder or self.revision == UNVERIFIED else self.revision
        try:
            try:
                return datasets.load_dataset(path, self.name, revision=revision, split=split)
            except RuntimeError as error:
                if self.revision != UNVERIFIED or "scripts are no longer supported" not in str(error):
                    raise
                return datasets.load_dataset(path, split=split, **self._converted(split))
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            message = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            if not answers:
                found = f"data set {self.path!r} is not kept here, and the hub does not answer"
                raise UnreachableError(self.where, found, "try again where there is a network") from error
            found = f"data set {self.path!r}, split {split!r}, cannot be loaded ({message})"
            raise DataError(self.where, found, "check its name, its split, and the connection to the Hub") from error

    def _converted(self, split: str) -> dict[str, Any]:
        """Where the Hub keeps its own conversion of a configuration's split."""
        whole = split.partition("[")[0]
        return {"data_files": {whole: f"{self.name or 'default'}/{whole}/*.parquet"}, "revision": _CONVERTED}

    def fingerprint(self) -> str:
        """Of the pinned commit; of the files where the data set is a local folder."""
        files = sorted(file for file in self.folder.rglob("*") if file.is_file()) if self.folder else []
        digests = [file_digest(file) for file in files]
        names = ["class_names"] if self.class_names else []
        return sha256_of(self.path, self.name or "", self.revision or "", repr(self.by_split), *names, *digests)


def _by_name(feature: Any, value: Json) -> Json:
    """``value`` with names in place of numbers of classes; -1, which stands for no class, and null become null."""
    import datasets

    if value is None:
        return None
    if isinstance(feature, datasets.ClassLabel):
        return feature.int2str(value) if value >= 0 else None
    if isinstance(feature, dict):
        return {key: _by_name(inner, value[key]) for key, inner in feature.items()}
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    if inner is None or not isinstance(value, list):
        return {key: _by_name(inner[key], own) for key, own in value.items()} if isinstance(inner, dict) else value
    return [_by_name(inner, item) for item in value]
