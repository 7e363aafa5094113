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

_PATIENCE = 3.0  # seconds
_READ = ("*.json", "*.safetensors", "*.bin", "*.model")  # of a model's folder


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
    if Path(name).exists():
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


def _check_readable(path: Path) -> None:
    try:
        files = [one for pattern in _READ for one in path.glob(pattern)] if os.listdir(path) else []
    except NotADirectoryError:
        files = [path]
    except PermissionError:
        raise _closed(path) from None
    for one in files:
        if not os.access(one, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
            raise _closed(one)


def _closed(path: Path) -> InputError:
    found = f"it may not be read by this user (its mode is {path.stat().st_mode & 0o777:o})"
    return InputError(str(path), found, "let its owner give the right to read it (chmod -R a+rX on the model's folder)")
