"""When a server starts dreams by itself: within the hours of night, after so long without a request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from nightschool.config import NightConfig
from nightschool.errors import NightschoolError

log = logging.getLogger(__name__)
INTERVAL = 60  # seconds between looks at the clock: hours and minutes are all that the settings know


class Schedule:
    """`dream` starts a dream and returns its id, or raises where there is no need for one."""

    def __init__(
        self, config: NightConfig, dream: Callable[[], str], now: Callable[[], datetime] = datetime.now
    ) -> None:
        self._config, self._dream, self._now = config, dream, now
        self._last_request = now()

    def touch(self) -> None:
        """A request came."""
        self._last_request = self._now()

    def due(self) -> bool:
        """Whether this is the time."""
        hours, idle = self._config.hours, timedelta(minutes=self._config.idle_minutes)
        wanted = bool(hours or idle)
        return (
            wanted and self._now() - self._last_request >= idle and (not hours or _within(hours, self._now()))
        )

    def tick(self) -> None:
        """Start a dream if it is time and there is something to learn."""
        if not self.due():
            return
        try:
            log.info("dream %s has begun", self._dream())
        except NightschoolError as e:
            log.debug("no dream: %s", e)

    async def watch(self) -> None:
        """Look at the clock until cancelled; not at all where no night is set."""
        while self._config.hours or self._config.idle_minutes:
            await asyncio.sleep(INTERVAL)
            await asyncio.to_thread(self.tick)


def _within(hours: str, now: datetime) -> bool:
    """Whether it is between two hours, which may be on two days."""
    begin, end = (int(hour) % 24 for hour in hours.split("-"))
    return begin <= now.hour < end if begin < end else not end <= now.hour < begin
