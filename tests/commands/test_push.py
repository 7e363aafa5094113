"""A model is pushed to a stand-in of the hub, which has the few calls that it takes."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from t2t.cli import main
from t2t.commands import export as export_module
from t2t.reach import hub_answers


class Hub(ThreadingHTTPServer):
    """What it was sent: ``made``, the repositories with whether they are private, and the ``files`` of the last."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.made: dict[str, bool] = {}
        self.files: dict[str, bytes] = {}
        self.refuses = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer({})

    def do_GET(self) -> None:
        name = self.path.removeprefix("/api/models/").partition("?")[0]
        if name in self.server.made:
            return self.answer({"id": name, "private": self.server.made[name], "sha": "0" * 40, "siblings": []})
        return self.answer({"error": "not here"}, 404)

    def do_POST(self) -> None:
        given = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != "Bearer hf_writes" or self.server.refuses:
            return self.answer({"error": "no"}, self.server.refuses or 403)
        if self.path.endswith("/repos/create"):
            return self.create(json.loads(given))
        if "/preupload/" in self.path:
            files = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                     for one in json.loads(given)["files"]]  # fmt: skip
            return self.answer({"files": files})
        if "/commit/" in self.path:
            for line in map(json.loads, given.decode().splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return self.answer({"commitUrl": f"{self.server.address}/ada/toy/commit/0", "commitOid": "0" * 40})
        return self.answer({})

    def create(self, asked: dict[str, str]) -> None:
        name = f"{asked.get('organization') or 'ada'}/{asked['name']}"
        if name in self.server.made:
            return self.answer({"error": "there already", "url": f"{self.server.address}/{name}"}, 409)
        self.server.made[name] = asked.get("private", asked.get("visibility") == "private")  # type: ignore[assignment]
        return self.answer({"url": f"{self.server.address}/{name}", "id": name})

    def answer(self, said: object, code: int = 200) -> None:
        body = json.dumps(said).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_TOKEN", "hf_writes")
    hub_answers.cache_clear()
    yield server
    server.shutdown()
    server.server_close()
    hub_answers.cache_clear()


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as training leaves it, without weights; checks of these are not tried here."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "t5"}')
    (folder / "model.safetensors").write_bytes(bytes(range(256)))
    monkeypatch.setattr(export_module, "check_one_model", lambda folder: None)
    return folder


def pushed(model: Path, out: str, *more: str) -> int:
    return main(["export", "--model", str(model), "--to", str(model.parent / out), *more])


def test_the_folder_and_its_card_are_uploaded(hub: Hub, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pushed(model, "out", "--push", "ada/toy") == 0
    assert hub.made == {"ada/toy": True}
    assert hub.files == {path.name: path.read_bytes() for path in (model.parent / "out").iterdir()}
    assert {"README.md", "model.safetensors"} <= hub.files.keys()
    assert capsys.readouterr().out.splitlines()[-1] == f"{hub.address}/ada/toy"
    assert pushed(model, "again", "--push", "ada/toy") == 0
    assert pushed(model, "open", "--push", "ada/open", "--public") == 0
    assert hub.made == {"ada/toy": True, "ada/open": False}


def test_what_is_private_is_not_put_where_all_may_read(
    hub: Hub, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.made["ada/open"] = False
    assert pushed(model, "out", "--push", "ada/open") == 1
    assert "it is there already, and everybody may read it; add --public, or name another" in capsys.readouterr().err
    assert not hub.files


@pytest.mark.parametrize(
    ("token", "refuses", "name", "said"),
    [
        ("hf_reads", 0, "ada/toy", "the token may not write there; take a token that may write, or another name"),
        ("hf_writes", 418, "ada/toy", "the hub says 418: no; try again later"),
        ("", 0, "ada/toy", "there is no token of the hub; set HF_TOKEN, or log in"),
        ("hf_writes", 0, "ada/to/y", "; write OWNER/NAME"),
        ("hf_writes", 0, "-ada/toy..", "; write OWNER/NAME"),
    ],
)
def test_refusals_are_a_sentence(
    hub: Hub,
    model: Path,
    token: str,
    refuses: int,
    name: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr("huggingface_hub.utils._auth._get_token_from_file", lambda: None)
    hub.refuses = refuses
    assert pushed(model, "out", f"--push={name}") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"t2t: --push {name}: ")
    assert said in line
    assert not hub.made


def test_without_a_network_nothing_is_written(hub: Hub, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.shutdown()
    hub.server_close()
    assert pushed(model, "out", "--push", "ada/toy") == 1
    assert "the hub does not answer; try again where there is a network" in capsys.readouterr().err
    assert not (model.parent / "out").exists()


def test_public_alone_says_nothing(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pushed(model, "out", "--public") == 2
    assert "there is no --push" in capsys.readouterr().err
