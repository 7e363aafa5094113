"""Which tokens a grammar allows: our masks against llguidance's, along the same paths, exactness first, then time.

    pip install 'llguidance>=1.9,<2'                    # the peer, no dependency of ours
    python benchmarks/constraint_engines.py             # three sources, three vocabularies
    python benchmarks/constraint_engines.py --vocabularies t5 --cases snips --records 20

Sources: SNIPS (intent and slots), WNUT17 (mentions with numbers), and posts of WNUT17 joined to 2,000 characters.
Vocabularies: ``t5``, its own 32,000 pieces, without byte fallback; ``bytes``, 32,000 pieces with byte fallback, trained
on the text in the folder of data; ``large``, these and the commonest words of that text, and their beginnings, up to
mT5's 250,112.

Both engines go side by side along the gold target of each record and along random ways that either allows, and their
masks are compared at each step. A random way that ends is decoded and parsed: an exact engine ends in nothing that the
parser refuses (but for a place said twice, which masks do not know of). Times are of the first walk of a record, in one
thread: preparation (for llguidance with the translation), and steps: a mask as booleans, and a token taken.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import log
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from t2t.generation.constrain import Constrainer, MaskGuides
from t2t.generation.engine import Guides
from t2t.linear.grammar import Grammar
from t2t.linear.target import Target
from t2t.model.pieces import count_cuts
from t2t.model.tokenizer import decode_text, encode_texts, load_tokenizer, train_tokenizer, wrap
from t2t.structures import Record, Span, Value
from t2t.tasks.data_files import data_dir
from t2t.tasks.task import Task, load_task

ROOT = Path(__file__).resolve().parents[1]
SENTINELS = 100
LONGEST_PIECE = 16  # characters, as in SentencePiece
SUFFIXES = {".txt", ".conll", ".annotated", ".json", ".jsonl", ".tsv", ".csv", ".in", ".en", ".de"}
LONG = 2000  # characters of the joined posts
LONGEST_WALK = 120  # tokens
ENDS = 0.25  # the chance of a random way to end where it may


class Maker(Protocol):
    """What makes guides of grammars, for one tokenizer."""

    def guides(self, grammars: Sequence[Grammar]) -> Guides: ...


class Ours:
    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._constrainer = Constrainer(tokenizer)

    def guides(self, grammars: Sequence[Grammar]) -> Guides:
        return MaskGuides(map(self._constrainer.guide, grammars))


class Row:
    """One row's way through a grammar, by the face that engines of generation see."""

    def __init__(self, maker: Maker, grammar: Grammar, size: int) -> None:
        self._guides, self._size = maker.guides([grammar]), size

    def mask(self) -> NDArray[np.bool_]:
        """[v]: True where a token is allowed."""
        mask_v: NDArray[np.bool_] = self._guides.mask([True], [LONGEST_WALK], self._size)[0]
        return mask_v

    def take(self, token: int) -> None:
        self._guides.take([token], [True])


@dataclass(frozen=True, slots=True)
class Case:
    """A record's ``fields``, and the ids of its gold as ``target`` writes it, EOS last."""

    target: Target
    fields: Record
    ids: tuple[int, ...]

    def grammar(self) -> Grammar:
        return self.target.grammar(self.fields)


def records(name: str, count: int) -> Iterator[tuple[Task, Record, Value]]:
    """Task, fields and gold of ``count`` records."""
    task = load_task("snips/joint" if name == "snips" else "wnut17/ner")
    found = ((example.fields, example.gold) for example in task.examples("test"))
    for fields, gold in islice(_joined(found) if name == "long" else found, count):
        yield task, fields, gold


def _joined(records: Iterable[tuple[Record, Value]]) -> Iterator[tuple[Record, Value]]:
    """Posts put one behind the other, LONG characters at a time, with the mentions that lie in them."""
    text, mentions = "", []
    for fields, gold in records:
        for mention in gold:
            span = mention["text"]
            moved = Span(span.text, span.start + len(text), span.end + len(text))
            mentions.append({**mention, "text": moved})
        text += fields["text"] + " "
        if len(text) > LONG:
            kept = [one for one in mentions if one["text"].end <= LONG]
            yield {"text": text[:LONG].rstrip(), "mentions": kept}, kept
            text, mentions = "", []


def cases(name: str, count: int, tokenizer: PreTrainedTokenizerFast) -> list[Case]:
    found = []
    for task, fields, gold in records(name, count):
        ids = encode_texts(tokenizer, [task.target.render(gold, fields)])[0]
        found.append(Case(task.target, fields, tuple(ids)))
    return found


