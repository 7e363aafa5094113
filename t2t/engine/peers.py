"""What the processes of a group know of each other: one that fails ends all within seconds.

A process that waits in a sum of gloo or NCCL runs no handler of Python, so DeepSpeed's launcher, which asks it to end
when another has failed, waits half a minute before it kills it, at each of its levels. Here every process keeps a
connection to the first one. Whoever leaves says its exit code there; a connection that breaks without a word is a
process that was killed. Nothing here measures time, so no process is ever taken for dead since it was slow.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

_TO_MEET = 300.0  # seconds in which all processes come to the first one
_TO_END = 2.0  # seconds that a process has to end by itself, and to say why, when another has failed
_TOKEN = 16  # bytes by which the processes of one group know each other


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where the first process waits for the others, and what they say there first."""

    host: str
    port: int
    token: bytes


class Peers:
    """The connections of this process, watched by a thread. ``failed``: set when another process failed. ``code``: what
    it said then, None where it was killed."""

    def __init__(self, rank: int, connections: dict[socket.socket, int]) -> None:
        self.rank, self.connections = rank, connections
        self.failed = threading.Event()
        self.code: int | None = None
        self._leaving = threading.Lock()
        threading.Thread(target=self._watch, name="peers", daemon=True).start()

    def tell(self, code: int) -> None:
        """This process leaves with an exit code; 0: its work is done, the others go on with theirs."""
        with self._leaving:
            for connection in self.connections:
                with suppress(OSError):
                    connection.sendall(bytes([code % 256]))
                    connection.shutdown(socket.SHUT_WR)
            self.connections = {}

    def _watch(self) -> None:
        waiting = dict(self.connections)
        while waiting:
            for connection in select.select([*waiting], [], [])[0]:
                peer, code = waiting.pop(connection), _heard(connection)
                if code == 0:
                    continue
                if self.connections:
                    self._end(peer, code)
                return

    def _end(self, peer: int, code: int | None) -> None:
        """Another process failed: this one has a moment to end by itself. ``code``: None where it said nothing."""
        self.code = code
        self.failed.set()
        time.sleep(_TO_END)
        if code is None and self.rank == min({0, 1} - {peer}):
            found = f"process {peer} of the run is gone without a word"
            print(f"t2t: {found}; the same command goes on from the last checkpoint", file=sys.stderr)
        leave(code or 1)


_peers: Peers | None = None


def meet(rank: int, world: int, host: str, share: Callable[[Meeting | None], Meeting]) -> None:
    """Connect the processes of a group. Every rank must call it. ``share``: gives all what the first one has."""
    global _peers
    _peers = Peers(rank, _as_first(world, host, share) if rank == 0 else _as_other(rank, share))


def _as_first(world: int, host: str, share: Callable[[Meeting | None], Meeting]) -> dict[socket.socket, int]:
    found: dict[socket.socket, int] = {}
    local = host in ("127.0.0.1", "localhost")
    with socket.create_server(("127.0.0.1" if local else "", 0), backlog=max(128, world)) as server:
        meeting = share(Meeting(host, server.getsockname()[1], secrets.token_bytes(_TOKEN)))
        server.settimeout(_TO_MEET)
        while len(found) < world - 1:
            connection, _ = server.accept()
            connection.settimeout(_TO_MEET)
            said = connection.recv(_TOKEN + 4, socket.MSG_WAITALL)
            if said[:_TOKEN] == meeting.token:
                found[_kept(connection)] = int.from_bytes(said[_TOKEN:])
            else:
                connection.close()
    return found


def _as_other(rank: int, share: Callable[[Meeting | None], Meeting]) -> dict[socket.socket, int]:
    meeting = share(None)
    connection = socket.create_connection((meeting.host, meeting.port), _TO_MEET)
    connection.sendall(meeting.token + rank.to_bytes(4))
    return {_kept(connection): 0}


def _kept(connection: socket.socket) -> socket.socket:
    """A connection that waits without end; the system asks whether the machine at its other end is still there."""
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connection


def _heard(connection: socket.socket) -> int | None:
    """The exit code that a process said before it left; None where its connection broke."""
    try:
        said = connection.recv(1)
    except OSError:
        return None
    return said[0] if said else None


def another_failed(seconds: float = 0.0) -> bool:
    """Whether another process has failed, so that what went wrong here is likely its consequence. It may take a moment
    until that is known: ``seconds`` to wait."""
    return _peers is not None and _peers.failed.wait(seconds)


def another_told(seconds: float = 0.0) -> bool:
    """Whether another process has failed and has printed why, which it does before it says its exit code."""
    return another_failed(seconds) and _peers is not None and _peers.code is not None


def tell(code: int) -> None:
    """Say to the other processes that this one leaves."""
    if _peers is not None:
        _peers.tell(code)


def leave(code: int) -> NoReturn:
    """End this process at once, from any thread, its output written and its exit code told to the others.

    The interpreter's own teardown is left out: threads of gloo and NCCL may still hold objects of Python then, and
    abort a process whose work is done.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    tell(code)
    os._exit(code)
