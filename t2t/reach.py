"""Whether a model can be reached: the hub is asked once a process, so that no network costs seconds, not minutes; of a
folder the files may be read."""

from __future__ import annotations

import os
import threading
from functools import cache
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from t2t.errors import InputError, UnreachableError
from t2t.regular_files import is_regular, read_regular

_PATIENCE = 3.0  # seconds
_READ = ("config.json", "tokenizer*.json", "*.safetensors", "pytorch_model*.bin", "*.model")  # of a model's folder


@cache
def hub_answers() -> bool:
    """True if the hub answers. Where it does not, its libraries are told to look into their caches alone."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or _answers(constants.ENDPOINT):
        return not constants.HF_HUB_OFFLINE
    os.environ["HF_HUB_OFFLINE"] = "1"  # for libraries that are imported later, and processes
    constants.HF_HUB_OFFLINE = True
    return False


def _answers(address: str) -> bool:
    """True if anything answers there in time; looking up a name has no limit of its own, hence the thread."""
    found: list[bool] = []

    def ask() -> None:
        try:
            urlopen(Request(address, method="HEAD"), timeout=_PATIENCE).close()
            found.append(True)
        except HTTPError:
            found.append(True)
        except (OSError, ValueError) as error:
            found.append("certificate" in str(error).lower())  # somebody is there; the libraries have their own list

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PATIENCE + 0.5)
    return found == [True]


def check_reach(name: str, revision: str | None = None) -> None:
    """UnreachableError for a model of the hub that is neither a file or folder here nor kept, if the hub is silent.

    InputError for a folder whose files this user may not read: its readers would say that they are not there.
    """
    if _is_here(Path(name)):
        _check_readable(Path(name))
        return
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        kept = [try_to_load_from_cache(name, file, revision=revision) for file in ("config.json", "tokenizer.json")]
    except HFValidationError:
        return  # no name of the hub: who loads it says so
    if not any(isinstance(path, str) for path in kept) and not hub_answers():
        found = "it is no folder here, nothing of it is kept from before, and the hub does not answer"
        raise UnreachableError(name, found, "name a folder, or try again where there is a network")


def _is_here(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True


def _check_readable(path: Path) -> None:
    """InputError where the path, or a file of a model in it, is there and may not be read."""
    try:
        inside = (path / "config.json", *(one for pattern in _READ for one in path.glob(pattern)))
        for one in inside if path.is_dir() else (path,):
            if one.exists():  # a link to nothing is not there
                read_regular(one, 0)
                if not is_regular(one):
                    raise OSError(None, f"{one.name} is of the kernel's own")
    except PermissionError as error:
        found = "this user may not read it"
        todo = (
            "let its owner give the right to (chmod -R a+rX on the model's folder, and the right to enter those above)"
        )
        raise InputError(str(error.filename or path), found, todo) from None
    except OSError as error:  # a pipe, a device
        raise InputError(str(path), f"a file of it cannot be read ({error})", "replace it by a sound copy") from None
