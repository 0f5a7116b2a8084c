"""Accuracy on cases, all of them and by group."""

from nightschool.engines.scripted import ScriptedModel
from nightschool.measure.cases import Case, Check
from nightschool.measure.evaluate import evaluate
from nightschool.types import BASE, Message, Session


def case(name: str, request: str, right: str, group: str | None = None, system: str = "") -> Case:
    turns = [Message("user", request)]
    if system:
        turns.insert(0, Message("system", system))
    return Case(name, tuple(turns), Check("exact", right), group)


def echo() -> ScriptedModel:
    """Answers with the last line that it was asked."""
    return ScriptedModel(lambda prompt, _: prompt.splitlines()[-2].removeprefix("user: "))


def test_accuracy_of_all_cases_and_of_each_group() -> None:
    cases = [
        case("1", "a", "a", "x"),
        case("2", "b", "c", "x"),
        case("3", "c", "c", "y"),
        case("4", "d", "d"),
    ]
    result = evaluate(echo(), cases, BASE, 9)
    assert (result["accuracy"], result["n"], result["version"]) == (0.75, 4, BASE)
    assert result["by_group"] == {"x": {"accuracy": 0.5, "n": 2}, "y": {"accuracy": 1.0, "n": 1}}
    assert result["cases"][1] == {"id": "2", "passed": False, "answer": "b"}


def test_a_session_stands_before_every_case_and_its_system_turn_is_the_only_one() -> None:
    seen: list[str] = []

    def script(prompt: str, _: str) -> str:
        seen.append(prompt)
        return "yes"

    turns = (Message("system", "S"), Message("user", "u"), Message("assistant", "a"))
    cases = [case("1", "q", "yes", system="its own")]
    assert evaluate(ScriptedModel(script), cases, BASE, 9, Session("s", turns))["accuracy"] == 1
    assert evaluate(ScriptedModel(script), cases, BASE, 9, Session("s", turns[1:]))["accuracy"] == 1
    assert [prompt.count("system: ") for prompt in seen] == [1, 1]
    assert [("system: S" in prompt, "its own" in prompt) for prompt in seen] == [(True, False), (False, True)]


def test_answers_are_cut_at_max_tokens() -> None:
    assert evaluate(echo(), [case("1", "abcdef", "abc")], BASE, 3)["accuracy"] == 1
