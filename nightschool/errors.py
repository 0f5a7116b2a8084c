"""One class per boundary that can fail. Messages are one line and say how to fix it."""

from __future__ import annotations


class NightschoolError(Exception):
    """Anything a user can do something about. The command line prints it without a traceback."""


class ConfigError(NightschoolError):
    """A setting is unknown, does not fit, or would have no effect."""


class StoreError(NightschoolError):
    """The database or the disk under it refused."""


class NotFound(NightschoolError):
    """A session, version, feedback or dream with that name does not exist."""


class ModelNotFound(NotFound):
    """A request names a model that this server does not have."""

    code = "model_not_found"


class BadRequest(NightschoolError):
    """What a client sent cannot be used. `param` names the field, as OpenAI's errors do."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class ModelError(NightschoolError):
    """The model could not be found, loaded or run."""


class ContextTooLong(BadRequest):
    """A request does not fit into the model's context window."""


class VersionError(NightschoolError):
    """An adapter is missing, damaged or not what was promised."""


class DreamError(NightschoolError):
    """A dream cannot start or go on."""


class Interrupted(NightschoolError):
    """A dream could not go on, but can later: it is resumed where it was."""


class NothingToLearn(DreamError):
    """There is no liked session that was not learned yet."""
