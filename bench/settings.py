"""Settings (`--learn.lr 1e-4`) that go with any benchmark, and names given on its command line."""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.cli.main import take_settings
from nightschool.config import Config, load
from nightschool.errors import BadRequest

given: dict[str, str] = {}  # by dotted key, as the command line has them


def take(arguments: Sequence[str]) -> list[str]:
    """The arguments without `--section.key value`, which goes to `given`. Raises ConfigError."""
    rest, settings = take_settings(arguments)
    given.update(settings)
    return rest


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
