"""Questions that the model asks itself: its own idea of the user's next turn."""

from nightschool.engines.scripted import ScriptedModel
from nightschool.lessons.self_asked import ask
from nightschool.types import BASE, Lesson, Message

CONTEXT = (
    Message("system", "Be brief."),
    Message("user", "Which host is staging on?"),
    Message("assistant", "heron-42"),
)


def test_the_model_goes_on_as_the_user_would() -> None:
    heard: list[str] = []
    said = iter(
        ["Which host is it?", "Which host is it?", "Hm", CONTEXT[1].content, "Where is\nit now?", "a b c"]
    )

    def script(prompt: str, _: str) -> str:
        heard.append(prompt)
        return next(said)

    found = ask(ScriptedModel(script), Lesson("s", CONTEXT, (), ()), 6, BASE, seed=0)
    assert all(p.endswith("assistant: heron-42\nuser: ") for p in heard)
    # Not twice, not what was asked already, nothing that is hardly a sentence; one line only.
    assert [q.messages[-1].content for q in found] == ["Which host is it?", "a b c"]
    assert [q.messages[0] for q in found] == [CONTEXT[0]] * 2
    assert {(q.kind, q.expected) for q in found} == {("asked", None)}
