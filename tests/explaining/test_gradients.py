"""Integrated gradients: exact where the score is linear, complete where it is not, of the right words where known."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from t2t.errors import InputError
from t2t.explaining.deletion import summed_up
from t2t.explaining.explainer import Explainer
from t2t.explaining.gradients import adds_up, integrated_gradients
from t2t.explaining.scoring import Scorer
from t2t.model.backbone import build_from_scratch
from t2t.model.peft.prompt_tuning import PromptTuning
from t2t.model.seq2seq import Seq2Seq
from t2t.serving.inputs import as_examples, given_records
from t2t.serving.model import Model, load
from t2t.tasks.bad_records import BadRecords
from tests.explaining.conftest import MOODS, lines
from tests.models import token_nll

IDS, LABELS = [5, 9, 7, 9, 30, 1], [8, 12, 6, 1]


def random_model() -> Seq2Seq:
    torch.manual_seed(3)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_decoder_layers": 1, "num_heads": 2}
    model = build_from_scratch(sizes, 40)
    for parameter in model.module.parameters():
        torch.nn.init.normal_(parameter, std=0.7)  # far from linear
    model.module.eval().requires_grad_(False)
    return model


def test_a_score_is_that_of_transformers_own_forward() -> None:
    model = random_model()
    batch = {"input_ids": torch.tensor([IDS]), "attention_mask": torch.ones(1, len(IDS), dtype=torch.long)}
    total, _, _ = token_nll(model, {**batch, "labels": torch.tensor([LABELS])})
    assert Scorer(model, LABELS, [0, 1, 2, 3]).of_rows([IDS]) == pytest.approx([-float(total)], abs=1e-4)
    parts = [Scorer(model, LABELS, [at]).of_rows([IDS])[0] for at in range(4)]
    assert sum(parts) == pytest.approx(-float(total), abs=1e-4)


def test_rows_of_other_lengths_are_scored_as_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, rows = Scorer(random_model(), LABELS, [1, 2]), [IDS, IDS[2:], IDS[:1]]
    alone = [scorer.of_rows([row])[0] for row in rows]
    assert scorer.of_rows(rows) == pytest.approx(alone, abs=1e-5)
    monkeypatch.setattr(Scorer, "rows_at_once", lambda self, length: 2)
    assert scorer.of_rows(rows) == pytest.approx(alone, abs=1e-5)


class Linear(Scorer):
    """A score that is w . x for each token's embedding x: a token's attribution is w . (x - padding) exactly."""

    def of_embedded(self, embedded_nsd: Tensor, mask_ns: Tensor) -> Tensor:
        return (embedded_nsd * self.weights_d()).sum(dim=(1, 2))

    def weights_d(self) -> Tensor:
        return torch.linspace(-1, 1, self.model.width)


def test_a_linear_score_is_attributed_exactly() -> None:
    model = random_model()
    scorer = Linear(model, LABELS, [0])
    found = integrated_gradients(scorer, IDS, [1, 2, 3])
    moved_sd = model.embed(torch.tensor(IDS)) - model.embed(torch.tensor([model.ids.pad]))
    wanted = (moved_sd @ scorer.weights_d()).tolist()
    assert found.tokens == pytest.approx([0, *wanted[1:4], 0, 0], abs=1e-5)
    assert found.gap == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("wanted", [[0], [1, 2], [0, 1, 2, 3]])
def test_attributions_add_up_to_the_difference_that_the_text_makes(wanted: list[int]) -> None:
    found = integrated_gradients(Scorer(random_model(), LABELS, wanted), IDS, [0, 1, 2, 3, 4])
    assert abs(found.score - found.without) > 0.1
    assert abs(found.gap) <= 0.02 * max(1, abs(found.score - found.without))
    assert found.tokens[5] == 0  # EOS stays


def test_a_learned_prompt_in_front_has_no_part_in_it() -> None:
    model = random_model()
    PromptTuning(length=3).apply(model)
    model.module.requires_grad_(False)
    found = integrated_gradients(Scorer(model, LABELS, [0, 1]), IDS, [1, 2])
    assert len(found.tokens) == len(IDS)
    assert found.score == pytest.approx(Scorer(model, LABELS, [0, 1]).of_rows([IDS])[0], abs=1e-4)
    assert adds_up(found.gap, found.score - found.without)


def test_the_word_that_the_label_hangs_on_comes_first(model: Path) -> None:
    loaded = load(model)
    assert isinstance(loaded, Model)
    known = lines(7, 40)
    answerer = loaded.answerer(None)
    examples = as_examples(given_records([text for text, _ in known], answerer), answerer, {}, BadRecords())
    explainer, falls = Explainer(loaded, answerer.task), []
    for (found, _), (text, word) in zip(loaded.answered(answerer, examples, BadRecords()), known, strict=True):
        explained = explainer.explain(found)
        (item,) = explained.items
        assert (item.name, item.text) == ("mood", MOODS[word])
        if item.is_unattributable:  # a text of padding gives the same label, so there is nothing to attribute
            continue
        best = max(range(len(item.pieces)), key=lambda place: item.weights[place])
        piece = item.pieces[best]
        assert (piece.text, text[piece.start : piece.end]) == (word, word)
        assert item.weights[best] > 0.5 * (item.score - item.without)
        falls.append(item.falls)
    first, *more = summed_up(falls)
    assert (first.size, first.ahead) == (1, 1.0)
    assert first.items >= 30
    assert first.top > 5 * first.random
    assert all(one.top > one.random for one in more)


def test_without_captum_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("t2t.explaining.gradients.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'captum, which is not installed; install it: pip install "t2t\[explain\]"'):
        integrated_gradients(Scorer(random_model(), LABELS, [0]), IDS, [1])
