"""Tokenizers: trained here without loss, or loaded; and how ids become text again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, processors
from tokenizers.models import Unigram
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast
from transformers.utils import cached_file

from t2t.errors import InputError
from t2t.model import pieces, t5_vocabulary
from t2t.model.byte_vocabulary import BYTE_ROWS, SENTINELS, byte_backend
from t2t.model.sound import check_sound
from t2t.reach import check_reach

PAD, EOS, UNK = "<pad>", "</s>", "<unk>"
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_BYTE_SCORE = -100.0
_SENTENCEPIECE = "spiece.model"
# What transformers raises for a file that is missing, cut, or of another content than it should have.
DAMAGED = (OSError, ValueError, TypeError, AttributeError, KeyError, RuntimeError)


def train_tokenizer(texts: Iterable[str], vocab_size: int, sentinels: int = 100) -> PreTrainedTokenizerFast:
    """A Unigram tokenizer with byte fallback that gives back every string of Unicode scalar values.

    At most ``vocab_size`` ids (fewer where the texts give fewer pieces; the embedding takes ``len(tokenizer)``):
    pad 0, EOS 1, unk 2, the bytes, the pieces, and at the top the sentinels ``<extra_id_{n-1}> .. <extra_id_0>`` as
    T5 has them. Nothing is normalised, and a special token written in a text is ordinary text. Encoding appends EOS.
    The same texts give the same tokenizer. Raises InputError if the vocabulary has no room for what is always there.
    """
    fixed = 3 + len(_BYTES) + sentinels
    smallest = fixed + pieces.smallest_room()
    if vocab_size < smallest:
        raise InputError("tokenizer: vocab_size", f"{vocab_size} is too small", f"give at least {smallest}")
    learned = pieces.choose_pieces(pieces.count_cuts(texts), vocab_size - fixed)
    vocabulary = [(PAD, 0.0), (EOS, 0.0), (UNK, 0.0), *((byte, _BYTE_SCORE) for byte in _BYTES), *learned]
    vocabulary += [(f"<extra_id_{number}>", 0.0) for number in reversed(range(sentinels))]
    backend = Tokenizer(Unigram(vocabulary, unk_id=2, byte_fallback=True))
    backend.normalizer = pieces.normalizer()
    backend.pre_tokenizer = pieces.pre_tokenizer()
    backend.decoder = decoders.Sequence(
        [
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(pieces.SPACE, 1, 0),
            decoders.Replace(pieces.SPACE, " "),
            decoders.Replace(pieces.ESCAPED_SPACE, pieces.SPACE),
            decoders.Replace(pieces.ESCAPED_ESCAPE, pieces.ESCAPE),
        ]
    )
    return wrap(backend, sentinels)


def wrap(backend: Tokenizer, sentinels: int) -> PreTrainedTokenizerFast:
    """A transformers tokenizer over ``backend`` (specials and sentinels already in its model) that appends EOS.

    It is saved as plain ``tokenizer.json``, so that AutoTokenizer loads it without T5Tokenizer's own rebuilding.
    """
    eos = backend.token_to_id(EOS)
    template = processors.TemplateProcessing(single=f"$A {EOS}", pair=f"$A {EOS} $B {EOS}", special_tokens=[(EOS, eos)])
    backend.post_processor = template
    names = [f"<extra_id_{number}>" for number in range(sentinels)]
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in (PAD, EOS, UNK, *names)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNK,
        extra_special_tokens=names,
        split_special_tokens=True,
        clean_up_tokenization_spaces=False,
        model_max_length=1_000_000_000,
    )


def load_tokenizer(
    path_or_hub: str | Path, rows: int | None = None, revision: str | None = None
) -> PreTrainedTokenizerFast:
    """The tokenizer of a directory, of a ``spiece.model`` file (or a directory with only that), or of a hub name; that
    of ByT5 needs no file.

    ``rows``: the rows of the embedding of the model that it is for (default: ``vocab_size`` of the ``config.json``
    beside it, on the hub too). T5's own vocabulary is given the characters it lacks where the rows allow it (see
    t5_vocabulary). ``revision``: of the hub name. Raises InputError.
    """
    path, name = Path(path_or_hub), str(path_or_hub)
    check_reach(name, revision)
    rows = _rows_beside(path, revision) if rows is None else rows
    if path.is_file():
        return wrap(*t5_vocabulary.read_sentencepiece(path, rows))
    model = _file(name, _SENTENCEPIECE, revision)
    if _file(name, "tokenizer.json", revision) is None:
        if model is not None:
            return wrap(*t5_vocabulary.read_sentencepiece(model, rows))
        if _is_byte_level(name, revision):
            return wrap(byte_backend(), SENTINELS)
        if path.is_dir():
            found = "no tokenizer.json and no spiece.model"
            raise InputError(name, found, "name a directory that holds a tokenizer")
    tokenizer = _load_auto(name, revision)
    check_sound(tokenizer, name)
    if type(tokenizer).__name__ == "T5Tokenizer":
        return _completed(tokenizer, model, rows)
    tokenizer.split_special_tokens = True
    return tokenizer


def _completed(tokenizer: PreTrainedTokenizerFast, model: Path | None, rows: int | None) -> PreTrainedTokenizerFast:
    """A T5's tokenizer by its SentencePiece model, which has its bytes too, unless pieces were added to it."""
    if model is not None:
        own = wrap(*t5_vocabulary.read_sentencepiece(model, rows))
        if len(tokenizer) <= len(own):
            return own
    backend = tokenizer.backend_tokenizer
    t5_vocabulary.complete(backend, rows)
    return wrap(backend, sum(1 for piece in backend.get_vocab() if piece.startswith("<extra_id_")))


