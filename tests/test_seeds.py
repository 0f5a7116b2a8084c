"""Seeds and orders depend on what is drawn, not on its place."""

from hypothesis import given
from hypothesis import strategies as st

from nightschool.seeds import seed_of, shuffled


def test_a_seed_is_the_same_in_every_process() -> None:
    assert seed_of(0, "s/v1", (3, 4)) == 2235985860730453274
    assert seed_of(0, "s/v1") != seed_of(1, "s/v1") != seed_of(1, "s/v2")
    assert seed_of("a", "b") != seed_of("ab")


@given(st.lists(st.text(), unique=True, min_size=1), st.integers(), st.data())
def test_an_order_without_one_of_the_items_is_that_of_the_others(
    items: list[str], seed: int, data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(items))
    whole = shuffled(data.draw(st.permutations(items)), seed)
    assert sorted(whole) == sorted(items)
    assert shuffled([i for i in items if i != gone], seed) == [i for i in whole if i != gone]
