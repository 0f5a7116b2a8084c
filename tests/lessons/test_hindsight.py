"""What hindsight adds to a judgement, by the margins of its scores."""

from collections.abc import Sequence

import pytest

from nightschool.engines.base import Prefix, PromptAnswer
from nightschool.engines.scripted import ScriptedModel
from nightschool.lessons.build import understand
from nightschool.lessons.evidence import Earlier, Judgement
from nightschool.lessons.exchanges import threads
from nightschool.lessons.hindsight import Hindsight
from nightschool.types import BASE
from tests.helpers import turns

CONTEXT = turns("Where is it?", "In the tin.", "And the other one?", "On the shelf.")


class Scored(ScriptedModel):
    """Scores each token of an answer by what stands before it."""

    def __init__(self, later: float, far: float) -> None:
        super().__init__(lambda prompt, version: "")
        self._later, self._far = later, far

    def score(
        self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[float]]:
        return [[self._nats(self.decode(prompt), self.decode(answer))] * 3 for prompt, answer in pairs]

    def _nats(self, prompt: str, answer: str) -> float:
        if "1 + 1" in prompt:
            return -2 - self._far
        return -2 + self._later if prompt.count("Where is it?") > 1 and answer == "On the shelf." else -2.0


def judged(
    alone: bool, earlier: Earlier, later: float = 0.0, far: float = 0.0, settled: bool = False
) -> tuple[bool, str]:
    hindsight = Hindsight(Scored(later, far), BASE, CONTEXT)
    judgement = hindsight.settle(Judgement(alone, earlier, "why", settled), (0, 1), (2, 3))
    return judgement.alone, judgement.earlier


@pytest.mark.parametrize(("later", "earlier"), [(-0.6, "stands"), (-0.4, "unknown"), (0.3, "unknown")])
def test_an_answer_stands_that_is_still_likelier_by_a_margin(later: float, earlier: str) -> None:
    assert judged(False, "unknown", later=later) == (False, earlier)


@pytest.mark.parametrize(("far", "alone"), [(0.1, True), (0.3, False)])
def test_a_request_that_needs_to_stand_right_behind_does_not_stand_alone(far: float, alone: bool) -> None:
    assert judged(True, "stands", far=far) == (alone, "stands")


@pytest.mark.parametrize("earlier", ["stands", "unknown"])
def test_what_texts_settle_is_settled(earlier: Earlier) -> None:
    assert judged(True, earlier, later=-9.0, far=9.0, settled=True) == (True, earlier)


def test_what_was_replaced_stays_replaced() -> None:
    assert judged(False, "replaced", later=-9.0, far=9.0) == (False, "replaced")


def test_what_one_pattern_explains_is_no_follow_up_whatever_hindsight_says() -> None:
    context = turns(
        *("Book room L85 on Friday at 15:05 for Gwen Hobbs.", "FRI 15:05 L85 G.H."),
        *("Book room U10 on Wednesday at 11:35 for Ada Abbot.", "WED 11:35 U10 A.A."),
        *("Book room B37 on Monday at 17:45 for Floyd Fenn.", "MON 17:45 B37 F.F."),
        *("Book room X15 on Thursday at 11:20 for Isla Ingram.", "THU 11:20 X15 I.I."),
    )
    hindsight = Hindsight(Scored(later=0.0, far=0.3), BASE, context)
    assert len(threads(context, hindsight=hindsight)[0]) == 1  # without the pattern, all hang on the first
    assert len(understand(context, hindsight=hindsight).known) == 4
