"""How far the confidence of predictions can be trusted: calibration error, and what is wrong among the surest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from t2t.evaluation.pairs import Judged
from t2t.metrics.calibration import expected_calibration_error, is_right, risk_coverage
from t2t.structures import Json


@dataclass(slots=True)
class Certainty:
    """Of one split of a task, filled with its examples in turn. Lines of older versions say no confidence: left out."""

    sure: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)

    def add(self, judged: Sequence[Judged]) -> None:
        for one in judged:
            found = one.line.get("confidence")
            if isinstance(found, (int, float)) and 0 <= found <= 1:
                self.sure.append(float(found))
                self.right.append(is_right(one.parsed, one.references))

    def to_json(self) -> Json:
        """Number of outputs, share that is right as a whole, expected calibration error, and the curve of risk over
        coverage with its area; None where no line says its confidence."""
        if not self.sure:
            return None
        sure, right = np.array(self.sure), np.array(self.right)
        curve = asdict(risk_coverage(sure, right))
        return {
            "n": len(self.sure),
            "right": float(right.mean()),
            "calibration_error": expected_calibration_error(sure, right),
            **curve,
        }
