"""When the server dreams by itself."""

from datetime import datetime, timedelta

import pytest

from nightschool.config import NightConfig, load
from nightschool.errors import ConfigError, DreamError
from nightschool.serve.bedtime import Bedtime


class Clock:
    def __init__(self, hour: int) -> None:
        self.now = datetime(2026, 11, 25, hour)

    def __call__(self) -> datetime:
        return self.now


def bedtime(hour: int, **config: object) -> tuple[Bedtime, Clock, list[str]]:
    clock, dreams = Clock(hour), list[str]()

    def dream() -> str:
        dreams.append("d_1")
        return "d_1"

    return Bedtime(NightConfig(**config), dream, clock), clock, dreams  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hours", "hour", "due"),
    [
        ("22-6", 23, True),
        ("22-6", 5, True),
        ("22-6", 6, False),
        ("22-6", 12, False),
        ("1-5", 3, True),
        ("1-5", 5, False),
        ("1-5", 0, False),
        ("0-24", 13, True),
        ("", 3, False),
    ],
)
def test_the_hours_of_the_night(hours: str, hour: int, due: bool) -> None:
    assert bedtime(hour, hours=hours)[0].due() is due


def test_after_so_long_without_a_request() -> None:
    waiting, clock, dreams = bedtime(12, idle_minutes=10)
    waiting.look()
    clock.now += timedelta(minutes=9)
    waiting.stir()
    clock.now += timedelta(minutes=9)
    waiting.look()
    assert dreams == []
    clock.now += timedelta(minutes=1)
    waiting.look()
    assert dreams == ["d_1"]


def test_both_must_be_so() -> None:
    waiting, clock, _ = bedtime(21, hours="22-6", idle_minutes=60)
    clock.now += timedelta(hours=2)
    assert waiting.due()
    waiting.stir()
    assert not waiting.due()


def test_nothing_to_dream_is_no_error() -> None:
    def dream() -> str:
        raise DreamError("a dream is running")

    Bedtime(NightConfig(hours="0-24"), dream, Clock(3)).look()


def test_hours_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"night\.hours"):
        load({"night.hours": "25-6"}, env={})
