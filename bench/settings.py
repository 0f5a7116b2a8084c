"""Settings (`--learn.lr 1e-4`) that go with any benchmark, and names given on its command line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nightschool.config import Config, load
from nightschool.errors import BadRequest, ConfigError

_SETTING = re.compile(rf"--((?:{'|'.join(Config.model_fields)})\.[a-z_.]+)(?:=(.*))?", re.DOTALL)
given: dict[str, str] = {}  # by dotted key, as the command line has them


def take(arguments: Sequence[str]) -> list[str]:
    """The arguments without `--section.key value`, which goes to `given`. Raises ConfigError."""
    rest = iter(arguments)
    others = []
    for argument in rest:
        match = _SETTING.fullmatch(argument)
        if not match:
            others.append(argument)
            continue
        value = match[2] if match[2] is not None else next(rest, None)
        if value is None:
            raise ConfigError(f"{argument} needs a value")
        given[match[1]] = value
    return others


def config() -> Config:
    """All settings, with those given on the command line. Raises ConfigError."""
    return load(given)


def with_learn(config: Config, **changes: object) -> Config:
    """The same settings, with these of `learn` changed; those of its sections are given as dicts."""
    for name, value in changes.items():
        if isinstance(value, dict):
            changes[name] = getattr(config.learn, name).model_copy(update=value)
    return config.model_copy(update={"learn": config.learn.model_copy(update=changes)})


def chosen(names: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """The names given, or all known ones. Raises BadRequest for one that is not known."""
    for name in names or ():
        if name not in known:
            raise BadRequest(f"there is no {name!r}: choose from {'; '.join(known)}")
    return list(names or known)
