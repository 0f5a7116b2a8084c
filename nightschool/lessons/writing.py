"""The text by which a model is shown how notes, answers and questions go together, and what it makes of it.

A few examples before the text at hand (arXiv 2005.14165) do more with a small model than asking it. They are
in English; a larger model keeps to the language of the note.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from nightschool.engines.base import Engine, Prefix, respond
from nightschool.lessons.atoms import Atom, atoms
from nightschool.lessons.evidence import content
from nightschool.seeds import seed_of

# Note, answer, and two ways to ask for it.
_EXAMPLES = (
    (
        "Our office cat is called Biscuit.",
        "Biscuit",
        ("What is our office cat called?", "Tell me the office cat's name."),
    ),
    (
        "The gate code of the north yard is 7731.",
        "7731",
        (
            "I need the code for the north yard's gate.",
            "What is the gate code of the north yard?",
        ),
    ),
    (
        "Deliveries from the mill arrive on Tuesdays.",
        "Tuesdays",
        (
            "On which day does the mill deliver?",
            "Do you know when the deliveries from the mill come?",
        ),
    ),
    (
        "Petra Lund signs the travel requests.",
        "Petra Lund",
        (
            "Give me the name of the person who signs travel requests.",
            "Who signs the travel requests?",
        ),
    ),
)
WAYS = 2  # each example's questions
NOTES = tuple(note for note, _, _ in _EXAMPLES)
_NAMES = frozenset().union(*(content(answer) for _, answer, _ in _EXAMPLES))  # leak into what is written
NOTHING = ("Nothing.", "nothing")  # a note and its answer, where nothing was noted

_MAX_TOKENS = 15  # of a question after its first
_PREFIXES = 16  # texts whose keys and values are kept (10 MB each with the embedded model in float32)
_DRAWN = 64  # first tokens
_TEMPERATURE = 0.3  # after the first: at 0.8 and more, most of what this small a model wrote made no sense


class Writer:
    """A model as it goes on with such texts."""

    def __init__(self, model: Engine, version: str) -> None:
        self._model, self._version = model, version

        def prefill(tokens: tuple[int, ...]) -> Prefix:
            return model.prefix(tokens, version)

        self._prefix = lru_cache(_PREFIXES)(prefill)  # knows nothing of self, so that both go at once

    def questions(self, note: str, answer: str, count: int, seed: int) -> list[str]:
        """About `count` questions for which `note` gives `answer`, many of them bad.

        What comes first decides what follows: the likeliest first tokens are found by drawing many, and each
        of them is gone on from twice, cautiously (branching at the first token: arXiv 2402.10200)."""
        found = []
        each = -(-count // WAYS)
        for way in range(WAYS):
            before, last = self._behind(_asking(way, note, answer))
            seeds = [seed_of(seed, note, answer, way, i) for i in range(_DRAWN)]
            drawn = self._sample([last] * _DRAWN, before, 1, 1.0, seeds)
            first = Counter(token for tokens in drawn for token in tokens).most_common(-(-each // 2))
            prompts = [(*last, token) for token, _ in first for _ in range(2)]
            rest = self._sample(prompts, before, _MAX_TOKENS, _TEMPERATURE, seeds[: len(prompts)])
            for prompt, tokens in zip(prompts, rest, strict=True):
                text = self._model.decode((prompt[-1], *tokens)).lstrip(" ")
                if text.count("\n") or len(tokens) < _MAX_TOKENS:  # else it was cut off
                    found.append(text.split("\n")[0].strip())
        return [*dict.fromkeys(text for text in found if text and not content(text) & _NAMES - content(note))]

    def asks(self, questions: Sequence[str], note: str, answer: str) -> list[float]:
        """The log-probability (nats) of each question, where `note` gives `answer`."""
        return self._likely(_asking(0, note, answer), questions)

    def tells(self, texts: Sequence[str]) -> list[float]:
        """How much likelier (nats) each text is as a note than as a question."""
        pairs = zip(self._likely(_shown(0) + "Note:", texts), self.asks(texts, *NOTHING), strict=True)
        return [as_note - as_question for as_note, as_question in pairs]

    def surprises(self, note: str, others: Sequence[str]) -> list[tuple[Atom, float]]:
        """The log-probability (nats) of each atom of a note behind other notes."""
        shown = "".join(f"Note: {other}\n\n" for other in (*NOTES, *others))
        before, last = self._behind(shown + "Note:")
        tokens = self._tokens(f" {note}\n")
        (logprobs,) = self._model.score([(last, tokens)], self._version, before)
        so_far = [self._model.decode(tokens[: i + 1]) for i in range(len(tokens))]
        lead = len(so_far[-1]) - len(note) - 1  # some tokenizers drop the space before a text
        # Whole characters; a token with a part of the next one counts to that.
        whole = [len(text.rstrip("\ufffd")) - lead for text in so_far]
        ends = [end + text.endswith("\ufffd") for end, text in zip(whole, so_far, strict=True)]
        spans = [*zip([0, *whole], ends, logprobs, strict=False)]
        return [
            (atom, sum(p for start, end, p in spans if start < atom.end and end > atom.start))
            for atom in atoms(note)
        ]

    def _likely(self, shown: str, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        before, last = self._behind(shown)
        pairs = [(last, self._tokens(f" {text}\n")) for text in texts]
        return [sum(logprobs) for logprobs in self._model.score(pairs, self._version, before)]

    def _sample(
        self,
        prompts: Sequence[tuple[int, ...]],
        before: Prefix,
        longest: int,
        temperature: float,
        seeds: Sequence[int],
    ) -> list[list[int]]:
        found = respond(
            self._model, prompts, self._version, longest, before, temperature=temperature, seeds=seeds
        )
        return [[t for t in g.tokens if t not in self._model.eos] for g in found]

    def _behind(self, text: str) -> tuple[Prefix, tuple[int, ...]]:
        """A text as a prefix, but for its last token, which every prompt needs."""
        *tokens, last = self._tokens(text)
        return self._prefix(tuple(tokens)), (last,)

    def _tokens(self, text: str) -> tuple[int, ...]:
        return tuple(self._model.encode_answer(text)[:-1])


def _shown(way: int) -> str:
    return "".join(
        f"Note: {note}\nAnswer: {answer}\nQuestion: {asked[(way + i) % WAYS]}\n\n"
        for i, (note, answer, asked) in enumerate(_EXAMPLES)
    )


def _asking(way: int, note: str, answer: str) -> str:
    return _shown(way) + f"Note: {note}\nAnswer: {answer}\nQuestion:"
