"""What an example says of an answer."""

import pytest

from nightschool.learn.examples import Example, Says
from nightschool.learn.rollouts import Episode, Rollout
from nightschool.models.hf import HFModel


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
