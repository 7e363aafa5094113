"""The way to and from the ``evaluate`` package: its metrics in our templates, ours for its users.

``{evaluate: PATH_OR_NAME}`` runs the Python code of that metric, so the user has to trust it; a name is fetched from
the hub by ``evaluate``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from t2t.errors import TemplateError
from t2t.linear.parsed import Parsed, from_json
from t2t.metrics.metric import METRICS, SEED, Metric, MetricArguments, Stats, build_metrics, score, segments
from t2t.metrics.values import MISSING, Key, Missing, gold_at, parsed_at, plain, text_of
from t2t.registry import did_you_mean
from t2t.structures import Json, Value
from t2t.trust import require_trust

_RESAMPLES = 100  # each computes the whole metric anew


@dataclass(frozen=True, slots=True)
class LibraryMetric:
    """A metric of ``evaluate``, computed by its own code on all predictions and references at once.

    It gets values as the type that it declares: texts, numbers, or whole numbers, which stand for labels that are no
    numbers in the order in which they came. An output that could not be read is the empty text, the number 0 or the
    label -1. Statistics: the place of the example among those that this metric has seen.
    """

    name: str
    path: str
    where: str
    module: Any
    options: Mapping[str, Json]
    key: str | None
    best: float
    resamples: int
    detail: str
    labels: dict[Key, int] = field(default_factory=dict)
    seen: list[tuple[Value | Missing, list[Value]]] = field(default_factory=list)

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        golds = [gold_at(reference, self.path, self.where) for reference in references]
        self.seen.append((parsed_at(parsed, self.path), golds))
        return np.array([len(self.seen) - 1.0])

    def bind(self, stats: Stats) -> Callable[[Stats], float]:
        pairs = [self.seen[int(place)] for place in stats[:, 0]]
        features = self._features(several=any(len(golds) > 1 for _, golds in pairs))
        many = hasattr(features["references"], "feature")
        dtype = self._dtype(features["references"].feature if many else features["references"])
        golds = [[self._as(dtype, gold) for gold in golds] for _, golds in pairs]
        references = golds if many else [gold[0] for gold in golds]
        predictions = [self._as(self._dtype(features["predictions"]), found) for found, _ in pairs]

        def value_of(counts: Stats) -> float:
            drawn = np.repeat(np.arange(len(pairs)), counts.astype(int)).tolist()
            return self._compute([predictions[i] for i in drawn], [references[i] for i in drawn])

        return value_of

    def _features(self, several: bool) -> Mapping[str, Any]:
        """Of the forms that the metric takes, the one with as many references as there are, else the first."""
        forms = self.module.features
        forms = forms if isinstance(forms, list) else [forms]
        return next((form for form in forms if hasattr(form["references"], "feature") == several), forms[0])

    def _dtype(self, feature: Any) -> str:
        dtype = str(getattr(feature, "dtype", feature))
        if not dtype.startswith(("string", "int", "float")):
            found = f"metric {self.name} wants {dtype[:80]}"
            raise TemplateError(self.where, found, "use one of texts, numbers or labels")
        return dtype

    def _as(self, dtype: str, value: Value | Missing) -> str | int | float:
        if dtype.startswith("string"):
            return text_of(value)
        number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        if dtype.startswith("float"):
            return float(number or 0.0)
        if value is MISSING:
            return -1
        whole = number is not None and number == int(number)
        return int(number or 0) if whole else self.labels.setdefault(plain(value), len(self.labels))

    def _compute(self, predictions: list[str | int | float], references: Sequence[Json]) -> float:
        try:
            result = self.module.compute(predictions=predictions, references=references, **self.options)
        except Exception as error:  # its own code: anything may come
            reason = " ".join(str(error).split())[:300]
            raise TemplateError(self.where, f"metric {self.name} fails ({reason})", "see its documentation") from None
        numbers = {key: float(value) for key, value in result.items() if isinstance(value, (int, float, np.number))}
        key = self.key or (next(iter(numbers)) if len(numbers) == 1 else self.module.name)
        if key not in numbers:
            found = f"metric {self.name} gives no number {key!r}"
            raise TemplateError(self.where, found, f"add key: NAME; {did_you_mean(key, numbers)}")
        return numbers[key]


@METRICS.register("evaluate")
def library_metric(arguments: MetricArguments) -> Metric:
    """``evaluate: NAME``, or ``evaluate: {load: NAME, of, key, best, config, resamples, options: {...}}``.

    NAME: a metric script (looked for beside the template, then from here) or a name that ``evaluate`` finds on the
    hub. ``key``: the number of its result that counts. ``best``: 1 if it says nothing else. ``options`` go to compute.
    """
    arguments.only("load", "of", "key", "best", "config", "resamples", "options")
    name, options, key = arguments.word("load"), arguments.given.get("options") or {}, arguments.optional("key")
    resamples = arguments.number("resamples", _RESAMPLES)
    if not isinstance(options, Mapping) or not isinstance(resamples, int) or resamples < 0:
        found = f"metric evaluate: options is {options!r}, resamples {resamples!r}"
        raise TemplateError(arguments.where, found, "give a mapping and a whole number")
    module, version = _load(name, arguments.optional("config"), arguments.where)
    label = ":".join(part for part in ("evaluate", module.name, key) if part)
    path, best = arguments.word("of", ""), arguments.number("best", 1.0)
    return LibraryMetric(label, path, arguments.where, module, options, key, best, resamples, f"evaluate:{version}")


def _load(name: str, config: str | None, where: str) -> tuple[Any, str]:
    """The module and the version of the package, with the hash of the metric's script."""
    require_trust(f"evaluate: {name!r}", where)
    import evaluate

    beside = Path(where.rpartition(":")[0]).parent / name
    path = str(beside.resolve()) if beside.exists() else name
    try:
        module = evaluate.load(path, config, keep_in_memory=True, seed=SEED)
    except Exception as error:  # the metric's own code, or the network: anything may come
        reason = " ".join(str(error).split())[:300]
        todo = "correct the path; a name needs the hub, and what the metric imports must be installed"
        raise TemplateError(where, f"evaluate cannot load {name!r} ({reason})", todo) from None
    return module, f"{evaluate.__version__}|{name}|{str(module._hash)[:12]}"


