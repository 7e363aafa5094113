"""Drawing the next token: temperature, top-k, top-p, and chance that hangs on the key of a row alone.

A token is drawn by the Gumbel-max rule (Gumbel 1954; Maddison et al. 2014): noise is added to every score, and the
largest sum is taken. The noise of a token is a hash of (key of its row, step, token), so a row draws the same in every
batch and on every machine, but for near-ties. And where a token that was drawn freely is one of those that masks allow,
it is what is drawn under the masks too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from t2t.config.run import SampleSettings

# SplitMix64 (Steele, Lea and Flood 2014), whose n-th number follows from its seed at once.
_GAMMA, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_BELOW_ONE = 1 - 2.0**-24  # the largest float32


def draw(logits_bv: Tensor, sample: SampleSettings, keys_b: Tensor, steps_b: Tensor) -> Tensor:
    """The token [b] that comes next in each row. ``keys_b``, ``steps_b``: int64; how many tokens came before."""
    scores_bk, tokens_bk = kept(logits_bv, sample)
    places_b1 = (scores_bk + gumbel(keys_b, steps_b, tokens_bk)).argmax(dim=-1, keepdim=True)
    return tokens_bk.gather(1, places_b1).squeeze(1)


def kept(logits_bv: Tensor, sample: SampleSettings) -> tuple[Tensor, Tensor]:
    """Scores [b, k], logits by the temperature, and the tokens [b, k] that they are of; -inf where none is kept.

    Of the tokens with a logit above -inf, the ``top_k`` likeliest stay (all that are as likely as the last of them);
    then, of what these have of the probability, the likeliest that have ``top_p`` of it together, at least one.
    """
    scores_bk = (logits_bv - logits_bv.max(dim=-1, keepdim=True).values) / sample.temperature
    tokens_bk = torch.arange(logits_bv.shape[1], device=logits_bv.device).expand_as(logits_bv)
    if sample.top_k is not None and sample.top_k < logits_bv.shape[1]:
        least_b1 = scores_bk.topk(sample.top_k).values[:, -1:]
        scores_bk = scores_bk.masked_fill(scores_bk < least_b1, -torch.inf)
        most = int((scores_bk > -torch.inf).sum(dim=-1).max())
        scores_bk, tokens_bk = scores_bk.topk(max(1, most))
    if sample.top_p < 1:
        scores_bk, order_bk = scores_bk.sort(dim=-1, descending=True, stable=True)
        tokens_bk = tokens_bk.gather(1, order_bk)
        # The probability of a token with all that are less likely, summed from below as transformers sums it.
        rest_bk = scores_bk.softmax(dim=-1).flip(-1).cumsum(dim=-1).flip(-1)
        out_bk = rest_bk <= 1 - sample.top_p
        out_bk[:, 0] = False
        scores_bk = scores_bk.masked_fill(out_bk, -torch.inf)
    return scores_bk, tokens_bk


def gumbel(keys_b: Tensor, steps_b: Tensor, tokens_bk: Tensor) -> Tensor:
    """Gumbel noise [b, k] (float32) of each token at a step of a row, a function of (key, step, token) alone."""
    states_b = _mixed(keys_b + (steps_b + 1) * signed(_GAMMA))
    bits_bk = _mixed(states_b[:, None] + (tokens_bk + 1) * signed(_GAMMA))
    # Of 52 bits, so that neither 0 nor 1 comes; the exponential is exact where it is small, which is what wins.
    shares_bk = ((_shifted(bits_bk, 12).double() + 0.5) * 2.0**-52).float().clamp(max=_BELOW_ONE)
    noise_bk: Tensor = -(-(-shares_bk).log1p()).log()
    return noise_bk


def _mixed(bits: Tensor) -> Tensor:
    """SplitMix64's scrambling of 64 bits; int64 overflows as it should."""
    bits = (bits ^ _shifted(bits, 30)) * signed(_FIRST)
    bits = (bits ^ _shifted(bits, 27)) * signed(_SECOND)
    return bits ^ _shifted(bits, 31)


def _shifted(bits: Tensor, places: int) -> Tensor:
    """To the right, zeros coming in."""
    return (bits >> places) & ((1 << (64 - places)) - 1)


def signed(number: int) -> int:
    """A whole number, modulo 2 ** 64, as int64 holds it."""
    number %= 1 << 64
    return number - (1 << 64) if number >> 63 else number
