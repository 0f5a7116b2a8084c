"""The server of tests/serve, for what talks to it, and a model that reads by a script."""

from collections.abc import Collection, Sequence

from nightschool.engines.base import Prefix, PromptAnswer
from nightschool.engines.scripted import Script, ScriptedModel
from nightschool.lessons.evidence import content
from nightschool.types import BASE
from tests.serve.conftest import serving as serving


class Reader(ScriptedModel):
    """Knows all words but the `new` ones, takes what ends with a full stop for a note and all else for a
    question, and thinks a question the likelier the more of its words the note before it has."""

    def __init__(self, new: Collection[str] = (), script: Script = lambda prompt, version: "") -> None:
        super().__init__(script)
        self._new = new

    def score(
        self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[float]]:
        before = prefix.tokens if prefix else ()
        return [self._nats(self.decode((*before, *prompt)), self.decode(answer)) for prompt, answer in pairs]

    def _nats(self, before: str, text: str) -> list[float]:
        if before.endswith("Question:"):
            note = before.rpartition("Note: ")[2].partition("\n")[0]
            return [-100.0 + 10 * len(content(text) & content(note))]
        if "Question:" in before:
            return [-100.0 + (5 if text.strip().endswith(".") else -5)]
        spans = [(text.find(word), len(word)) for word in self._new if word in text]
        return [-6.0 * any(at <= i < at + size for at, size in spans) for i in range(len(text))]