def as_evaluate(spec: Json, language: str = "en", *, structured: bool = False) -> Any:
    """One of our metrics as an ``evaluate.Metric``: ``compute(predictions=[...], references=[...])``.

    ``spec``: as under ``metrics:`` of a template. Predictions are texts, references texts or lists of texts. With
    ``structured`` each text is a value as JSON, as ``value`` of a prediction line holds it: labels, numbers, lists of
    mentions. The result names the value and its interval: ``{"span_f1": .., "span_f1_low": .., "span_f1_high": ..}``.
    """
    import datasets
    import evaluate

    (metric,) = build_metrics([spec], "metric", language)
    text = datasets.Value("string")
    forms = [
        datasets.Features({"predictions": text, "references": references})
        for references in (datasets.Sequence(text), text)
    ]

    def read(value: str) -> Value:
        return from_json(json.loads(value)) if structured else value

    class Wrapped(evaluate.Metric):  # type: ignore[misc]
        def _info(self) -> Any:
            return evaluate.MetricInfo(description=metric.name, citation="", inputs_description="", features=forms)

        def _compute(self, predictions: list[str], references: list[list[str]] | list[str]) -> dict[str, float]:
            golds = [[read(gold) for gold in ([row] if isinstance(row, str) else row)] for row in references]
            rows = segments(
                metric, ((gold, Parsed(read(found))) for gold, found in zip(golds, predictions, strict=True))
            )
            found = score(metric, rows, len(rows), "")
            return {found.name: found.value, f"{found.name}_low": found.low, f"{found.name}_high": found.high}

    wrapped = Wrapped(keep_in_memory=True)
    wrapped.info.module_name = metric.name
    return wrapped
