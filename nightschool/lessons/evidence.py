"""How a turn of the user relates to the request before it, by evidence that any language has.

Texts are compared by their atoms (words, numbers, single characters of scripts without spaces; letter case
does not count). No word of any language decides. Where the evidence does not suffice, the relation is
unknown, and with it the right answer to the request before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

from nightschool.lessons.alignment import subsequence
from nightschool.lessons.atoms import Atom, atoms, is_unspaced

# What becomes of the answer before: it stays right, the new one takes its place, or nobody can say.
Earlier = Literal["stands", "replaced", "unknown"]

# Shares of atoms. Chosen on two dozen two-request sessions in six languages, half of them translations of the
# others, so that no answer was replaced or kept wrongly; not tuned further.
ALIKE = 0.6  # two answers that have so much in common say the same
FORM = 0.5  # two requests with so much of the shorter one in common, in order, are of one form


@dataclass(frozen=True)
class Said:
    """One request of the user and the last answer to it, as texts."""

    request: str
    answer: str


@dataclass(frozen=True)
class Judgement:
    """What a request is to the one before it."""

    alone: bool  # it can be asked by itself
    earlier: Earlier  # what becomes of the answer before
    why: str  # for people
    settled: bool = True  # False: texts say too little, and hindsight may know better
    overlap: bool = False  # says so only since the answers have much in common: patterns may know better


def judge(
    opening: Said, before: Said, now: Said, earlier: Sequence[Said] = (), others: Sequence[Said] = ()
) -> Judgement:
    """Relate `now` to a thread: `opening` began it, `before` is its last exchange (often the same). `earlier`
    are the openings of the threads before it, `others` all other exchanges of the session."""
    if _repeats(opening.request, now.request):
        return Judgement(False, "replaced", "asks the same again")
    told = _told(opening, before, now)
    dictated = _dictated(opening, before, now)
    mends = (told and _keeps_subject(opening, now)) or dictated or _written_otherwise(before, now)
    if not mends and _parallel(opening, now) and not any(_same_thing(one, opening, now) for one in earlier):
        return Judgement(True, "stands", "asks the same about something else")
    if told:
        return Judgement(False, "replaced", "the user says what the answer is")
    if dictated:
        return Judgement(False, "unknown", "repeats what the user says")
    named = _names_its_subject(before, now)
    if not named and _same_said_otherwise(before, now):
        return Judgement(False, "replaced", "gives the same answer in another form", overlap=True)
    if any(_as_before(one, now, (opening, before)) for one in earlier):
        return Judgement(True, "stands", "asks the same as an earlier request about something else")
    if _is_of_the_house(now, (opening, before, *earlier), others):
        return Judgement(True, "stands", "has in common with the others only what all have", settled=False)
    brought = content(now.answer) - content(now.request)
    if not any(brought & content(text) for text in (opening.request, opening.answer, *_texts(before))):
        return Judgement(True, "stands", "has nothing in its answer that was said before", settled=False)
    asked = named and not brought & (content(before.answer) | content(opening.answer))
    return Judgement(asked, "unknown", "may follow up the answer before or correct it", settled=False)


def _is_of_the_house(now: Said, said: Sequence[Said], others: Sequence[Said]) -> bool:
    """Whether a request and its answer have all that several others of the session all have, and nothing else
    in common with the exchanges before: "Where is my order 7236?" after "Please cancel order 7940." """
    asked, answered = (_common(texts) for texts in ([o.request for o in others], [o.answer for o in others]))
    if not asked or not asked <= content(now.request) or not answered <= content(now.answer):
        return False
    spoken = frozenset[str]().union(*(content(text) for one in said for text in _texts(one)))
    return (content(now.request) | content(now.answer)) & spoken <= asked | answered


def _common(texts: Sequence[str]) -> frozenset[str]:
    """The content that all of several texts have."""
    return frozenset.intersection(*map(content, texts)) if len(texts) > 1 else frozenset()


def _names_its_subject(before: Said, now: Said) -> bool:
    """Whether a request has content in common with the exchange before, and so is understood without it."""
    return bool(content(now.request) & (content(before.request) | content(before.answer)))


def of_one_form(one: str, other: str) -> bool:
    """Whether two texts have at least FORM of the shorter one in common, in order, and somewhere each has
    something else in the other's place."""
    return bool(_in_place(one, other))


def _in_place(one: str, other: str) -> list[tuple[str, str]]:
    """What two texts of one form have in each other's place; nothing where they are not of one form."""
    a, b = _bare(one), _bare(other)
    steps = SequenceMatcher(None, sequence(one), sequence(other), autojunk=False).get_opcodes()
    same = sum(end - start for step, start, end, _, _ in steps if step == "equal")
    if same < max(1, FORM * min(len(a), len(b))):
        return []
    return [
        (one[a[i].start : a[j - 1].end], other[b[k].start : b[m - 1].end])
        for step, i, j, k, m in steps
        if step == "replace"
    ]


def _parallel(opening: Said, now: Said) -> bool:
    """Whether two requests are of one form, and the later answer has nothing of what only the earlier request
    asked."""
    own = frozenset(sequence(opening.request)) - frozenset(sequence(now.request))
    return of_one_form(opening.request, now.request) and not content(now.answer) & own


def _keeps_subject(opening: Said, now: Said) -> bool:
    """Whether a request and its answer both have all that the opening request and its answer have in common,
    if anything."""
    subject = content(opening.request) & content(opening.answer)
    return bool(subject) and subject <= content(now.request) & content(now.answer)


