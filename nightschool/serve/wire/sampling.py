"""How to sample, in OpenAI's words and in those of other servers (`top_k`, `min_p`). Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nightschool.engines.base import Sampling
from nightschool.serve.wire.fields import Body

Penalty = Annotated[float, Field(ge=-2, le=2)]


class Sampled(Body):
    """A request whose answers are sampled as it says."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(ge=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=-1)] = 0
    min_p: Annotated[float, Field(ge=0, le=1)] = 0
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    frequency_penalty: Penalty = 0
    presence_penalty: Penalty = 0
    repetition_penalty: Literal[1] = 1
    logit_bias: dict[int, Annotated[float, Field(ge=-100, le=100)]] = Field(default_factory=dict)

    def sampling(self) -> Sampling:
        """How to sample; the server sets how many tokens."""
        return Sampling(
            max_tokens=1,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=max(self.top_k, 0),
            min_p=self.min_p,
            seed=self.seed,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            logit_bias=tuple(self.logit_bias.items()),
        )
