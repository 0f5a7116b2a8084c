"""Questions that the model asks itself: its own idea of the user's next turn."""

from nightschool.engines.scripted import ScriptedModel
from nightschool.lessons.questions import ask
from nightschool.types import BASE, Lesson, Message

CONTEXT = (
    Message("system", "Be brief."),
    Message("user", "Which host is staging on?"),
    Message("assistant", "heron-42"),
)


def test_the_model_goes_on_as_the_user_would() -> None:
    heard: list[str] = []
    said = iter(
        [
            *("Which host is it?", "Which host is it?", "Hm", CONTEXT[1].content, "Is staging on?"),
            *("Where is staging\nnow?", "a b c"),
        ]
    )

    def script(prompt: str, _: str) -> str:
        heard.append(prompt)
        return next(said)

    found = ask(ScriptedModel(script), Lesson("s", CONTEXT, (), ()), 7, BASE, seed=0)
    assert all(p.endswith("assistant: heron-42\nuser: ") for p in heard)
    # Not twice, not what a turn says already, nothing that is hardly a sentence or of something else; one
    # line.
    assert [q.messages[-1].content for q in found] == ["Which host is it?", "Where is staging"]
    assert [q.messages[0] for q in found] == [CONTEXT[0]] * 2
    assert {(q.kind, q.expected) for q in found} == {("asked", None)}
