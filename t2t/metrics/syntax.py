"""Whether generated code is code: Python, read by Python's own parser in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from t2t.errors import TemplateError
from t2t.linear.parsed import Parsed
from t2t.metrics.labels import Share
from t2t.metrics.metric import METRICS, Metric, MetricArguments, Stats
from t2t.metrics.values import MISSING, parsed_at, text_of
from t2t.structures import Value

LONGEST = 200_000  # characters; longer code is not looked at
SECONDS = 2  # of processor time for one text
_MEMORY = 2**30

# The kernel ends the process when its time is up, also inside the parser, which heeds no signal handler.
_PROGRAM = f"""
import ast, resource, signal, sys, warnings
warnings.simplefilter("ignore")
resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY}, {_MEMORY}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
while length := sys.stdin.buffer.read(8):
    code = sys.stdin.buffer.read(int.from_bytes(length, "big"))
    signal.setitimer(signal.ITIMER_VIRTUAL, {SECONDS})
    try:
        ast.parse(code.decode("utf-8", "surrogatepass"))
        answer = b"1"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        answer = b"0"
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
"""


class PythonParser:
    """Says of one text after the other whether it is Python. Nothing is run, time and memory are bounded."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def accepts(self, code: str) -> bool:
        """True if ``code`` parses; False also for what is too long, takes too long or breaks the parser."""
        if len(code) > LONGEST:
            return False
        process = self._started()
        data = code.encode("utf-8", "surrogatepass")
        try:
            process.stdin.write(len(data).to_bytes(8, "big") + data)  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            answer = process.stdout.read(1)  # type: ignore[union-attr]
        except BrokenPipeError:
            answer = b""
        if not answer:
            _end(process)
            self._process = None
        return answer == b"1"

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-I", "-S", "-c", _PROGRAM]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
            weakref.finalize(self, _end, self._process)
        return self._process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


@dataclass(frozen=True, slots=True)
class PythonSyntax(Share):
    """Share of outputs that are Python: ``ast.parse`` takes them. An output that could not be read is not."""

    body: bool = False
    parser: PythonParser = field(default_factory=PythonParser)

    def segment(self, references: Sequence[Value], parsed: Parsed) -> Stats:
        value = parsed_at(parsed, self.path)
        code = f"def body():\n{text_of(value)}" if self.body else text_of(value)
        return np.array([float(value is not MISSING and self.parser.accepts(code)), 1.0])


@METRICS.register("python_syntax")
def python_syntax(arguments: MetricArguments) -> Metric:
    """``python_syntax: {of: PATH, body: true}``: the text is Python; with ``body`` that of a function, indented."""
    arguments.only("of", "body")
    body = arguments.given.get("body", False)
    if not isinstance(body, bool):
        raise TemplateError(arguments.where, f"metric {arguments.name}: body is {body!r}", "write true or false")
    return PythonSyntax(arguments.name, arguments.word("of", ""), arguments.where, body=body)
