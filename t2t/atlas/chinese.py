"""Chinese names by the ten thousand, composed from pieces of CLDR's: 3,400 real ones are soon memorised.

A composed name is fictional. It reads like a transliteration (the head of one name, the tail of another) and
carries the affixes of its kind: 新 and 港 for cities, 语 for languages, 法郎 for currencies.
"""

from __future__ import annotations

from random import Random

from t2t.atlas.names import LONGEST_CHINESE, Name
from t2t.draws import number_of

BEFORE = {"city": ("", "", "", "新", "南", "北", "东", "西", "大"), "country": ("", "", "", "新", "东", "西")}
AFTER = {
    "country": ("", "", "国", "王国", "联邦", "群岛", "斯坦"),
    "city": ("", "", "", "市", "港", "城", "堡"),
    "language": ("语", "语", "文"),
    "currency": ("元", "镑", "盾", "法郎", "克朗", "比索", "先令", "第纳尔", "卢比"),
}
WORDS = frozenset("语文话元币镑国王联邦州洲海湾岛屿群市城港堡山角新大小东西南北中上下古英美法德日的属高低")
ENDINGS = tuple(sorted({end for ends in AFTER.values() for end in ends if end} | {"群島", "文字", "語"}, key=len))[::-1]


def core(text: str) -> str:
    """``text`` without the ending of its kind, where at least two characters are left."""
    for end in ENDINGS:
        if text.endswith(end) and len(text) - len(end) >= 2:
            return text[: -len(end)]
    return text


def _plain(pieces: set[str]) -> list[str]:
    return sorted(piece for piece in pieces if not set(piece) & WORDS)


def compose(names: list[Name], count: int, salt: str) -> dict[str, list[str]]:
    """``count`` distinct names of each kind from pieces of ``names``; the same for the same ``salt``.

    No string is given to two kinds, none equals a real name of ``names``, and each core has three characters or
    more, so that a composed name hardly ever is inside another by chance.
    """
    cores = sorted({core(n.text) for n in names if n.locale == "zh" and n.entity[0] != "currency"})
    heads = _plain({c[:size] for c in cores for size in (1, 2) if len(c) > size})
    tails = _plain({c[-size:] for c in cores for size in (1, 2) if len(c) > size})
    taken = {n.text for n in names}
    composed: dict[str, list[str]] = {}
    for kind, after in AFTER.items():
        rng = Random(number_of(f"{salt} {kind}"))
        mine: list[str] = []
        for _ in range(20 * count):
            stem = rng.choice(heads) + rng.choice(tails)
            text = rng.choice(BEFORE.get(kind, ("",))) + stem + rng.choice(after)
            if len(stem) >= 3 and len(text) <= LONGEST_CHINESE and text not in taken:
                taken.add(text)
                mine.append(text)
                if len(mine) == count:
                    break
        composed[kind] = mine
    return composed
