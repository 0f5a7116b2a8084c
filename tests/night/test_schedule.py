"""When the server dreams by itself."""

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.config import NightConfig, load
from nightschool.errors import ConfigError, DreamError
from nightschool.night.schedule import Schedule


class Clock:
    def __init__(self, hour: int) -> None:
        self.now = datetime(2026, 11, 25, hour)

    def __call__(self) -> datetime:
        return self.now


def schedule(hour: int, **config: object) -> tuple[Schedule, Clock, list[str]]:
    clock, dreams = Clock(hour), list[str]()

    def dream() -> str:
        dreams.append("d_1")
        return "d_1"

    return Schedule(NightConfig(**config), dream, clock), clock, dreams  # type: ignore[arg-type]


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
    assert schedule(hour, hours=hours)[0].due() is due


@given(st.datetimes(), st.datetimes())
def test_where_no_night_is_set_nothing_is_started_or_written(started: datetime, now: datetime) -> None:
    moments = iter([started])

    def dream() -> str:
        raise AssertionError("nobody asked for it")

    waiting = Schedule(NightConfig(), dream, lambda: next(moments, now))
    assert not waiting.due()
    waiting.tick()
    asyncio.run(waiting.watch())  # ends at once: it does not even look at the clock


def test_after_so_long_without_a_request() -> None:
    waiting, clock, dreams = schedule(12, idle_minutes=10)
    waiting.tick()
    clock.now += timedelta(minutes=9)
    waiting.touch()
    clock.now += timedelta(minutes=9)
    waiting.tick()
    assert dreams == []
    clock.now += timedelta(minutes=1)
    waiting.tick()
    assert dreams == ["d_1"]


def test_both_must_be_so() -> None:
    waiting, clock, _ = schedule(21, hours="22-6", idle_minutes=60)
    clock.now += timedelta(hours=2)
    assert waiting.due()
    waiting.touch()
    assert not waiting.due()


def test_nothing_to_dream_is_no_error() -> None:
    def dream() -> str:
        raise DreamError("a dream is running")

    Schedule(NightConfig(hours="0-24"), dream, Clock(3)).tick()


def test_hours_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"night\.hours"):
        load({"night.hours": "25-6"}, env={})
