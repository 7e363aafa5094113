"""The other engine: what torch gives, by CTranslate2's kernels; converted once; refused in a sentence."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from transformers import UMT5Config, UMT5ForConditionalGeneration

from t2t import registry
from t2t.config.generation_engines import ENGINES
from t2t.config.run import SampleSettings
from t2t.errors import InputError, RunDirectoryError
from t2t.generation.ctranslate2_engine import CTranslate2Engine
from t2t.generation.generator import Decoding, Generator, Request
from t2t.generation.torch_engine import TorchEngine
from t2t.linear.grammar import Grammar, any_of
from t2t.model.backbone import build_from_scratch
from t2t.model.seq2seq import SpecialIds
from t2t.serving import conversion
from t2t.serving.loading import load_generator
from tests.generation.test_torch_engine import LIMIT, SPEC, TOKENIZER, countdown, requests

transformers_converter = pytest.importorskip("ctranslate2.converters.transformers")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def taught(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Generator, Path]:
    """An engine of torch, and the folder of its model."""
    made, folder = countdown(request.param), tmp_path_factory.mktemp("model")
    made.engine.model.save(TOKENIZER, folder, LIMIT)
    return made, folder


def test_greedy_outputs_and_scores_are_those_of_torch(taught: tuple[Generator, Path]) -> None:
    by_torch, folder = taught
    other = load_generator(folder, "cpu", engine="ctranslate2")
    assert isinstance(other.engine, CTranslate2Engine)
    for limit in (5, LIMIT):
        expected = by_torch.generate(requests(), Decoding(limit, 600))
        found = other.generate(requests(), Decoding(limit, 600))
        assert [(one.id, one.ids, one.text, one.cut) for one in found] == [
            (one.id, one.ids, one.text, one.cut) for one in expected
        ]
        assert [one.score for one in found] == pytest.approx([one.score for one in expected], rel=0.03, abs=1e-4)


def test_each_core_has_batches_of_its_own_and_torch_keeps_its_threads(taught: tuple[Generator, Path]) -> None:
    by_torch, folder = taught
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            other = load_generator(folder, "cpu", engine="ctranslate2")
            assert torch.get_num_threads() == threads
            found.append(other.generate(requests(), Decoding(LIMIT, 60)))  # many batches
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]
    assert [one.ids for one in found[0]] == [one.ids for one in by_torch.generate(requests(), Decoding(LIMIT, 60))]


@pytest.mark.parametrize("more", [{"sample": SampleSettings()}, {"no_repeat_ngram": 3}])
def test_what_it_does_not_do_is_no_silent_greedy_search(taught: tuple[Generator, Path], more: dict) -> None:
    other = load_generator(taught[1], "cpu", engine="ctranslate2")
    with pytest.raises(ValueError, match="neither samples nor knows"):
        other.generate(requests(2), Decoding(LIMIT, **more))


def test_beams_find_what_is_as_likely_or_likelier(taught: tuple[Generator, Path]) -> None:
    by_torch, folder = taught
    other = load_generator(folder, "cpu", engine="ctranslate2")
    expected = by_torch.generate(requests(), Decoding(LIMIT, 600, 4))
    found = other.generate(requests(), Decoding(LIMIT, 600, 4))
    assert sum(one.ids == two.ids for one, two in zip(found, expected, strict=True)) > 0.9 * len(found)
    assert all(one.score > two.score - 5e-3 for one, two in zip(found, expected, strict=True))


@pytest.mark.parametrize("penalty", [0.0, 2.0])
def test_beams_are_compared_with_the_same_length_penalty(taught: tuple[Generator, Path], penalty: float) -> None:
    by_torch, folder = taught
    other = load_generator(folder, "cpu", engine="ctranslate2")
    decoding = Decoding(LIMIT, 600, 4, length_penalty=penalty)
    expected, found = (one.generate(requests(12), decoding) for one in (by_torch, other))
    assert sum(one.ids == two.ids for one, two in zip(found, expected, strict=True)) > 0.9 * len(found)
    for one, two in zip(found, expected, strict=True):
        assert one.ids != two.ids or one.score == pytest.approx(two.score, rel=0.03, abs=1e-4)


def test_what_a_grammar_guides_is_what_torch_gives(taught: tuple[Generator, Path]) -> None:
    by_torch, folder = taught

    def words() -> Grammar:
        return any_of(("the port", "storm"))

    asked = [Request(one.id, one.prompt_ids, words) for one in requests(12)]
    expected = by_torch.generate(asked, Decoding(LIMIT))
    found = load_generator(folder, "cpu", engine="ctranslate2").generate(asked, Decoding(LIMIT))
    assert {one.text for one in found} <= {"the port", "storm"}
    assert [(one.ids, one.constrained) for one in found] == [(one.ids, one.constrained) for one in expected]


def test_a_model_is_converted_once_and_other_weights_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    for name in ("a", "b"):
        build_from_scratch(SPEC, len(TOKENIZER), 5 + len(name) * (name == "b"), SpecialIds.of(TOKENIZER)).save(
            TOKENIZER, tmp_path / name
        )
    first, other = conversion.converted(tmp_path / "a"), conversion.converted(tmp_path / "b")
    assert first != other
    monkeypatch.setattr(conversion, "convert", lambda *_: pytest.fail("converted again"))
    assert conversion.converted(tmp_path / "a") == first


def test_what_it_cannot_do_is_told(taught: tuple[Generator, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = taught
    load_generator(folder, "cpu", "int8", "ctranslate2").generate(requests(2), Decoding(4))
    with pytest.raises(InputError, match="the engine torch has no int8; use engine: ctranslate2"):
        load_generator(folder, "cpu", "int8")
    with pytest.raises(InputError, match="engine: unknown engine 'ctranslate'; did you mean 'ctranslate2'"):
        load_generator(folder, "cpu", engine="ctranslate")
    monkeypatch.setattr("ctranslate2.get_supported_compute_types", lambda _: {"float32"})
    with pytest.raises(InputError, match=r"does not compute in int8 on this cpu; use one of its own here: float32"):
        load_generator(folder, "cpu", "int8", "ctranslate2")
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(InputError, match="ctranslate2 is not installed; install it: pip install"):
        load_generator(folder, "cpu", engine="ctranslate2")
    monkeypatch.setattr("t2t.serving.loading.find_spec", lambda _: None)
    assert isinstance(load_generator(folder, "cpu", engine="auto").engine, TorchEngine)


def test_every_layer_of_a_umt5_has_its_own_bias(tmp_path: Path) -> None:
    shape = {**SPEC, "vocab_size": len(TOKENIZER), "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}
    torch.manual_seed(1)
    model = UMT5ForConditionalGeneration(UMT5Config(**shape))
    for name, weight in model.named_parameters():
        if "relative" in name:
            weight.data.normal_(0, 3)
    model.save_pretrained(tmp_path)
    TOKENIZER.save_pretrained(tmp_path)
    expected, found = (
        load_generator(tmp_path, "cpu", engine=engine).generate(requests(12), Decoding(LIMIT))
        for engine in ("torch", "auto")
    )
    assert [one.ids for one in found] == [one.ids for one in expected]


def test_auto_takes_torch_for_a_kind_that_ctranslate2_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_from_scratch(SPEC, len(TOKENIZER), 9, SpecialIds.of(TOKENIZER)).save(TOKENIZER, tmp_path / "model")
    monkeypatch.delitem(transformers_converter._MODEL_LOADERS, "T5Config")
    with pytest.raises(RunDirectoryError, match="ctranslate2 cannot convert it"):
        conversion.converted(tmp_path / "model")
    assert isinstance(load_generator(tmp_path / "model", "cpu", engine="auto").engine, TorchEngine)


def test_an_engine_of_others_is_asked_for_by_its_name(
    taught: tuple[Generator, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_engine_of_a_test.py").write_text(
        "from t2t.serving.loading import ENGINES\n"
        "class Slow:\n"
        "    def __init__(self, under): self.under = under\n"
        "    def __getattr__(self, name): return getattr(self.under, name)\n"
        "def load(model, place, precision):\n"
        "    engine, tokenizer = ENGINES.get('torch', '')(model, place, precision)\n"
        "    return Slow(engine), tokenizer\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("slow", "slow_engine_of_a_test:load", "t2t.engines")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "t2t.engines" else [])
    try:
        theirs, ours = (load_generator(taught[1], "cpu", engine=name) for name in ("slow", "torch"))
    finally:
        ENGINES._items.pop("slow", None)
    assert type(theirs.engine).__name__ == "Slow"
    assert theirs.generate(requests(5), Decoding(LIMIT)) == ours.generate(requests(5), Decoding(LIMIT))
