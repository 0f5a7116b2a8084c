"""However an answer is cut into tokens, what is streamed is the answer up to the first stop string."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from nightschool.serve.text import TextStream


def stream(pieces: list[bytes], stops: list[str], *, hold_calls: bool = False) -> tuple[str, str]:
    """(what was streamed, the final text) for tokens that are byte strings."""

    def decode(tokens: Sequence[int]) -> str:
        return b"".join(pieces[t] for t in tokens).decode(errors="replace")

    text, out = TextStream(decode, stops, hold_calls=hold_calls), ""
    for token in range(len(pieces)):
        out += text.push(token)
        if text.stopped_at:
            break
    return out + text.close(), text.text


@st.composite
def cut(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    """A text with characters of several bytes, and its bytes cut anywhere."""
    text = draw(st.text(alphabet="abü€🙂 ", max_size=24))
    data = text.encode()
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=10)))
    return text, [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(cut(), st.lists(st.text(alphabet="abü€", min_size=1, max_size=3), max_size=3))
def test_streamed_is_the_text_up_to_the_first_stop(case: tuple[str, list[bytes]], stops: list[str]) -> None:
    text, pieces = case
    ends = [at for s in stops if (at := text.find(s)) >= 0]
    streamed, final = stream(pieces, stops)
    # Cut at the earliest stop that is complete first; with overlapping stops a later one may complete first.
    assert streamed == final
    assert text.startswith(final)
    assert not any(s in final for s in stops)
    if not ends:
        assert final == text
    else:
        assert len(final) >= min(ends)


def test_nothing_of_a_stop_string_is_ever_sent() -> None:
    assert stream([b"one S", b"TO", b"P two"], ["STOP"]) == ("one ", "one ")
    assert stream([b"one S", b"TO", b"RM"], ["STOP"]) == ("one STORM", "one STORM")


def test_which_stop_string_ended_a_text() -> None:
    text = TextStream(lambda tokens: "".join(map(chr, tokens)), ["three", "two"])
    for char in "one two three":
        text.push(ord(char))
    assert (text.text, text.stopped_at) == ("one ", "two")


def test_a_text_goes_on_from_what_stands_before_it() -> None:
    """Some tokenizers leave out the blank that a text begins with."""

    def decode(tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens)).removeprefix(" ")

    for before, first in ((b"", "world"), (b"Hello", " world")):
        text = TextStream(decode, before=before)
        assert "".join(text.push(token) for token in b" world") == first


def test_tool_calls_are_held_back() -> None:
    pieces = [b"see <tool", b"_call>{", b"}</tool_call>"]
    assert stream(pieces, [], hold_calls=True) == ("see ", "see <tool_call>{}</tool_call>")
    assert stream([b"a <tool"], [], hold_calls=True) == ("a <tool", "a <tool")
