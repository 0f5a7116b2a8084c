"""From logits to tokens. What a row asks for beyond temperature and top-p costs only that row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nightschool.engines.base import Sampling
from nightschool.errors import BadRequest
from nightschool.models.kernels import native
from nightschool.models.masks import Matcher

# Below this temperature, probabilities relative to 1 instead of the likeliest token's could all become 0 in
# float32: e^-87 is the smallest, and no vocabulary is so large that its likeliest token has less than e^-13.
_COLD = 0.15


@dataclass(frozen=True)
class Sampled:
    """A token, its log-probability, and the likeliest tokens with theirs; see `engines.base.TokenOut`."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


class Sampler:
    """Samples one row's tokens, one after the other, from a vocabulary of `width`. `compiled` begins a
    grammar. Raises BadRequest, or what `compiled` does.
    """

    def __init__(self, sampling: Sampling, width: int, compiled: Callable[[str], Matcher]) -> None:
        self.sampling, self.rng = sampling, generator(sampling)
        self.tokens: list[int] = []  # what was sampled so far
        self.matcher = compiled(sampling.grammar) if sampling.grammar else None
        unknown = [token for token, _ in sampling.logit_bias if not 0 <= token < width]
        if unknown:
            text = f"logit_bias: there is no token {unknown[0]}, only 0 to {width - 1}"
            raise BadRequest(text, "logit_bias", "invalid_value")
        self._penalised = bool(sampling.frequency_penalty or sampling.presence_penalty)
        self._adjusted = bool(sampling.logit_bias) or self._penalised
        self.greedy = sampling.temperature == 0 and not self._adjusted

    @property
    def stuck(self) -> bool:
        """Whether the grammar cannot be followed further, and the answer has to end, incomplete."""
        return bool(self.matcher and self.matcher.broken)

    def take(self, token: int) -> None:
        """Go on behind a token."""
        self.tokens.append(token)
        if self.matcher:
            self.matcher.advance(token)

    def draw(self, logits_V: Tensor, total: Tensor) -> Tensor:
        """A token [], given its row's logits, masked already, and their log-sum-exp.

        The order is vLLM's: penalties and bias, temperature, then what is dropped. The cumulative
        distribution is inverted at one uniform number from the row's own generator, so that a row's tokens do
        not depend on its neighbours.
        """
        how = self.sampling
        if self._adjusted:
            logits_V = self._adjust(logits_V)
            total = logits_V.logsumexp(-1)
            if how.temperature == 0:
                return logits_V.argmax(-1)
        relative_to = total if how.temperature > _COLD else logits_V.max()
        p_V = ((logits_V.float() - relative_to) / how.temperature).exp()
        if how.min_p > 0:
            p_V = p_V.where(p_V >= how.min_p * p_V.max(), 0)
        if 0 < how.top_k < len(p_V):
            most, index = p_V.topk(how.top_k)
            p_V = torch.zeros_like(p_V).scatter(0, index, most)
        if how.top_p < 1:
            p_V = nucleus(p_V, how.top_p)
        cdf_V = p_V.cumsum(-1)
        u = torch.rand(1, generator=self.rng).to(cdf_V.device) * cdf_V[-1]
        last = torch.searchsorted(cdf_V, cdf_V[-1:])  # the last token that can be drawn; u may round up to it
        return torch.searchsorted(cdf_V, u, right=True).minimum(last)[0]

    def _adjust(self, logits_V: Tensor) -> Tensor:
        """The logits in float32, with the bias and the penalties as OpenAI defines them."""
        out_V, how, device = logits_V.float(), self.sampling, logits_V.device
        if self._penalised and self.tokens:
            ids, times = torch.tensor(self.tokens, device=device).unique(return_counts=True)
            out_V = out_V.index_add(0, ids, -(how.frequency_penalty * times + how.presence_penalty))
        if how.logit_bias:
            ids, bias = (torch.tensor(column, device=device) for column in zip(*how.logit_bias, strict=True))
            out_V = out_V.index_add(0, ids, bias.float())
        return out_V


def sample(logits_RV: Tensor, samplers: Sequence[Sampler]) -> list[Sampled]:
    """One token for each row. The logits of rows with a grammar are masked in place."""
    for i, sampler in enumerate(samplers):
        if sampler.matcher:
            sampler.matcher.mask(logits_RV[i])
    tokens, total_R = argmax_logsumexp(logits_RV)
    for i, sampler in enumerate(samplers):
        if not sampler.greedy:
            tokens[i] = sampler.draw(logits_RV[i], total_R[i])
    logps = logits_RV.gather(1, tokens[:, None])[:, 0].float() - total_R
    out = []
    for i, (sampler, token, logp) in enumerate(zip(samplers, tokens.tolist(), logps.tolist(), strict=True)):
        sampler.take(token)
        count = sampler.sampling.top
        out.append(Sampled(token, logp, likeliest(logits_RV[i], total_R[i], count) if count else ()))
    return out


def likeliest(logits_V: Tensor, total: Tensor, count: int) -> tuple[tuple[int, float], ...]:
    """The likeliest tokens and their log-probabilities, at most `count`; none that a grammar forbids."""
    logps, tokens = (logits_V.float() - total).topk(min(count, len(logits_V)))
    pairs = zip(tokens.tolist(), logps.tolist(), strict=True)
    return tuple((token, logp) for token, logp in pairs if logp > float("-inf"))


def generator(sampling: Sampling) -> torch.Generator:
    """A row's own random numbers."""
    rng = torch.Generator()
    if sampling.seed is None:
        rng.seed()
    else:
        rng.manual_seed(sampling.seed)
    return rng


def argmax_logsumexp(logits_RV: Tensor) -> tuple[Tensor, Tensor]:
    """Each row's argmax [rows] (the first of several equal ones) and log-sum-exp [rows], in float32."""
    if native.serves(logits_RV):
        return native.argmax_logsumexp(logits_RV)
    return logits_RV.argmax(-1), logits_RV.float().logsumexp(-1)


def nucleus(p_V: Tensor, top_p: float) -> Tensor:
    """Nucleus sampling (arXiv 1904.09751): the probabilities [vocabulary] with all set to zero but the fewest
    most probable ones that hold the fraction `top_p` of their sum, one at least. They need not sum to 1
    before or after."""
    ordered, index = p_V.sort(descending=True)
    keep = ordered.cumsum(0) - ordered < top_p * p_V.sum()
    keep[0] = True
    return torch.zeros_like(p_V).scatter(0, index[keep], ordered[keep])
