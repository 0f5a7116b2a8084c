"""From measurements to a verdict. Pure: nothing is read, run or measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import ceil, comb

from nightschool.config import GateConfig
from nightschool.types import Verdict

Passed = Sequence[bool]  # for each probe, whether it was answered right (an unwanted answer: whether given)


def sign_test(before: Passed, after: Passed) -> float:
    """The p-value of the one-sided exact McNemar test: the probability of at least this many gains among the
    probes that changed, were gains and losses equally likely. 1.0 if none changed."""
    gains = sum(a and not b for b, a in zip(before, after, strict=True))
    losses = sum(b and not a for b, a in zip(before, after, strict=True))
    changed = gains + losses
    return sum(comb(changed, k) for k in range(gains, changed + 1)) / float(2**changed)


def least_probes(alpha: float) -> int:
    """The fewest probes with which a lesson can pass the paired test by itself: if all of them improve."""
    return next(k for k in count(1) if sign_test([False] * k, [True] * k) < alpha)


def missing(probes: int, needed: int, exchanges: int) -> int:
    """About how many more exchanges a lesson takes until it has as many probes as needed. New exchanges are
    taken to yield as many as those that there are do, or one each where those yield none."""
    if not probes:
        return needed
    return max(1, ceil(needed * exchanges / probes) - exchanges)


@dataclass(frozen=True)
class Measured:
    """The measurements of a candidate. Each mapping goes from a session's id to (before, after): what
    the live version did on its probes, and what the candidate does."""

    new: Mapping[str, tuple[Passed, Passed]]  # lessons of this dream
    earlier: Mapping[str, tuple[Passed, Passed]]  # lessons of dreams before it
    unwanted: Mapping[str, tuple[Passed, Passed]]  # True: the answer that nobody wants was given
    kl_to_base: float  # drift on unrelated requests, nats per token


def judge(config: GateConfig, measured: Measured) -> Verdict:
    """The gate's decision, with every reason against the candidate. It is promoted if there is none:

    - the probes of all new lessons together improved, by the paired test at level `alpha`
    - no new lesson has fewer probes right than before
    - every earlier lesson kept the fraction `min_kept` of its right probes
    - no unwanted answer is given that was not given before
    - the drift is at most `kl_budget`; one that is not a number is too large
    """
    new, earlier, kl_to_base = measured.new, measured.earlier, measured.kl_to_base
    before = [ok for b, _ in new.values() for ok in b]
    after = [ok for _, a in new.values() for ok in a]
    p = sign_test(before, after) if before else 1.0
    reasons = []
    if not before:
        reasons.append("no probes: nothing shows that the lesson was learned")
    elif p >= config.alpha:
        reasons.append(
            f"held-back practice did not improve: {sum(before)} of {len(before)} right before, "
            f"{sum(after)} after (p = {p:.3f}, needs < {config.alpha})"
        )
    if not kl_to_base <= config.kl_budget:  # true for nan, too
        reasons.append(
            f"drift on unrelated requests: {kl_to_base:.3f} nats per token, budget {config.kl_budget}"
        )
    reasons += [_fallen(s, b, a) for s, (b, a) in new.items() if sum(a) < sum(b)]
    reasons += [_fallen(s, b, a) for s, (b, a) in earlier.items() if sum(a) < config.min_kept * sum(b)]
    reasons += [
        f"session {s}: {begun} unwanted answers that were not given before"
        for s, (b, a) in measured.unwanted.items()
        if (begun := sum(now and not was for was, now in zip(b, a, strict=True)))
    ]
    numbers = {
        "p": p,
        "kl_to_base": kl_to_base,
        "new": {s: _rates(b, a) for s, (b, a) in new.items()},
        "earlier": {s: _rates(b, a) for s, (b, a) in earlier.items()},
    }
    return Verdict(not reasons, tuple(reasons), numbers)


def _fallen(session: str, before: Passed, after: Passed) -> str:
    return f"lesson {session} fell from {sum(before)} to {sum(after)} of {len(before)} right"


def _rates(before: Passed, after: Passed) -> dict[str, float | int]:
    n = len(before)
    return {"n": n, "before": sum(before) / n if n else 0.0, "after": sum(after) / n if n else 0.0}
