"""The text by which a model is shown how notes, answers and questions go together, and what it makes of it.

A few examples before the text at hand (arXiv 2005.14165) do more with a small model than asking it. They are
in English; a larger model keeps to the language of the note.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

from nightschool.engines.base import Engine, Prefix, common_beginning, common_length, respond
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
Answered = tuple[str, str]  # a note, and an answer that it gives
NOTHING: Answered = ("Nothing.", "nothing")  # a note and its answer, where nothing was noted

_MAX_TOKENS = 15  # of a question after its first
_PREFIXES = 4  # texts whose keys and values are kept (10 MB each with the embedded model in float32)
_FIRSTS = 16  # first tokens that are gone on from
_AT_ONCE = 256  # rows decoded together: short ones
_TEMPERATURE = 0.5  # after the first: at 0.8 and more, most of what this small a model wrote made no sense


class Writer:
    """A model as it goes on with such texts."""

    def __init__(self, model: Engine, version: str) -> None:
        self._model, self._version = model, version
        self._known = dict[tuple[str, str], float]()  # of `_likely`
        ends = [asked + end for *_, some in _EXAMPLES for asked in some for end in ("\n", "\n\n")]
        self._ends = tuple({self._tokens(end)[-1] for end in ends})  # tokens that end a question's line

        def prefill(tokens: tuple[int, ...]) -> Prefix:
            return model.prefix(tokens, version)

        self._prefix = lru_cache(_PREFIXES)(prefill)  # knows nothing of self, so that both go at once

    def questions(self, noted: Sequence[Answered], count: int, seed: int) -> list[list[str]]:
        """For each note, about `count` questions to which its answer is right, many of them bad. None about a
        note that the model's context does not hold.

        What comes first decides what follows: the likeliest first tokens are gone on from, cautiously, as
        often as each is likely (branching at the first token: arXiv 2402.10200). All notes are written about
        together: a step of many rows takes much less time than as many steps of one."""
        found = [list[str]() for _ in noted]
        for way in range(WAYS):
            for i, text in self._written(noted, way, -(-count // WAYS), seed):
                if text and not content(text) & _NAMES - content(noted[i][0]) and text not in found[i]:
                    found[i].append(text)
        return found

    def _written(
        self, noted: Sequence[Answered], way: int, each: int, seed: int
    ) -> Iterator[tuple[int, str]]:
        """What the model goes on with behind the notes, each with the note's index."""
        texts = {i: self._tokens(_asking(way, *note)) for i, note in enumerate(noted)}
        texts = {i: tokens for i, tokens in texts.items() if self._fits(tokens, _MAX_TOKENS + 1)}
        if not texts:
            return
        before, behind = self._together(_shown(way), [*texts.values()])
        firsts = self._model.likeliest(behind, _FIRSTS, self._version, before)
        rows = [
            (i, (*prompt, token), seed_of(seed, *noted[i], way, token, again))
            for i, prompt, likely in zip(texts, behind, firsts, strict=True)
            for token, times in _times(likely, each).items()
            if token not in self._model.eos
            for again in range(times)
        ]
        written = respond(
            self._model,
            [prompt for _, prompt, _ in rows],
            self._version,
            _MAX_TOKENS,
            before,
            temperature=_TEMPERATURE,
            seeds=[seed for _, _, seed in rows],
            stop=self._ends,
            at_once=_AT_ONCE,
        )
        for (i, prompt, _), given in zip(rows, written, strict=True):
            text = self._model.decode((prompt[-1], *given.tokens)).lstrip(" ")
            if text.count("\n") or given.finish == "stop":  # else it was cut off
                yield i, text.split("\n")[0].strip()

    def asks(self, asked: Sequence[tuple[str, Answered]]) -> list[float]:
        """The log-probability (nats) of each question behind a note and its answer."""
        return self._likely([(_asking(0, *noted), question) for question, noted in asked])

    def tells(self, texts: Sequence[str]) -> list[float]:
        """How much likelier (nats) each text is as a note than as a question."""
        as_notes = self._likely([(_shown(0) + "Note:", text) for text in texts])
        as_questions = self.asks([(text, NOTHING) for text in texts])
        return [note - question for note, question in zip(as_notes, as_questions, strict=True)]

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

    def _likely(self, asked: Sequence[tuple[str, str]]) -> list[float]:
        """How likely each second text is as a line behind the first; minus infinity where the model's context
        does not hold both. What was asked before is known."""
        new = sorted({*asked} - self._known.keys())  # so that what has the same before it stands together
        pairs = {pair: (self._tokens(pair[0]), self._tokens(f" {pair[1]}\n")) for pair in new}
        self._known |= dict.fromkeys(pairs, -math.inf)
        fit = {pair: tokens for pair, tokens in pairs.items() if self._fits([*tokens[0], *tokens[1]])}
        if not fit:
            return [self._known[pair] for pair in asked]
        before, prompts = self._together(_shown(0), [shown for shown, _ in fit.values()])
        answers = [line for _, line in fit.values()]
        scored = self._model.score([*zip(prompts, answers, strict=True)], self._version, before)
        self._known |= zip(fit, map(sum, scored), strict=True)
        return [self._known[pair] for pair in asked]

    def _together(self, shown: str, texts: Sequence[tuple[int, ...]]) -> tuple[Prefix, list[tuple[int, ...]]]:
        """What all texts have in common of `shown`, with which they begin, as a prefix, and what each has
        behind it, which is one token at least."""
        head = self._tokens(shown)
        shared = min(common_length(texts), common_beginning(head, texts[0]))
        return self._prefix(head[:shared]), [text[shared:] for text in texts]

    def _fits(self, tokens: Sequence[int], more: int = 0) -> bool:
        return len(tokens) + more <= self._model.context_length

    def _behind(self, text: str) -> tuple[Prefix, tuple[int, ...]]:
        """A text as a prefix, but for its last token, which every prompt needs."""
        *tokens, last = self._tokens(text)
        return self._prefix(tuple(tokens)), (last,)

    def _tokens(self, text: str) -> tuple[int, ...]:
        return tuple(self._model.encode_answer(text)[:-1])


def _times(likely: Sequence[tuple[int, float]], total: int) -> dict[int, int]:
    """How often each token is gone on from, `total` times in all: by its share of the probability (largest
    remainders)."""
    whole = sum(math.exp(logprob) for _, logprob in likely)
    wanted = {token: total * math.exp(logprob) / whole for token, logprob in likely}
    times = {token: math.floor(share) for token, share in wanted.items()}
    rest = sorted(wanted, key=lambda token: times[token] - wanted[token])[: total - sum(times.values())]
    return {token: n + (token in rest) for token, n in times.items()}


def _shown(way: int) -> str:
    return "".join(
        f"Note: {note}\nAnswer: {answer}\nQuestion: {asked[(way + i) % WAYS]}\n\n"
        for i, (note, answer, asked) in enumerate(_EXAMPLES)
    )


def _asking(way: int, note: str, answer: str) -> str:
    return _shown(way) + f"Note: {note}\nAnswer: {answer}\nQuestion:"
