"""Names of versions, the live pointer, promotion, and what a refusal changes."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from nightschool.errors import StoreError
from nightschool.store import Store
from nightschool.types import BASE, Verdict, Version
from tests.helpers import promote


def test_a_moved_home_finds_its_versions(store: Store, home: Path) -> None:
    promote(store, "n@1", BASE, home / "versions" / "n@1")
    promote(store, "n@2", "n@1", Path("/elsewhere/n@2"))
    store.close()
    with closing(Store.open(home.rename(home.with_name("moved")))) as moved:
        paths = [version.path for version in moved.versions.all()]
    assert paths == [str(home.with_name("moved") / "versions" / "n@1"), "/elsewhere/n@2"]


def test_version_names_are_never_given_out_twice(store: Store, home: Path) -> None:
    def reserve(_: int) -> list[str]:
        mine = Store.open(home)
        names = [mine.versions.new_name("n") for _ in range(5)]
        mine.close()
        return names

    with ThreadPoolExecutor(4) as pool:
        names = [name for found in pool.map(reserve, range(4)) for name in found]
    assert sorted(names, key=lambda n: int(n[2:])) == [f"n@{i}" for i in range(1, 21)]


def test_the_live_pointer_moves_only_from_where_it_is(store: Store) -> None:
    for name, parent in (("n@1", BASE), ("n@2", "n@1")):
        promote(store, name, parent, Path("/x"))
    store.versions.point_to(BASE, expect="n@2")
    store.versions.point_to("n@1", expect=BASE)
    with pytest.raises(StoreError, match="no longer base"):
        store.versions.point_to("n@2", expect=BASE)
    store.versions.point_to("n@2", expect="n@1")
    assert [v.name for v in store.versions.lineage("n@2")] == ["n@1", "n@2"]
    assert store.versions.lineage(BASE) == []


def test_a_promotion_is_whole_or_not_at_all(store: Store) -> None:
    store.dreams.start("d1", sessions=["s"], parent=BASE, config={}, pid=1)
    promote(store, "n@1", BASE, Path("/x"))  # somebody else was faster
    with pytest.raises(StoreError, match="no longer base"):
        store.versions.promote("d1", Version("n@2", BASE, "/y"), Verdict(True, ()))
    assert [v.name for v in store.versions.all()] == ["n@1"]
    assert (store.dreams.get("d1").status, store.dreams.get("d1").version) == ("running", None)
    assert store.versions.live() == "n@1"


def test_a_refused_version_is_not_live_until_it_is_pointed_to_again(store: Store) -> None:
    for name, parent in (("n@1", BASE), ("n@2", "n@1"), ("n@3", "n@2")):
        promote(store, name, parent, Path("/x"))
    store.versions.note_swap("n@3", ok=True, detail="")
    assert store.versions.refusal() is None
    for name in ("n@3", "n@2"):
        store.versions.note_swap(name, ok=False, detail=f"{name} differs")
    assert store.versions.live() == "n@1"
    refusal = store.versions.refusal()
    assert refusal
    assert (refusal.version, refusal.detail) == ("n@3", "n@3 differs")
    with pytest.raises(StoreError, match="the live version is n@1"):
        store.versions.point_to(BASE, expect="n@3")
    store.versions.point_to("n@3", expect="n@1")  # whoever does so wants to try it again
    assert (store.versions.live(), store.versions.refusal()) == ("n@3", None)
    store.versions.note_swap("n@3", ok=False, detail="")
    store.versions.note_swap("n@2", ok=True, detail="")
    assert store.versions.live() == "n@2"
