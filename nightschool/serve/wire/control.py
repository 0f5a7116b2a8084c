"""Requests of our own routes: feedback and dreams."""

from __future__ import annotations

from pydantic import Field

from nightschool.errors import BadRequest
from nightschool.serve.wire.fields import Strict
from nightschool.types import Rating, SignalKind


class FeedbackRequest(Strict):
    """A rating of a session, or a signal about one response (`edited`: the text that the user changed it to).

    A rating names its session by `session_id`, or by the `response_id` of any of its responses.
    `check_feedback` says which fields go together.
    """

    id: str | None = Field(default=None, min_length=1, max_length=200)
    session_id: str | None = None
    response_id: str | None = None
    rating: Rating | None = None
    signal: SignalKind | None = None
    edited: str | None = Field(default=None, min_length=1)
    comment: str | None = None


class DreamRequest(Strict):
    """An empty object: the dream learns all liked sessions that are new."""


def check_feedback(body: FeedbackRequest) -> None:
    """Raises BadRequest, naming the field, if fields do not go together."""
    if (body.rating is None) == (body.signal is None):
        raise BadRequest("give either rating or signal", "rating")
    if body.signal and body.response_id is None:
        raise BadRequest("a signal is about one response: give its response_id", "response_id")
    if (body.session_id is None) == (body.response_id is None):
        raise BadRequest("give either session_id or response_id", "session_id")
    if body.signal == "edited" and body.edited is None:
        raise BadRequest("the signal edited needs the edited text", "edited")
    if body.signal != "edited" and body.edited is not None:
        raise BadRequest("only the signal edited takes an edited text", "edited")
    if body.signal in ("accepted", "edited") and body.comment is not None:
        raise BadRequest("the signals accepted and edited take no comment", "comment")
