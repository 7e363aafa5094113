"""The families of tasks: each builds the record of one example, or None where chance made it ambiguous."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from t2t.atlas.bank import Bank, Patterns
from t2t.atlas.pools import RELATIONS, Pool
from t2t.atlas.sentence_pattern import Draft, Mention, names_in
from t2t.structures import Json

Data: TypeAlias = dict[str, Json]
OPTIONS = 3
EMPTY_SHARE = 0.1
UNANSWERABLE_SHARE = 0.2
CONFUSING_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Setting:
    """What an example is made from: chance, names, patterns, and which side of the patterns."""

    rng: Random
    pool: Pool
    patterns: Patterns
    language: str
    unseen: bool

    def draft(self) -> Draft:
        """An empty text."""
        return Draft(self.rng, self.pool, self.language)

    def pick(self, bank: Bank) -> str:
        """A pattern of the side asked for."""
        return self.rng.choice(bank.of(self.unseen))

    def key(self, banks: Mapping[str, object]) -> str:
        """One of the keys, each as likely."""
        return self.rng.choice(list(banks))

    def chance(self, share: float) -> bool:
        """True in ``share`` of the cases."""
        return self.rng.random() < share


def topic(setting: Setting) -> Data | None:
    """``text`` and its ``topic``."""
    label = setting.key(setting.patterns.topic)
    draft = setting.draft()
    draft.add(setting.pick(setting.patterns.topic[label]))
    return {"text": draft.text, "topic": label} if draft.is_clear() else None


def intent(setting: Setting) -> Data | None:
    """``text``, its ``intent`` and its ``slots`` in the order of the text."""
    label = setting.key(setting.patterns.intent)
    draft = setting.draft()
    found = draft.add(setting.pick(setting.patterns.intent[label]))
    if not draft.is_clear():
        return None
    return {"text": draft.text, "intent": label, "slots": [{"slot": m.role, "value": m.span()} for m in found]}


def ner(setting: Setting) -> Data | None:
    """``text`` and its ``mentions`` in order; one text in ten has none."""
    draft = setting.draft()
    count = 0 if setting.chance(EMPTY_SHARE) else 1 + setting.chance(0.3)
    mixed = [setting.patterns.ner] * count
    if not count or setting.chance(0.4):
        mixed.insert(setting.rng.randrange(count + 1), setting.patterns.plain)
    for bank in mixed:
        draft.add(setting.pick(bank))
    if not draft.is_clear():
        return None
    return {"text": draft.text, "mentions": [{"text": m.span(), "type": m.kind} for m in names_in(draft.mentions)]}


def _state_fact(setting: Setting, draft: Draft, relations: str) -> list[Data]:
    """Add a sentence that states a fact; its relations in the order of their tails."""
    pattern = setting.pick(setting.patterns.facts[relations])
    names = dict(zip(("head", *relations.split()), setting.pool.fact(setting.rng, relations), strict=True))
    mentions = draft.add(pattern, names)
    head = next(m for m in mentions if m.role == "head")
    return [{"head": head.span(), "relation": m.role, "tail": m.span()} for m in mentions if m is not head]


def relation(setting: Setting) -> Data | None:
    """``text`` and its ``relations`` in order; one text in ten names things without relating them."""
    draft = setting.draft()
    found: list[Data] = []
    count = 0 if setting.chance(EMPTY_SHARE) else 1 + setting.chance(0.3)
    aside = setting.rng.randrange(count + 1) if not count or setting.chance(0.3) else -1
    for place in range(count + 1):
        if place == aside:
            draft.add(setting.pick(setting.patterns.asides))
        if place < count:
            found += _state_fact(setting, draft, setting.key(setting.patterns.facts))
    return {"text": draft.text, "relations": found} if draft.is_clear() else None


def _event(label: str, mentions: Sequence[Mention]) -> Data:
    trigger = next(m for m in mentions if m.role == "trigger")
    args = [{"role": m.role, "text": m.span()} for m in names_in(mentions)]
    return {"trigger": trigger.span(), "type": label, "args": args}


def event(setting: Setting) -> Data | None:
    """``text`` and its ``events``, each with its ``args`` in the order of the text; one text in ten has none."""
    draft = setting.draft()
    found: list[Data] = []
    count = 0 if setting.chance(EMPTY_SHARE) else 1 + setting.chance(0.25)
    aside = setting.rng.randrange(count + 1) if not count or setting.chance(0.3) else -1
    for place in range(count + 1):
        if place == aside:
            draft.add(setting.pick(setting.patterns.plain if setting.chance(0.5) else setting.patterns.asides))
        if place < count:
            label = setting.key(setting.patterns.events)
            found.append(_event(label, draft.add(setting.pick(setting.patterns.events[label]))))
    return {"text": draft.text, "events": found} if draft.is_clear() else None


def _passage(setting: Setting, asked: str, stated: bool) -> tuple[Draft, Data | None]:
    """Two facts in either order, and the one that ``asked`` is about (None where not ``stated``)."""
    others = [r for r in RELATIONS if r != asked]
    kinds = [asked if stated else others[0], asked if stated and setting.chance(CONFUSING_SHARE) else others[1]]
    order = [0, 1] if setting.chance(0.5) else [1, 0]
    draft = setting.draft()
    facts = {place: _state_fact(setting, draft, kinds[place])[0] for place in order}
    return draft, facts[0] if stated else None


def _ask(setting: Setting, asked: str, head: str) -> tuple[str, Mention]:
    """A question, and the name in it that it is about."""
    draft = setting.draft()
    (about,) = draft.add(setting.pick(setting.patterns.questions[asked]), {"head": head})
    return draft.text, about


def qa(setting: Setting) -> Data | None:
    """``context``, ``question``, ``about``: the name in the question, and ``answer``: a span of the context, or None
    (one in five).

    Of the questions without an answer half ask about a name of the context, half about one that is not in it.
    """
    asked = setting.key(RELATIONS)
    answerable = not setting.chance(UNANSWERABLE_SHARE)
    elsewhere = not answerable and setting.chance(0.5)
    draft, fact = _passage(setting, asked, answerable or elsewhere)
    if not draft.is_clear():
        return None
    head = fact["head"]["text"] if fact and not elsewhere else _other_head(setting, draft, asked, elsewhere)
    if head is None:
        return None
    answer = fact["tail"] if fact and not elsewhere else None
    question, about = _ask(setting, asked, head)
    return {"context": draft.text, "question": question, "about": about.span(), "answer": answer}


def _other_head(setting: Setting, draft: Draft, asked: str, elsewhere: bool) -> str | None:
    """A name to ask about in vain: one of the context of which nothing is asked, or one from elsewhere."""
    kind = RELATIONS[asked][0]
    if elsewhere:
        name = setting.pool.name(setting.rng, kind)
        return None if name.casefold() in draft.text.casefold() else name
    known = [m.text for m in draft.mentions if m.kind == kind]
    return setting.rng.choice(known) if known else None


def choice(setting: Setting) -> Data | None:
    """``passage``, ``question``, ``about``: the name in the question, three ``options`` of one kind, ``answer``."""
    asked = setting.key(RELATIONS)
    draft, fact = _passage(setting, asked, stated=True)
    if not draft.is_clear() or fact is None:
        return None
    kind, answer = RELATIONS[asked][1], fact["tail"]["text"]
    options = [m.text for m in draft.mentions if m.kind == kind and m.role != "head"][:2]
    options += [setting.pool.name(setting.rng, kind) for _ in range(OPTIONS - len(options))]
    setting.rng.shuffle(options)
    if len({o.casefold() for o in options}) < OPTIONS:
        return None
    question, about = _ask(setting, asked, fact["head"]["text"])
    return {
        "passage": draft.text,
        "question": question,
        "about": about.span(),
        "options": options,
        "answer": answer,
    }


def summary(setting: Setting) -> Data | None:
    """``text``, a piece of news among one or two details, and its ``headline``."""
    draft = setting.draft()
    story = setting.rng.choice(setting.patterns.news)
    count = 1 + setting.chance(0.3)
    place = setting.rng.randrange(count + 1)
    details = setting.rng.sample(setting.patterns.details.of(setting.unseen), count)
    told: list[Mention] = []
    for pattern in details[:place]:
        draft.add(pattern)
    told = draft.add(setting.pick(story.key))
    for pattern in details[place:]:
        draft.add(pattern)
    headline = setting.draft()
    headline.add(story.headline, {m.role: m.text for m in told})
    return {"text": draft.text, "headline": headline.text} if draft.is_clear() else None


def _apart(draft: Draft, state: Mapping[str, Mention]) -> bool:
    """Whether the names of the state are told apart; what was taken back may be there again."""
    said = Draft(draft.rng, draft.pool, draft.language)
    said.text, said.mentions = draft.text, list(state.values())
    return said.is_clear()


def dialogue(setting: Setting) -> Data | None:
    """``history``, the turns as one text, and ``state``: destination, departure, day, currency, language if said."""
    talk, draft = setting.patterns.dialogue, setting.draft()
    user, agent = talk.speakers
    state = {m.role: m for m in draft.add(user + setting.pick(talk.opening))}
    asked = [slot for slot in talk.asks if slot not in state]
    for slot in sorted(setting.rng.sample(asked, 1 + setting.chance(0.4)), key=asked.index):
        draft.add(agent + setting.pick(talk.asks[slot]))
        state.update({m.role: m for m in draft.add(user + setting.pick(talk.answers[slot]))})
    if setting.chance(0.2):
        draft.add(agent + setting.pick(talk.replies))
        changed = draft.add(user + setting.pick(talk.changes), {"old": state["destination"].text})
        state["destination"] = next(m for m in changed if m.role == "destination")
    if not _apart(draft, state):
        return None
    order = ("destination", *talk.asks)
    said = [{"slot": slot, "value": state[slot].span()} for slot in order if slot in state]
    return {"history": draft.text, "state": said}


FAMILIES: Mapping[str, Callable[[Setting], Data | None]] = {
    build.__name__: build for build in (topic, intent, ner, relation, event, qa, choice, summary, dialogue)
}