def _file(name: str, file: str, revision: str | None) -> Path | None:
    """A file of a directory or of a hub name; None if there is none, or the hub does not answer."""
    if Path(name).is_dir():
        path = Path(name, file)
        return path if path.is_file() else None
    try:
        found = cached_file(name, file, revision=revision, _raise_exceptions_for_missing_entries=False)
    except (OSError, ValueError):
        return None
    return None if found is None else Path(found)


def _is_byte_level(name: str, revision: str | None) -> bool:
    """True for ByT5, which says so and has no vocabulary file."""
    for file in ("tokenizer_config.json", "config.json"):
        path = _file(name, file, revision)
        if path is not None and '"ByT5Tokenizer"' in path.read_text(encoding="utf-8", errors="replace"):
            return True
    return _rows_beside(Path(name), revision) == BYTE_ROWS


def _load_auto(name: str, revision: str | None) -> PreTrainedTokenizerFast:
    try:
        return AutoTokenizer.from_pretrained(name, revision=revision)
    except Exception as error:  # tokenizers raises no more special one
        said = " ".join(str(error).split())
        todo = "name a directory or a hub model whose files are whole"
        raise InputError(name, f"no tokenizer could be loaded ({said})", todo) from error


def _rows_beside(path: Path, revision: str | None) -> int | None:
    place = path.parent if path.is_file() else path
    try:
        config, _ = PreTrainedConfig.get_config_dict(str(place), revision=revision)
    except OSError as error:
        if place.is_dir() and (place / "config.json").exists():
            raise InputError(
                f"{place / 'config.json'}", f"it cannot be read ({error})", "save the model again"
            ) from error
        return None  # a tokenizer without a model
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{place / 'config.json'}", f"it cannot be read ({error})", "save the model again") from error
    if not isinstance(config, dict):
        raise InputError(f"{place / 'config.json'}", "it holds no JSON object", "save the model again")
    size = config.get("vocab_size")
    return size if isinstance(size, int) else None


def dropped_ids(tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """The ids that are no text: pad, EOS and the sentinels; never unk, which stands for a character."""
    return frozenset(set(tokenizer.all_special_ids) - {tokenizer.unk_token_id})


def decode_texts(tokenizer: PreTrainedTokenizerFast, rows: Iterable[Sequence[int]]) -> list[str]:
    """The texts of rows of ids, without pad, EOS and sentinels, but with ``<unk>``."""
    dropped = dropped_ids(tokenizer)
    kept = [[int(token) for token in row if int(token) not in dropped] for row in rows]
    texts: list[str] = tokenizer.backend_tokenizer.decode_batch(kept, skip_special_tokens=False)
    return texts


def decode_text(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> str:
    """The text of ``ids``, without pad, EOS and sentinels, but with ``<unk>``."""
    return decode_texts(tokenizer, [ids])[0]


def encode_texts(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[list[int]]:
    """The ids of each text, EOS last; a special token written in a text is ordinary text, nothing is cut."""
    backend = tokenizer.backend_tokenizer
    backend.encode_special_tokens = True
    backend.no_truncation()
    backend.no_padding()
    return [encoding.ids for encoding in backend.encode_batch_fast(list(texts))]


def unsayable(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    """The distinct characters of ``text`` that do not come back from ids, sorted; empty if the text comes back.

    A space is in the list if only the spaces of the text come back otherwise than they were.
    """
    if _round_trip(tokenizer, [text]) == [text]:
        return []
    characters = sorted(set(text))
    probes = [f"x{char}x" for char in characters]
    came_back = zip(characters, probes, _round_trip(tokenizer, probes), strict=True)
    return [char for char, probe, back in came_back if probe != back] or [" "]


def _round_trip(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[str]:
    return decode_texts(tokenizer, encode_texts(tokenizer, texts))
