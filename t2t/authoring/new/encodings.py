"""In which encoding a stranger's file is, told from its bytes."""

from __future__ import annotations

from t2t.tasks.data_files import DataFile, open_bytes

_LOOKED_AT = 1 << 18  # bytes
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe\x00\x00": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_CANDIDATES = ["gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1251", "cp1252"]
_ENOUGH = 0.9  # of the lines beyond ASCII: a broken line costs itself, not the encoding


def first_bytes(file: DataFile, size: int = _LOOKED_AT) -> bytes:
    """The first bytes of a file or member, unpacked."""
    with open_bytes(file) as stream:
        return stream.read(size)


def encoding_of(data: bytes) -> str:
    """The name of the encoding: by its byte order mark, as UTF-8 where nearly all lines are, else the likeliest."""
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return name
    if data.isascii() or _share_of_utf8(data) >= _ENOUGH:
        return "utf-8"
    if data[:512].count(0) * 4 > len(data[:512]):
        return "utf-16-le" if data[1:512:2].count(0) > data[0:512:2].count(0) else "utf-16-be"
    from charset_normalizer import from_bytes

    best = from_bytes(data[: data.rfind(b"\n") + 1] or data, cp_isolation=_CANDIDATES).best()
    return "latin-1" if best is None else best.encoding


def _share_of_utf8(data: bytes) -> float:
    """Of the whole lines beyond ASCII, those that are UTF-8."""
    whole = data[: data.rfind(b"\n") + 1] or data
    lines = [line for line in whole.split(b"\n") if not line.isascii()]
    return sum(map(_is_utf8, lines)) / max(1, len(lines))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
