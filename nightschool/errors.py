"""One class for each boundary that can fail. A message is one line and says what to do."""

from __future__ import annotations


class NightschoolError(Exception):
    """An error that a user can do something about. The command line prints it without a traceback."""


class ConfigError(NightschoolError):
    """A setting is unknown, has a value that does not fit, or would have no effect."""


class StoreError(NightschoolError):
    """The database cannot be read or written, or refuses a change."""


class NotFound(NightschoolError):
    """There is no session, version, feedback, response or dream with this name."""


class ModelNotFound(NotFound):
    """A request names a model that this server does not have."""

    code = "model_not_found"


class BadRequest(NightschoolError):
    """What a client or a user sent cannot be used. `param` and `code` are those of OpenAI's errors."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class GrammarError(BadRequest):
    """The model cannot be held to what an answer has to be."""


class ModelError(NightschoolError):
    """The model could not be found, loaded or run."""


class ContextTooLong(BadRequest):
    """A request does not fit into the model's context window."""


class VersionError(NightschoolError):
    """A version is missing, damaged, not loaded, or does not answer as it was trained to."""


class HelperError(NightschoolError):
    """The helper (`lessons.helper`) cannot be asked, or wrote nothing of use. A dream does without it."""


class DreamError(NightschoolError):
    """A dream cannot start or continue."""


class Interrupted(NightschoolError):
    """A dream stopped for a reason that can be removed; the next one resumes it."""


class NothingToLearn(DreamError):
    """No session that teaches something is left to learn."""
