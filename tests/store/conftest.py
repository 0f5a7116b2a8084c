"""What the tests of the store share."""

from hypothesis import strategies as st

from nightschool.store import Store
from nightschool.types import BASE, Message
from tests.helpers import turns

HI, HELLO = Message("user", "hi"), Message("assistant", "hello")


def record(store: Store, *texts: str, session: str | None = None, user: str | None = None) -> str:
    """Alternating user and assistant texts, the last of which was just answered."""
    messages = turns(*texts)
    return store.sessions.record(
        session_id=session,
        user=user,
        history=messages[:-1],
        answer=messages[-1],
        response_id=f"r_{len(texts)}_{texts[-1]}",
        version=BASE,
        tokens=[1, 2],
        logprobs=[-0.5, -1.25],
    )


def contents(store: Store, session: str) -> list[str]:
    return [m.content for m in store.sessions.get(session).messages]


texts = st.lists(st.text(max_size=5), min_size=2, max_size=8).filter(lambda t: len(t) % 2 == 0)
