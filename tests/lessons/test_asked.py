"""Other ways to ask for a session's facts, by fact, and what is right there."""

from collections.abc import Sequence

from nightschool.errors import ContextTooLong
from nightschool.lessons.asked import Facts, _others, in_other_words
from nightschool.lessons.build import understand
from nightschool.lessons.exchanges import Exchange
from nightschool.lessons.facts import Fact
from nightschool.lessons.questions import Ask, Questions
from nightschool.lessons.writing import Writer
from nightschool.types import BASE, Message
from tests.helpers import turns
from tests.lessons.conftest import Reader

SYSTEM = Message("system", "Be brief.")
WHO, OUR = "Who is our lawyer?", "Our lawyer is Ines Corvo."
GATE, CODE = "What opens the gate?", "7731 does."
NEW = ("Ines", "Corvo", "7731", "lawyer", "gate")


def questions(*written: str, model: Reader | None = None) -> Questions:
    """Every one of which the model answers by all that there is to know."""
    model = model or Reader(NEW, lambda prompt, version: "Ines Corvo, lawyer, 7731, gate")
    return Questions(model, BASE, Writer(model, BASE), lambda noted, _: [written] * len(noted), 9)


def facts(context: Sequence[Message], asked: Questions | None = None) -> Facts:
    seen = understand(context)
    return in_other_words(context, seen.threads, seen.facts, asked)


def asked_for(found: Facts) -> list[list[str]]:
    return [[asked.exchange.request[0].content for asked in group] for group in found.groups]


def test_questions_stand_with_their_fact_and_its_answer() -> None:
    written = [f"{i} times our lawyer?" for i in range(1, 8)]
    found = facts([SYSTEM, *turns(WHO, OUR, GATE, CODE)], questions(*written))
    mine, other = found.groups
    assert {asked.exchange.request[0].content for asked in mine} == {*written}  # enough without other places
    assert {asked.exchange.answer for asked in mine} == {OUR}
    assert {asked.exchange.before for asked in mine} == {(SYSTEM,)}
    assert {asked.names for asked in mine} == {("Ines Corvo", "7731")}
    assert {asked.exchange.answer for asked in other} == {CODE}
    assert not {*written} & {asked.exchange.request[0].content for asked in other}
    assert {asked.names for asked in other} == {("7731", "Ines Corvo", "lawyer")}


def test_an_answer_is_wrong_by_what_other_facts_say_but_not_by_what_it_says_itself() -> None:
    def fact(note: str, says: str) -> Fact:
        asked = Exchange((), (Message("user", GATE),), "7731 does, for Ines Corvo.")
        return Fact(note, says, "", asked, ())

    others = ("Ines Corvo", "Mira Stone", "Ghent", "Mira Stone")
    mine = fact("gate", "7731")
    found = [mine, fact("gate", "Lyon"), *(fact(f"note {says}", says) for says in others)]
    assert [*_others(mine, found)] == ["Mira Stone", "Ghent"]


def test_without_questions_a_request_is_asked_in_other_places() -> None:
    found = facts([SYSTEM, *turns(WHO, OUR, GATE, CODE)], questions())
    mine, other = asked_for(found)
    assert {*mine} == {WHO, "Who is our lawyer", "who is our lawyer"}
    assert {*other} == {GATE, "What opens the gate", "what opens the gate"}
    behind = {tuple(m.content for m in asked.exchange.before) for asked in found.groups[0]}
    assert behind >= {("Be brief.",), ("Be brief.", GATE, CODE), ("Be brief.", "1 + 1 = ?", "2")}
    assert len(behind) == 9
    assert {asked.names for asked in found.groups[0]} == {("Ines Corvo", "7731")}


def test_where_it_stood_in_the_session_is_no_other_place() -> None:
    context = [SYSTEM, *turns(WHO, OUR, GATE, CODE)]
    asked = [a.exchange for group in facts(context).groups for a in group]
    assert len(asked) == len({(e.before, e.request) for e in asked}) == 26 + 25
    assert not [e for e in asked if [*e.before, *e.request] == context[: len(e.before) + 1]]


def test_a_request_in_a_script_without_cases_has_fewer_places() -> None:
    (group,) = asked_for(facts(turns("弁護士は誰ですか？", "佐藤花子です。")))
    assert {*group} == {"弁護士は誰ですか？", "弁護士は誰ですか"}
    (group,) = asked_for(facts(turns("?!", "It is 7731.")))
    assert {*group} == {"?!"}  # and not an empty one


def test_what_was_told_is_no_request_and_stands_before_none() -> None:
    told = "Our lawyer is Ines Corvo."
    found = facts(turns(told, "Thank you.", GATE, CODE), questions("Who now is our lawyer?"))
    assert found.told == {told}
    (gate, lawyer) = found.groups
    assert all(told not in m.content for asked in gate for m in asked.exchange.before)
    (asked,) = lawyer
    assert asked.exchange.request[0].content == "Who now is our lawyer?"
    assert asked.exchange.answer == told
    assert asked.names == ("Ines Corvo", "7731")


def test_what_was_told_is_no_request_where_it_is_asked_for_later_on() -> None:
    told = "The lawyer of us is Ines Corvo."
    found = facts(turns(told, "Thank you.", WHO, OUR), questions())
    assert found.told == {told}
    assert told not in {text for group in asked_for(found) for text in group}


def test_a_question_is_asked_about_one_fact() -> None:
    """Of the two ends of a told fact, say, or where the user asked so, too."""

    class Admits(Questions):
        def about(self, found: Sequence[Fact]) -> list[Ask]:
            return [(fact, question) for fact in found for question in (GATE, "Which one?")]

    model = Reader(NEW)
    found = facts(turns(WHO, OUR, GATE, CODE), Admits(model, BASE, Writer(model, BASE), lambda *_: [], 9))
    assert [text for group in asked_for(found) for text in group].count("Which one?") == 1
    assert GATE not in asked_for(found)[0]


def test_without_a_model_nothing_is_known_to_be_told() -> None:
    found = facts(turns(OUR, "Thank you.", GATE, CODE))
    assert (found.told, found.names) == (frozenset(), {})
    assert len(found.groups) == 2


def test_a_model_with_little_room_finds_no_facts() -> None:
    class Small(Reader):
        most = 0  # examples with a question

        def _nats(self, before: str, text: str) -> list[float]:
            if before.count("Question:") >= self.most:
                raise ContextTooLong("too long")
            return super()._nats(before, text)

    model = Small(NEW)
    for most in (0, 1):
        model.most = most
        found = facts(turns(WHO, OUR, GATE, CODE), questions("Our lawyer?", model=model))
        assert not found.names
        assert "Our lawyer?" not in {text for group in asked_for(found) for text in group}
        assert all(found.groups)
