"""Whether the user trusts the Python code that templates name: it runs only after ``--trust-python``."""

from __future__ import annotations

import os

from t2t.errors import TemplateError

VARIABLE = "T2T_TRUST_PYTHON"  # in the environment, so that the processes of a training run have it too


def trust_python() -> None:
    """Let templates run Python code, in this process and those that it starts."""
    os.environ[VARIABLE] = "1"


def require_trust(found: str, where: str) -> None:
    """TemplateError, with what was ``found``, unless the user trusts such code."""
    if os.environ.get(VARIABLE) != "1":
        raise TemplateError(where, f"{found} runs code of its author", "read that code, then say --trust-python")
