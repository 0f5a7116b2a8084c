from bench.measures import sparsity
from nightschool.models.hf import HFModel
from nightschool.types import BASE


def test_an_adapter_that_does_nothing_changes_no_weight(roomy: HFModel) -> None:
    adapter = roomy.fresh_adapter(2, 0)
    assert sparsity(roomy, adapter) == 1.0
    for _, b in adapter.masters.values():
        b += 1.0
    assert sparsity(roomy, adapter) < 0.5
    assert BASE not in roomy.versions()
