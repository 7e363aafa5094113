"""The strategies that benchmarks/continual.py compares, with the settings that each was tried with: three each, the
bounds included, on the validation split of the first five domains of an order of their own. The first of three is
taken, by the outcome in RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RATE = 1e-2  # relative, see optimizer: in docs/run_files.md
LORA = {"method": "lora", "r": 8, "targets": ["q", "k", "v", "o", "wi_0", "wi_1", "wo"]}
PROMPT = {"method": "prompt", "length": 20}


@dataclass(frozen=True, slots=True)
class Way:
    """A strategy with its settings: what is under ``continual:`` and ``peft:``, and the relative rate it trains at."""

    continual: Mapping[str, Any] = field(default_factory=dict)
    peft: Mapping[str, Any] | None = None
    rate: float = RATE

    @property
    def gathers(self) -> bool:
        """Whether all data are there at once."""
        return self.continual.get("strategy") == "joint"


def _each(
    *tried: Mapping[str, Any],
    rates: Sequence[float] = (RATE,) * 3,
    peft: Mapping[str, Any] | None = None,
    **common: Any,
) -> tuple[Way, ...]:
    """Three ways: three settings, or one setting at three rates."""
    settings = tried or ({},) * 3
    return tuple(Way({**common, **one}, peft, rate) for one, rate in zip(settings, rates, strict=True))


_RATES = 1e-2, 5e-3, 2e-2
_PULLS = {"strength": 0.03}, {"strength": 0.1}, {"strength": 0.01}
TRIALS: Mapping[str, tuple[Way, ...]] = {
    "sequential": _each(strategy="sequential", rates=_RATES),
    "joint": _each(strategy="joint", rates=(2e-2, 1e-2, 5e-3)),
    "replay": _each(strategy="replay", keep=0.05, share=0.5, rates=(2e-2, 1e-2, 5e-3)),
    "ewc": _each(*_PULLS, strategy="ewc"),
    "online ewc": _each(*_PULLS, strategy="ewc", online=True),
    "l2": _each(*_PULLS, strategy="l2"),
    "lwf": _each({"weight": 0.5}, {"weight": 0.8}, {"weight": 0.5}, strategy="lwf", rates=(1e-2, 1e-2, 5e-3)),
    "averaging": _each({"before": 0.5}, {"before": 0.3}, {"before": 0.7}, strategy="averaging"),
    "generative": _each(
        {"examples": 500}, {"examples": 500}, {"examples": 1500}, strategy="generative", rates=(2e-2, 1e-2, 1e-2)
    ),
    "lora": _each(strategy="sequential", peft=LORA, rates=(5e-3, 1e-2, 2e-3)),
    "olora": _each(
        {"strength": 0.02}, {"strength": 0.02}, {"strength": 0.5}, strategy="olora", peft=LORA, rates=(5e-3, 1e-2, 1e-2)
    ),
    "adapters": _each(strategy="adapters", peft=LORA, rates=_RATES),
    "adapters by score": _each(strategy="adapters", route="score", peft=LORA, rates=_RATES),
    "progressive": _each(strategy="progressive", peft=PROMPT, rates=(0.3, 0.1, 1.0)),
}
