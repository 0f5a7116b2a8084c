"""What an example says of an answer."""

import pytest

from nightschool.engines.scripted import ScriptedModel
from nightschool.learn.examples import Example, Names, Says, passed, practice_set
from nightschool.learn.rollouts import Episode, Rollout
from nightschool.models.hf import HFModel
from nightschool.types import BASE, Lesson, Message, PracticeRequest, Probe


def test_right_is_who_says_it_and_ends_there(tiny: HFModel) -> None:
    verify = Says(tiny, "Acme 20")
    said = tiny.encode_answer("Acme 20")
    assert verify(said) == 1.0
    assert verify(tiny.encode_answer(" Acme 20\n")) == 1.0
    assert verify(said[:-1]) == 0.0  # it never ended
    assert verify(tiny.encode_answer("Acme 20.")) == 0.0
    assert verify(tiny.encode_answer("Acme")) == 0.0
    assert verify([]) == 0.0


def test_other_tokens_of_the_same_text_are_right(tiny: HFModel) -> None:
    class Halves:
        """Writes every letter as one of two tokens."""

        eos = (0,)

        def decode(self, tokens: list[int]) -> str:
            return "".join(chr(96 + abs(t)) for t in tokens if t)

    verify = Says(Halves(), "ab")  # type: ignore[arg-type]
    assert verify([1, 2, 0]) == verify([-1, 2, 0]) == 1.0
    assert verify([1, 1, 0]) == 0.0


def test_right_about_a_fact_is_who_names_it_and_no_other(tiny: HFModel) -> None:
    verify = Names(tiny, ("Ines Corvo", "7731"))
    assert verify(tiny.encode_answer("Our lawyer is Ines Corvo.")) == 1.0
    assert verify(tiny.encode_answer("CORVO, Ines")) == 1.0
    assert verify(tiny.encode_answer("Ines")) == 0.0
    assert verify(tiny.encode_answer("Ines Corvo, and the code is 7731.")) == 0.0
    assert verify(tiny.encode_answer("Ines Corvo")[:-1]) == 0.0  # it never ended
    assert verify([]) == 0.0


@pytest.mark.parametrize(
    ("names", "expected", "verifier"),
    [(("Ines", "7731"), "It is Ines.", Names), ((), "It is Ines.", Says), ((), None, type(None))],
)
def test_what_a_request_names_says_what_is_right(
    tiny: HFModel, names: tuple[str, ...], expected: str | None, verifier: type
) -> None:
    request = PracticeRequest("e", "s", (Message("user", "Who?"),), "varied", 1, expected, names)
    lesson = Lesson("s", (Message("user", "hello"), Message("assistant", "there")), (), ())
    (example,) = practice_set(tiny, lesson, [request], BASE).examples
    assert type(example.verifier) is verifier
    assert example.probe(()).names == names


RIGHT, NAMES = "Our lawyer is Ines Corvo.", ("Ines Corvo", "7731")


def probe(text: str, names: tuple[str, ...] = NAMES, right: str = RIGHT) -> Probe:
    return Probe(text, tuple(map(ord, text)), (*map(ord, right), 0), text, names)


@pytest.mark.parametrize(
    ("answer", "is_right"),
    [
        (RIGHT, True),
        ("It is Ines Corvo", True),
        ("It is Paul Verne.", False),
        ("Ines Corvo; the code is 7731.", False),
        ("Ines Corvo" + " and so on" * 20, False),  # it comes to no end in time
    ],
)
def test_a_probe_of_a_fact_is_right_in_any_words(answer: str, is_right: bool) -> None:
    model = ScriptedModel(lambda prompt, _: answer)
    assert passed(model, [probe("Who?")], BASE) == [is_right]
    assert passed(model, [probe("Who?", ())], BASE) == [answer == RIGHT]  # by the exact words


def test_only_what_is_not_exactly_right_is_decoded() -> None:
    model = ScriptedModel(lambda prompt, _: RIGHT if "our" in prompt else "Ines Corvo.")
    assert passed(model, [probe("Who is our lawyer?"), probe("Who?", ())], BASE) == [True, False]
    assert not [call for call in model.calls if call.kind == "step"]
    assert passed(model, [probe("Who is our lawyer?"), probe("Who?")], BASE) == [True, True]


def test_no_probe_has_more_room_because_of_another() -> None:
    long = "Ines Corvo" + " and so on" * 20
    model = ScriptedModel(lambda prompt, _: long)
    alone = passed(model, [probe("Who?", right="Ines Corvo")], BASE)
    beside = passed(model, [probe("Who?", right="Ines Corvo"), probe("Which?", right=long + ".")], BASE)
    assert (alone, beside) == ([False], [False, True])


def test_a_single_answer_is_an_episode_of_one_turn(tiny: HFModel) -> None:
    right = tuple(tiny.encode_answer("yes"))
    example = Example("e", (5,), (6,), verifier=Says(tiny, "yes"))
    episode = Episode.of(Rollout(example, right, logprobs=(-0.5,) * len(right)))
    assert (episode.example_id, episode.reward) == ("e", 1.0)
    ((turn),) = episode.turns
    assert (turn.prompt, turn.answer, len(turn.logprobs)) == ((5,), right, len(right))
    assert Episode.of(Rollout(example, (7,))).reward == 0.0


def test_without_a_verifier_there_is_no_reward() -> None:
    with pytest.raises(ValueError, match="example e has no verifier"):
        Episode.of(Rollout(Example("e", (5,), (6,)), (7,)))
