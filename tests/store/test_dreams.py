"""One dream at a time, and the states that it may go through."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nightschool.errors import DreamError, StoreError
from nightschool.store import Store
from nightschool.types import BASE, Verdict, Version


def test_one_process_dreams_at_a_time(store: Store, home: Path) -> None:
    store.dreams.start("d1", sessions=["s"], parent=BASE, config={"a": 1}, pid=1)
    other = Store.open(home)
    with store.dreams.lock(), pytest.raises(DreamError, match="a dream is running"), other.dreams.lock():
        pass
    with other.dreams.lock():
        other.dreams.reject("d1", Verdict(False, ("why",)))
    assert (store.dreams.get("d1").verdict or {})["reasons"] == ["why"]
    other.close()


ENDS: dict[str, Callable[[Store], None]] = {
    "failed": lambda store: store.dreams.fail("d1", "why"),
    "rejected": lambda store: store.dreams.reject("d1", Verdict(False, ())),
    "promoted": lambda store: store.versions.promote("d1", Version("n@1", BASE, "/x"), Verdict(True, ())),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_dream_that_is_over_stays_so(store: Store, end: str) -> None:
    store.dreams.start("d1", sessions=["s"], parent=BASE, config={}, pid=1)
    store.dreams.interrupt("d1", "disk")
    store.dreams.resume("d1", 2)
    assert (store.dreams.get("d1").status, store.dreams.get("d1").error) == ("running", None)
    ENDS[end](store)
    assert store.dreams.get("d1").status == end
    changes: tuple[Callable[[Store], None], ...] = (
        lambda s: s.dreams.fail("d1", "why"),
        lambda s: s.dreams.reject("d1", Verdict(False, ())),
        lambda s: s.dreams.resume("d1", 3),
        lambda s: s.dreams.interrupt("d1", "x"),
        lambda s: s.dreams.note_progress("d1", {}),
        lambda s: s.dreams.narrow("d1", []),
        lambda s: s.dreams.note_lessons("d1", {}),
        lambda s: s.dreams.note_launch("d1"),
    )
    for change in changes:
        with pytest.raises(StoreError, match=f"is {end}: it cannot become"):
            change(store)
    assert store.dreams.get("d1").status == end
