"""``t2t export --push``: a model folder to the hub, as a repository of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from t2t.errors import T2TError
from t2t.reach import hub_answers


class PushError(T2TError):
    """The hub did not take a model; its folder stays here."""


def check_push(repo: str) -> None:
    """PushError where pushing to ``repo`` (NAME or OWNER/NAME) must fail: before anything is written."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise PushError(f"--push {repo}: {_first_sentence(error)}; write OWNER/NAME") from None
    if get_token() is None:
        raise PushError(f"--push {repo}: there is no token of the hub; set HF_TOKEN, or log in with `hf auth login`")
    if not hub_answers():
        raise PushError(f"--push {repo}: the hub does not answer; try again where there is a network")


def push(folder: Path, repo: str, public: bool) -> str:
    """Upload what is in ``folder`` to the repository ``repo``, which is made where it is not there, private unless
    ``public``; gives its address.

    PushError where the hub refuses, and where the repository is there and public against what was asked.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    with _one_sentence(repo, folder):
        made = api.create_repo(repo, private=not public, exist_ok=True)
        if not public and not api.repo_info(made.repo_id).private:
            found = "it is there already, and everybody may read it"
            raise PushError(f"--push {repo}: {found}; add --public, or name another ({folder} is written)")
        api.upload_folder(repo_id=made.repo_id, folder_path=folder, commit_message="t2t export")
    return str(made)


@contextmanager
def _one_sentence(repo: str, folder: Path) -> Iterator[None]:
    """PushError for what the hub or the network answers inside."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except HfHubHTTPError as error:
        code = error.response.status_code
        found = (
            "the token may not write there" if code in (401, 403) else f"the hub says {code}: {_server_message(error)}"
        )
        todo = "take a token that may write, or another name" if code in (401, 403) else "try again later"
    except (HTTPError, OSError) as error:
        found, todo = f"the network failed ({_first_sentence(error)})", "try again"
    else:
        return
    raise PushError(f"--push {repo}: {found}; {todo} ({folder} is written)")


def _server_message(error: Exception) -> str:
    return _first_sentence(getattr(error, "server_message", None) or error)


def _first_sentence(message: object) -> str:
    return str(message).strip().partition("\n")[0].rstrip(".") or type(message).__name__
