"""A dream shown in the terminal: lines where it is not one, and the verdict afterwards."""

import io

from rich.console import Console

from nightschool.cli.progress import _watching, print_outcome
from nightschool.learn.trainer import StepReport
from nightschool.night.outcome import Outcome
from nightschool.types import Verdict

NUMBERS = {
    "new": {"sum": {"before": 0.25, "after": 1.0, "n": 12}},
    "earlier": {"bills": {"before": 1.0, "after": 0.95, "n": 8}},
    "kl_to_base": 0.0421,
}


def step(accuracy: float | None, rollouts_per_s: float) -> StepReport:
    return StepReport(
        step=3,
        steps=40,
        loss=0.5,
        anchor_loss=0.1,
        rollouts_per_s=rollouts_per_s,
        accuracy=accuracy,
        rollout_s=0,
        teacher_s=0,
        student_s=0,
    )


def test_outside_a_terminal_every_stage_and_step_is_a_line() -> None:
    console = Console(file=io.StringIO(), width=100, record=True)
    with _watching(console) as watch:
        watch.stage("learn")
        watch.step(step(None, 0.0))
        watch.step(step(0.75, 2.5))
    lines = [line for line in console.export_text().splitlines() if line.strip()]
    assert [line.split(maxsplit=1)[1] for line in lines if line[0].isdigit()] == [
        "learn",
        "step 3/40  loss 0.500 warming up held back -",
        "step 3/40  loss 0.500 2.5 rollouts/s held back 0.75",
    ]


def test_in_a_terminal_there_is_one_bar_that_goes_away() -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=100, force_terminal=True)
    with _watching(console) as watch:
        watch.stage("learn")
        watch.step(step(0.75, 2.5))
        watch.bar.refresh()
        assert "3/40" in shown.getvalue()
        assert "2.5 rollouts/s held back 0.75" in shown.getvalue()
    assert shown.getvalue().endswith("\x1b[2K")  # the line is erased


def printed(version: str | None, *reasons: str) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    aside = {"set_aside": {"few": "needs 3 more exchanges of this kind"}}
    print_outcome(Outcome("d_1", Verdict(not reasons, reasons, NUMBERS), version, 61.2, aside), console)
    return console.export_text()


def test_the_verdict_is_printed_with_its_numbers() -> None:
    text = printed("n@1")
    assert "new lesson sum: 0.25 -> 1.00 of 12 held-back requests" in text
    assert "earlier lesson bills: 1.00 -> 0.95 of 8 held-back requests" in text
    assert "set aside: session few: needs 3 more exchanges of this kind" in text
    assert "drift on unrelated requests: 0.042 nats per token" in text
    assert "promoted: n@1 is live (61 s)" in text
    rejected = printed(None, "drift [0.2]", "nothing improved")
    assert [line for line in rejected.splitlines() if line.startswith("rejected")] == [
        "rejected: drift [0.2]",
        "rejected: nothing improved",
    ]
