"""What becomes of a session's recorded turns when its client sends a conversation. Pure.

System turns are not compared. Those at the beginning are replaced by the client's if it sends any; others are
recorded where they stand among new turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from nightschool.store.identity import fingerprints, reworded, spoken
from nightschool.types import Message


@dataclass(frozen=True)
class Turn:
    """A turn that the session consists of from now on. `kept` is the position of the recorded turn that it
    is; `place`, of a new one, the position of the recorded turn in whose place it stands."""

    message: Message
    kept: int | None = None
    place: int | None = None


def merged(recorded: Sequence[Message], sent: Sequence[Message], answer: Message | None) -> list[Turn]:
    """The turns of the session after a client sent a conversation, and got an answer to it if there is one.
    Recorded turns that are not kept are superseded.

    A conversation without an answer to it that is part of what is recorded takes no turns back.
    """
    head, sent_head = _head(recorded), _head(sent)
    places = [i for i, message in enumerate(recorded) if message.role != "system"]
    ours, said = fingerprints(recorded[i] for i in places), spoken(sent)
    theirs = fingerprints(said)
    skip, at = meet(ours, theirs)
    same = [k for k in range(skip, len(said)) if ours[at + k - skip : at + k - skip + 1] == [theirs[k]]]
    # Up to the last turn that is as recorded: so many of the client's, and so many of the recorded ones.
    known = same[-1] + 1 if same else skip
    end = at + known - skip
    shown = {places[at + k - skip]: said[k] for k in range(skip, known)}

    until = places[end - 1] + 1 if end else head
    stay = [_compared(i, recorded[i], shown.get(i)) for i in range(head, until)]
    new = _after(sent[sent_head:], known)
    if answer:
        new = [*new, answer]
    elif not new and all(turn.kept is not None for turn in stay):
        stay += [Turn(message, kept=i) for i, message in enumerate(recorded) if i >= until]
    left = iter(places[end:])
    added = [Turn(m, place=None if m.role == "system" else next(left, None)) for m in new]
    return [*_beginning(recorded[:head], sent[:sent_head]), *stay, *added]


def meet(recorded: Sequence[str], sent: Sequence[str]) -> tuple[int, int]:
    """Where the turns that a client sent meet the recorded ones of its session, as `(skip, at)`, both told by
    their fingerprints: but for the first `skip`, they are to be compared one by one with the recorded ones
    from `at` on. Where they differ, the user edited a turn or wants another answer; what they add is new.

    - The last recorded exchange is among them. At its own place: the client sends everything, and what
      differs before it was edited. Elsewhere: they are a window, or the middle was cut or summed up; then all
      that is recorded stays, and only what follows is new.
    - They begin as the session does: what differs was edited, or is to be answered again.
    - They begin with the last recorded turn: the shortest window.
    - They begin with two turns that are recorded one after the other: a window, later turns of which were
      edited or are to be answered again.
    - Nothing in common: the client sends only what is new.
    """
    count, shared = len(recorded), _shared(recorded, sent)
    end = _last_place(recorded[-2:], sent) + 2 if count > 1 else 1  # behind the last recorded exchange
    if end > 1:
        run = _shared(recorded[::-1], sent[:end][::-1])
        whole = end == count or len(sent) == shared > run
        return (0, 0) if whole else (end - run, count - run)
    if shared:
        return 0, 0
    if sent and recorded and sent[0] == recorded[-1]:
        return 0, count - 1
    place = _last_place(sent[:2], recorded) if len(sent) > 1 else -1
    return 0, place if place >= 0 else count


def is_window(recorded: Sequence[str], sent: Sequence[str]) -> bool:
    """Whether turns of a conversation are the last ones of what is recorded, both told by their fingerprints.
    They are not if the session begins with them as well: so do examples that a client puts before every
    request."""
    length = len(sent)
    return length < len(recorded) and recorded[-length:] == sent and recorded[:length] != sent


def unrelated(recorded: Sequence[Message], sent: Sequence[Message]) -> bool:
    """Whether what a client sent has nothing in common with what is recorded."""
    ours, theirs = (fingerprints(spoken(messages)) for messages in (recorded, sent))
    return meet(ours, theirs) == (0, len(ours))


def _beginning(recorded: Sequence[Message], sent: Sequence[Message]) -> list[Turn]:
    """The system turns with which the session begins."""
    if not sent or [m.content for m in sent] == [m.content for m in recorded]:
        return [Turn(message, kept=i) for i, message in enumerate(recorded)]
    return [Turn(message) for message in sent]


def _compared(i: int, recorded: Message, sent: Message | None) -> Turn:
    """The recorded turn at position `i`, or what the client has in its place."""
    if sent is None:
        return Turn(recorded, kept=i)
    if fingerprints([recorded]) == fingerprints([sent]):
        return Turn(reworded(recorded, sent), kept=i)
    return Turn(sent, place=i)


def _head(messages: Sequence[Message]) -> int:
    """How many system turns come first."""
    return len([*takewhile(lambda message: message.role == "system", messages)])


def _after(messages: Sequence[Message], count: int) -> list[Message]:
    """What stands behind the first `count` turns, system turns not counted."""
    said = [i for i, message in enumerate(messages) if message.role != "system"]
    return list(messages[said[count - 1] + 1 if count else 0 :])


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many turns both begin with."""
    return len([*takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))])


def _last_place(part: Sequence[str], whole: Sequence[str]) -> int:
    """Where `part` last begins in `whole`, or -1."""
    places = range(len(whole) - len(part), -1, -1)
    return next((at for at in places if whole[at : at + len(part)] == part), -1)
