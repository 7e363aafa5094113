"""How the learning rate goes over a run, by steps and by the clock."""

from __future__ import annotations

import math

from t2t.config.run import ScheduleSettings


def progress(schedule: ScheduleSettings, step: int, minutes: float) -> float:
    """The share of the run that is done after ``step`` steps and ``minutes``; the run ends at 1."""
    by_steps = step / schedule.length
    return by_steps if schedule.minutes is None else max(by_steps, minutes / schedule.minutes)


def factor(schedule: ScheduleSettings, step: int, done: float) -> float:
    """What the base rate is multiplied by at ``step`` (from 0), ``done`` being the progress; within 0 and 1.

    A linear warm-up of ``warmup`` steps, below the curve of the schedule's name. Where the clock shortens a run, the
    curve is the same with fewer steps.
    """
    rise = min(1.0, (step + 1) / schedule.warmup) if schedule.warmup else 1.0
    left = max(0.0, 1.0 - done)
    match schedule.name:
        case "linear":
            return min(rise, left)
        case "cosine":
            return min(rise, 0.5 * (1 + math.cos(math.pi * (1.0 - left))))
        case "inverse_sqrt":
            return min(rise, math.sqrt(max(schedule.warmup, 1) / max(step + 1, schedule.warmup, 1)))
    return rise