def texts() -> Iterator[str]:
    """The lines of text that lie in the folder of data, the same each time."""
    for path in sorted(data_dir().rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            yield from path.read_text(encoding="utf-8", errors="ignore")[:3_000_000].splitlines()


def trained(size: int) -> PreTrainedTokenizerFast:
    return train_tokenizer(islice(texts(), 0, None, 8), size, SENTINELS)


def grown(tokenizer: PreTrainedTokenizerFast, size: int) -> PreTrainedTokenizerFast:
    """``tokenizer`` with the commonest words and beginnings of words as pieces; its sentinels stay at the top."""
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = described["model"]["vocab"]
    pieces, top = vocabulary[:-SENTINELS], vocabulary[-SENTINELS:]
    counts: Counter[str] = Counter()
    for word, count in count_cuts(texts()).items():
        for length in range(min(3, len(word)), min(LONGEST_PIECE, len(word)) + 1):
            counts[word[:length]] += count
    total, known = sum(counts.values()), {piece for piece, _ in vocabulary}
    words = ((word, log(count / total)) for word, count in counts.most_common() if word not in known)
    pieces += islice(words, size - len(vocabulary))
    described["model"]["vocab"], described["added_tokens"] = [*pieces, *top], []
    return wrap(Tokenizer.from_str(json.dumps(described)), SENTINELS)


def vocabulary(name: str) -> PreTrainedTokenizerFast:
    if name == "t5":
        return load_tokenizer(str(data_dir() / "sentencepiece_models" / "t5" / "spiece.model"))
    small = trained(32_000)
    return small if name == "bytes" else grown(small, 250_112)


Masks = dict[str, NDArray[np.bool_]]  # by engine
Choose = Callable[[Masks, int], int | None]  # masks and the number of the step to the next token; None at a dead end


@dataclass(slots=True)
class Seen:
    """What was seen of two engines: times by engine, steps by how their masks compare, ends of random ways."""

    prepared: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "theirs": []})
    steps: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "theirs": []})
    whole: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "theirs": []})
    accepted: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    records: int = 0


def timed(maker: Maker, case: Case, size: int) -> tuple[float, list[float], bool]:
    """Milliseconds of the processor to prepare a row and of its steps along the gold; True if all of it was allowed."""
    grammar = case.grammar()
    began = time.process_time()
    row = Row(maker, grammar, size)
    prepared, steps = time.process_time() - began, []
    for token in case.ids:
        began = time.process_time()
        allowed = bool(row.mask()[token])
        if allowed:
            row.take(token)
        steps.append((time.process_time() - began) * 1e3)
        if not allowed:
            return prepared * 1e3, steps, False
    return prepared * 1e3, steps, True


def compare(
    engines: dict[str, Maker], case: Case, size: int, choose: Choose, seen: Seen, kind_of: Callable[[int], str]
) -> None:
    """Both engines along one way, up to where it ends or one of them does not allow what ``choose`` gives."""
    rows = {name: Row(maker, case.grammar(), size) for name, maker in engines.items()}
    for step in range(LONGEST_WALK):
        masks = {name: row.mask() for name, row in rows.items()}
        ours, theirs = masks["ours"], masks["theirs"]
        more, less = np.flatnonzero(ours & ~theirs), np.flatnonzero(theirs & ~ours)
        names = {(False, False): "equal", (True, False): "ours wider", (False, True): "theirs wider"}
        seen.compared[names.get((bool(len(more)), bool(len(less))), "both differ")] += 1
        seen.causes.update({f"ours: {kind_of(token)}" for token in more.tolist()})
        seen.causes.update({f"theirs: {kind_of(token)}" for token in less.tolist()})
        token = choose(masks, step)
        if token is None or token == case.ids[-1] or not all(mask[token] for mask in masks.values()):
            return
        for row in rows.values():
            row.take(token)


def along(ids: Sequence[int]) -> Choose:
    """The way of ``ids``."""
    return lambda masks, step: ids[step]


def wander(name: str, eos: int, rng: random.Random) -> Choose:
    """A random way that engine ``name`` allows."""

    def choose(masks: Masks, step: int) -> int | None:
        allowed = np.flatnonzero(masks[name])
        others = allowed[allowed != eos]
        if len(others) < len(allowed) and (not len(others) or rng.random() < ENDS):
            return eos
        return int(rng.choice(others)) if len(others) else None

    return choose


def walk(maker: Maker, case: Case, size: int, eos: int, rng: random.Random) -> tuple[list[int], str]:
    """A random way that ``engine`` allows: its ids, and whether it ended, came to a dead end or was cut."""
    row, taken = Row(maker, case.grammar(), size), []
    choose = wander("it", eos, rng)
    while len(taken) < LONGEST_WALK:
        token = choose({"it": row.mask()}, len(taken))
        if token is None:
            return taken, "dead end"
        taken.append(token)
        if token == eos:
            return taken, "ended"
        row.take(token)
    return taken, "cut"