def _same_thing(one: Said, opening: Said, now: Said) -> bool:
    """Whether a request names what `opening` asked about where an earlier one of that form asked about
    something else: then only words around it are others."""
    if not (content(opening.request) - content(one.request)) & content(now.request):
        return False
    places = " ".join(place for _, place in _in_place(one.request, opening.request))
    about = _about(content(places), opening.answer)
    return bool(about) and about <= content(now.request)


def _about(own: frozenset[str], answer: str) -> frozenset[str]:
    """What a request is about, of what is its own: that which its answer has, too, or else all."""
    return own & content(answer) or own


def _as_before(one: Said, now: Said, last: Sequence[Said]) -> bool:
    """Whether a request is parallel to an earlier one, has nothing in common with the exchanges right before
    it but what that one has in common with them, too, and its answer takes as much of what is asked about.

    So it corrects nothing right before it, even where it does so in the form of an earlier request: then it
    is about the same thing, or it supplies what the earlier request did not have to supply."""
    said = frozenset[str]().union(*(content(text) for each in last for text in _texts(each)))
    if not content(now.request) & said <= content(one.request):
        return False
    if not content(now.answer) & said <= content(one.answer) or not _parallel(one, now):
        return False
    was, new = (" ".join(texts) for texts in zip(*_in_place(one.request, now.request), strict=True))
    return _taken(was, one.answer) == _taken(new, now.answer)


def _taken(text: str, answer: str) -> tuple[bool, bool]:
    """Whether an answer has anything of a text, and all of it."""
    shared = content(text) & content(answer)
    return bool(shared), shared == content(text)


def asks_anew(one: Said, now: Said) -> bool:
    """Whether `now` asks what an exchange further back asked, and is answered otherwise."""
    return now.answer not in ("", one.answer) and _repeats(one.request, now.request)


def reopens(one: Said, now: Said, common: frozenset[str]) -> bool:
    """Whether `now` may correct an exchange further back: it names what only that request named (`common` is
    what several did), and its answer has something of that answer which `now` did not supply."""
    brought = content(now.answer) - content(now.request)
    if now.answer == one.answer or not brought & content(one.answer):
        return False
    return bool(_about(content(one.request) - common, one.answer) & content(now.request))


def shared(texts: Sequence[str]) -> frozenset[str]:
    """The content that several texts have."""
    counts = Counter(word for text in texts for word in content(text))
    return frozenset(word for word, count in counts.items() if count > 1)


def _repeats(one: str, other: str) -> bool:
    """Whether the later request contains all that the earlier one says, in its order."""
    asked = sequence(one)
    return bool(asked) and subsequence(asked, sequence(other))


def _told(opening: Said, before: Said, now: Said) -> bool:
    """Whether the user's turn supplies what is new in its answer, in place of something that the opening
    request did not supply, and both stay with the opening's subject."""
    asked, request = content(opening.request), content(now.request)
    was, answer = content(before.answer), content(now.answer)
    new = answer - was - asked
    if not new or not new <= request or was - answer <= asked or not answer <= request | was | asked:
        return False
    if any(not atom.isalpha() for atom in asked - request - answer):
        return False  # a number that only the opening request has: this one is about another
    subject = asked & was
    kept = subject & (request | answer)
    return 2 * len(kept) > len(subject) or 2 * len(answer & asked) > len(answer)


def _dictated(opening: Said, before: Said, now: Said) -> bool:
    """Whether the answer only repeats what the user says, word for word, with something in it of what was
    asked; and it is not that the house answers requests of this form so."""
    if now.answer not in now.request or not content(now.answer) & content(opening.request):
        return False
    return before.answer not in before.request or not of_one_form(before.request, now.request)


def _written_otherwise(before: Said, now: Said) -> bool:
    """Whether an answer says just what the answer before said, but is not written as that was."""
    return now.answer != before.answer and content(now.answer) == content(before.answer)


def _same_said_otherwise(before: Said, now: Said) -> bool:
    """Whether an answer says what the answer before said, nearly atom by atom, but not in the same way."""
    one, other = content(before.answer), content(now.answer)
    return bool(one) and now.answer != before.answer and len(one & other) >= ALIKE * len(one | other)


def _texts(said: Said) -> tuple[str, str]:
    return said.request, said.answer


@lru_cache(maxsize=4096)
def content(text: str) -> frozenset[str]:
    """What a text speaks of: its atoms without marks. Of scripts without spaces, pairs of neighbours: single
    characters are in nearly every text."""
    found, row = set[str](), list[Atom]()
    for atom in atoms(text):
        if not is_unspaced(atom.text[0]):
            row = []
            if atom.kind != "mark":
                found.add(atom.text.casefold())
            continue
        row = [*row[-1:], atom] if row and row[-1].end == atom.start else [atom]
        found.add("".join(a.text for a in row))
        if len(row) == 2:
            found.discard(row[0].text)
    return frozenset(found)


def names(answer: str, what: str) -> bool:
    """Whether an answer has all that `what` says, in any order and letter case."""
    return content(what) <= content(answer)


def names_only(answer: str, what: Sequence[str]) -> bool:
    """Whether an answer names the first and none of the others."""
    return names(answer, what[0]) and not any(names(answer, other) for other in what[1:])


def sequence(text: str, marks: bool = False) -> Sequence[str]:
    """A text's atoms in order, in one letter case."""
    return [atom.text.casefold() for atom in (atoms(text) if marks else _bare(text))]


def _bare(text: str) -> list[Atom]:
    """A text's atoms without marks."""
    return [atom for atom in atoms(text) if atom.kind != "mark"]
