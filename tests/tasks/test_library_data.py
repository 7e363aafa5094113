"""Every file of the data sets beside the repository: a template reads it, or here stands why none does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from t2t.config.shipped_files import TEMPLATES, template_files
from t2t.config.template import read_templates
from t2t.tasks.sources import data_dir

# Files that hold no examples to learn from or to measure by, by what their paths begin or end with.
NO_EXAMPLES = {
    r".*(README|SOURCE|LICEN[SC]E|licen[sc]e|readme\.upstream|INDEX|CC-BY-SA4)[^/]*": "words about the data",
    r"metric_gold/.*|squad_dev/predictions/.*|wnut17/submissions/.*": "outputs of systems, which test the metrics",
    r"commongen/unilm_predictions.*|dialogsum/test_output\.txt|humaneval/example_.*": "outputs of systems",
    r"sentencepiece_models/.*": "vocabularies",
    r"exports/.*": "forms of annotation tools, which `t2t new` writes templates for",
    r"sentence_polarity/.*\.xml|deepke_instructkgc_zh/.*/schema\.json": "what stands in the records too",
    r"chinese_nre/SanWen/relation2id\.txt": "the labels, which the template words in Chinese",
    r"clinc150/domains\.json": "which intents belong together, for stages",
}
# Examples that no template reads.
LEFT_OUT = {
    r"clinc150/data_small\.json|mbpp/sanitized-mbpp\.json|wikitext2/tokens/.*": "another cut of what is read",
    r"e2e_nlg/testset\.csv|dialogsum/.*hiddentest.*": "the inputs alone, their golds stand elsewhere or nowhere",
    r"deepke_instructkgc_zh/.*/(sample|test)\.json": "a few more of the same shape, or without gold",
    r"commongen/commongen\.dev\.jsonl": "the dev part, read from its line-aligned files",
    r"csqa/csqa\.train\.(questions|answers)": "its options are not in this copy",
    r"chinese_poetry/(daxue|zhongyong|shijing)\.json": "a single document each, or of another form",
    r"public_domain_text/(inaugural|state_union)\.zip": "a file for each of 59 and 65 speeches, more of the same",
}


def texts(value: Any) -> Iterator[str]:
    """All texts inside a template's source or target."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


@pytest.mark.skipif(not data_dir().is_dir(), reason=f"no data sets at {data_dir()}; set T2T_DATA")
def test_every_file_is_read_by_a_template_or_left_out_for_a_reason() -> None:
    templates = [template for path in template_files(TEMPLATES).values() for template in read_templates(path)]
    read = {text.partition("!")[0] for one in templates for text in texts([dict(one.source), one.target])}
    files = {path.relative_to(data_dir()).as_posix() for path in data_dir().rglob("*") if path.is_file()}
    reasons = NO_EXAMPLES | LEFT_OUT
    unread = {file for file in files - read if not any(re.fullmatch(pattern, file) for pattern in reasons)}
    assert unread == set()
    for pattern in LEFT_OUT:
        found = {file for file in files if re.fullmatch(pattern, file)}
        assert found, f"{pattern} leaves nothing out"
        assert not found & read, f"{pattern} is read"