def judged(case: Case, tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> str:
    """What the parser says of an output that ended."""
    kinds = {issue.kind for issue in case.target.parse(decode_text(tokenizer, ids), case.fields).issues}
    if kinds - {"duplicate"}:
        return "refused"
    return "a place twice" if kinds else "parsed"


def measure(engines: dict[str, Maker], cases: list[Case], tokenizer: PreTrainedTokenizerFast, walks: int) -> Seen:
    seen, rng = Seen(records=len(cases)), random.Random(1)
    eos, size = int(tokenizer.eos_token_id), len(tokenizer)

    def kind_of(token: int) -> str:
        if token == eos:
            return "EOS"
        if token == tokenizer.unk_token_id:
            return "<unk>"
        piece = str(tokenizer.convert_ids_to_tokens(token))
        return "a byte" if piece.startswith("<0x") else "a piece"

    for number, case in enumerate(cases):
        for name in sorted(engines, reverse=bool(number % 2)):
            prepared, steps, accepted = timed(engines[name], case, size)
            seen.prepared[name].append(prepared)
            seen.steps[name] += steps
            seen.whole[name].append(prepared + sum(steps))
            seen.accepted[name] += accepted
        compare(engines, case, size, along(case.ids), seen, kind_of)
        for name, engine in engines.items():
            for _ in range(walks):
                compare(engines, case, size, wander(name, eos, rng), seen, kind_of)
                ids, end = walk(engine, case, size, eos, rng)
                seen.ends[f"{name}: {judged(case, tokenizer, ids) if end == 'ended' else end}"] += 1
    return seen


def report(where: str, seen: Seen) -> None:
    print(f"\n{where}, {seen.records} records")
    for name in ("ours", "theirs"):
        steps = sorted(seen.steps[name])
        print(f"  {name:<7} gold accepted {seen.accepted[name]}; ms, median (mean):", end="")
        for what, values in (("prepared", seen.prepared[name]), ("step", steps), ("record", seen.whole[name])):
            print(f" {what} {statistics.median(values):.3f} ({statistics.fmean(values):.3f}),", end="")
        print(f" 95% of steps {steps[int(0.95 * len(steps))]:.2f}")
    print("  masks:", ", ".join(f"{count:,} {name}" for name, count in seen.compared.most_common()))
    print("  causes:", ", ".join(f"{name} {count:,}" for name, count in seen.causes.most_common()) or "none")
    print("  random ways:", ", ".join(f"{name} {count:,}" for name, count in sorted(seen.ends.items())), flush=True)


def code_lines(*files: str) -> int:
    """Lines of these files that are neither empty nor comments."""
    lines = (line.strip() for file in files for line in (ROOT / file).read_text(encoding="utf-8").splitlines())
    return sum(bool(line) and not line.startswith("#") for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabularies", nargs="+", choices=("t5", "bytes", "large"), default=["t5", "bytes", "large"])
    parser.add_argument("--cases", nargs="+", choices=("snips", "wnut17", "long"), default=["snips", "wnut17", "long"])
    parser.add_argument("--records", type=int, default=100, help="a tenth of them of the long source")
    parser.add_argument("--walks", type=int, default=2, help="random ways a record and engine, twice")
    given = parser.parse_args()
    try:
        from llguidance_engine import Llguidance
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is missing, which ours is compared with: pip install 'llguidance>=1.9,<2'")
    for name in given.vocabularies:
        tokenizer = vocabulary(name)
        engines: dict[str, Maker] = {}
        for called, make in (("ours", Ours), ("theirs", Llguidance)):
            began = time.perf_counter()
            engines[called] = make(tokenizer)
            print(f"{name}, {len(tokenizer):,} ids: {called} set up in {time.perf_counter() - began:.1f} s", flush=True)
        gc.collect()
        gc.freeze()  # else collections walk the vocabulary at random moments
        for case in given.cases:
            count = max(1, given.records // 10) if case == "long" else given.records
            found = cases(case, count + 1, tokenizer)
            for maker in engines.values():
                timed(maker, found[-1], len(tokenizer))  # what is made once is made
            report(f"{case}, {name}", measure(engines, found[:count], tokenizer, given.walks))
    ours = code_lines(*(f"t2t/generation/{file}.py" for file in ("state_network", "automaton", "constrain")))
    print(
        f"\nlines of code: ours {ours}, theirs {code_lines('benchmarks/llguidance_engine.py')}, and spelling.py of both"
    )


if __name__ == "__main__":
    main()
