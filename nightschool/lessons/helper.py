"""Questions about what a session tells, written by another model at an OpenAI-compatible endpoint.

The embedded model writes few good ones. Who wrote a question does not matter to what follows: the same
admission judges whether it is practised (`lessons.questions`).
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nightschool.config import HelperConfig
from nightschool.errors import HelperError
from nightschool.lessons.evidence import content, sequence
from nightschool.seeds import seed_of

if TYPE_CHECKING:
    from openai import OpenAI, OpenAIError

_ASK = """\
Here is a note:

{note}

Write {count} different questions or requests to which the right answer is "{answer}", as the note says.
Write them in the language of the note, as people would who do not know the note: short and long, polite and
plain, each in other words. None has "{answer}" in it. Each can be understood without the note.
Write one a line, and nothing else."""
_MORE = "Write {count} more, in other words than all of these. Again one a line, and nothing else."

# Choices that were never measured against others.
_AT_ONCE = 25  # questions in one reply: small models repeat themselves in long lists
_MORE_REPLIES = 2  # asked for beyond those that would do if every line were of use
_MIN_CONTENT = 2  # words (pairs of characters where there are no spaces); fewer are hardly a question
_LONGEST = 300  # characters of a question; a longer line is hardly one
_TIMEOUT, _CONNECT = 180.0, 10.0  # seconds for a reply: one of a small model on a CPU takes a minute
_RETRIES = 2  # of a request that did not arrive or met an overloaded server
# Some endpoints take no temperature but 1, some no seed, some no `max_tokens`: then all three are left out.
_TEMPERATURE = 0.8
_MAX_TOKENS = 4096  # of a reply, with what a model thinks before it

_FENCED = re.compile(r"^[ \t]*```[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_MARKER = re.compile(r"(?:[-*+•‣◦·▪●–—]\s|\(?\d{1,3}\s?(?:[-.):]\s|[、．）：])|\(?[a-zA-Z]\)\s)\s*")
_QUOTES = "\"'`“”„‟«»‹›‘’‚「」『』"


def helper(config: HelperConfig) -> Helper | None:
    """The helper that the settings name, if they name one. One is enough for a dream (`Helper.questions`)."""
    return Helper(config) if config.url else None


class Helper:
    """A model at an OpenAI-compatible endpoint. Its key, if it wants one, is in OPENAI_API_KEY."""

    def __init__(self, config: HelperConfig) -> None:
        self._config = config
        self._failed = False

    def questions(self, note: str, answer: str, count: int) -> list[str]:
        """At most `count` questions or requests, no two alike, whose right answer is `answer` as the note
        says. There may be fewer, and they are only what the helper wrote: they are still to be judged.

        Raises HelperError if the endpoint fails before there are any, or if nothing that it wrote is of use.
        Neither need fail a dream or lose a session: whoever asks logs the error and has the model ask itself
        instead. An endpoint that failed is not asked again: it was given time and retries, and every later
        note would wait as long. From then on there are no questions, and no further error.
        """
        if self._failed:
            return []
        found: dict[tuple[str, ...], str] = {}
        for attempt in range(-(-count // _AT_ONCE) + _MORE_REPLIES):
            missing = min(count - len(found), _AT_ONCE)
            if missing <= 0:
                break
            messages = _messages(note, answer, list(found.values()), missing)
            try:
                reply = self._reply(messages, seed_of(note, answer, attempt) % 2**31)
            except HelperError:
                if found:
                    break
                self._failed = True
                raise
            for line in parse(reply):
                if _is_of_use(line, answer):
                    found.setdefault(tuple(sequence(line)), line)
        if not found and count > 0:
            raise HelperError(
                f"no question that {self._config.model} wrote at {self._config.url} is of use: "
                "set lessons.helper.model to a more able one"
            )
        return list(found.values())[:count]

    def _reply(self, messages: Sequence[dict[str, str]], seed: int) -> str:
        """The text of one reply, without a last line that was cut off. Raises HelperError."""
        # Here, because it takes a second to import and most dreams have no helper.
        import openai

        body = {"model": self._config.model, "messages": messages}
        sampling = {"temperature": _TEMPERATURE, "seed": seed, "max_tokens": _MAX_TOKENS}
        timeout = openai.Timeout(_TIMEOUT, connect=_CONNECT)
        try:
            with openai.OpenAI(
                base_url=self._config.url, api_key=_key() or "none", max_retries=_RETRIES, timeout=timeout
            ) as client:
                try:
                    reply = _post(client, body | sampling)
                except (openai.BadRequestError, openai.UnprocessableEntityError):
                    reply = _post(client, body)
            choice = reply["choices"][0]
            text: str = (choice["message"]["content"] or "").strip()
            return text.rpartition("\n")[0] if choice.get("finish_reason") == "length" else text
        except openai.OpenAIError as e:
            raise HelperError(self._explain(e)) from e
        except UnicodeEncodeError as e:  # of a header: the messages can be encoded
            raise HelperError("OPENAI_API_KEY has characters that no key has: set it anew") from e
        except (ValueError, LookupError, TypeError, AttributeError) as e:
            raise HelperError(
                f"{self._config.url} answers, but not as an OpenAI-compatible endpoint: "
                "set lessons.helper.url to its base URL, which often ends in /v1"
            ) from e

    def _explain(self, error: OpenAIError) -> str:
        """What went wrong, and what to do."""
        import openai

        at, model = f"the helper at {self._config.url}", self._config.model
        match error:
            case openai.APITimeoutError():
                return f"{at} did not answer in time: set lessons.helper.model to a faster one"
            case openai.APIConnectionError():
                return f"{at} cannot be reached: start it, or leave out lessons.helper.url and .model"
            case openai.APIStatusError(status_code=401 | 403):  # its reason may quote parts of the key
                wanted = "another key: mend" if _key() else "a key: set"
                return f"{at} wants {wanted} the environment variable OPENAI_API_KEY"
            case openai.APIStatusError(status_code=404):
                return (
                    f"{at} has no model {model}: set lessons.helper.model to one that it has, "
                    "or lessons.helper.url to its base URL, which often ends in /v1"
                )
            case openai.APIStatusError():
                told = error.body.get("message") if isinstance(error.body, dict) else None
                reason = _plain(str(told or "no reason")).replace(_key() or "\n", "...")[:200]
                status = error.status_code
                return f"{at} refuses with status {status} ({reason}): mend that, or leave out lessons.helper"
        return f"{at} cannot be asked: {type(error).__name__}"


def parse(text: str) -> list[str]:
    """The lines of a reply that it was asked for, as bare text: not what a model thought before it, nor what
    it says around its list. No word decides, only how the text is laid out."""
    text = text.rpartition("</think>")[2].strip()
    if text.startswith("<think>"):  # it never came to an end
        return []
    text = "\n\n".join(_FENCED.findall(text)) or text
    blocks = [
        [line for line in map(_plain, block.splitlines()) if line and not line.startswith(("```", "#"))]
        for block in re.split(r"\n\s*\n", text)
    ]
    lines = [line for block in blocks for line in block]
    marked = [line[marker.end() :] for line in lines if (marker := _MARKER.match(line))]
    if 2 * len(marked) >= len(lines):
        lines = marked
    elif any(len(block) > 1 for block in blocks):
        lines = [line for block in blocks if len(block) > 1 for line in block]
    bare = [_unquoted(line) for line in lines]
    return [line for line in bare if line and line[-1] not in ":："]  # such a line announces others


def _plain(line: str) -> str:
    """A line without Markdown's emphasis, control characters and halves of characters."""
    kept = (" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in line)
    return "".join(kept).replace("**", "").strip()


def _unquoted(line: str) -> str:
    """A line without a comma at its end, and without quotation marks on both sides."""
    line = line.strip("*_ ").removesuffix(",")
    while len(line) > 1 and line[0] in _QUOTES and line[-1] in _QUOTES:
        line = line[1:-1].strip()
    return line


def _is_of_use(line: str, answer: str) -> bool:
    """Whether a line can be a question, and does not give the answer away."""
    words, wanted = sequence(line), sequence(answer)
    given = any(words[i : i + len(wanted)] == wanted for i in range(len(words))) if wanted else answer in line
    return len(line) <= _LONGEST and len(content(line)) >= _MIN_CONTENT and not given


def _messages(note: str, answer: str, found: Sequence[str], missing: int) -> list[dict[str, str]]:
    """The request for so many questions; those that there are, too, so that others are written."""
    asked = _ASK.format(note=note, answer=answer, count=len(found) or missing)
    turns = [("user", asked)]
    if found:
        turns += [("assistant", "\n".join(found)), ("user", _MORE.format(count=missing))]
    # Half a character, as a client may have cut it, cannot be sent.
    return [{"role": role, "content": text.encode(errors="ignore").decode()} for role, text in turns]


def _post(client: OpenAI, body: dict[str, Any]) -> Any:
    """The endpoint's reply, as JSON. A redirect is not followed: what a session tells goes to the address in
    the settings, and nowhere else."""
    return client.post("/chat/completions", cast_to=object, body=body, options={"follow_redirects": False})


def _key() -> str:
    return os.environ.get("OPENAI_API_KEY", "").strip()
