"""The demo data: an atlas that is told in sentences.

Facts come from Unicode CLDR through Babel: countries, time-zone cities, currencies and languages, which currency is in
use and which languages are official in a country, in which country a city lies. English texts use names from every
Latin-script locale, Chinese texts names from Chinese and Japanese locales and names composed of their pieces
(fictional, and so are the facts about them): with a few hundred names a model memorises, with many it copies.

How the splits are kept apart:

- Every CLDR entity is either for training or held out, by its code alone: all of its names in all locales go with it,
  in every family, language and seed. Cities go with their country, currencies and languages with most of theirs.
- A string that a held-out entity bears in any locale is no training name (compared by NFKC, case folded), nor is one
  that holds a held-out name as whole words (Chinese: as characters). Held-out names that are mere parts of many names,
  or that are words of the sentence patterns, are not used.
- In ``train`` half of the names are invented anew at each draw from pieces of training names (and the facts about them
  are fictional): what is left to learn is to copy. ``valid``, ``test`` and ``patterns`` have names as they are.
- Composed Chinese names are made of pieces of the names of their own side and obey the same rule.
- ``train``: training names. ``valid`` and ``test``: held-out names in the patterns of train. ``patterns``: held-out
  names in sentence patterns that no other split has (its distractors too, the agent's turns too).
- ``translation`` is about new combinations: all its names are training names; a set of names that occurs together in
  test (or valid) never does in train. ``patterns`` has new patterns with the sets of test.
"""

from __future__ import annotations

from pathlib import Path

from t2t.errors import TemplateError
from t2t.tasks.sources.base import SOURCES, Source, Spec


@SOURCES.register("atlas")
def atlas(spec: Spec, base: Path, where: str) -> Source:
    """The format atlas: records made by rule from a seed; what ``spec`` may hold is told by ``source.make``."""
    try:
        from t2t.atlas.source import make
    except ModuleNotFoundError as error:
        if error.name != "babel":
            raise
        found = "the demo's data are made of names that Babel brings, which is not installed"
        raise TemplateError(where, found, 'install it: pip install "t2t[demo]"') from error
    return make(spec, base, where)
