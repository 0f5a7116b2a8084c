"""The demo on a tiny random model, which learns nothing in two steps. But every door is gone through."""

from pathlib import Path

import pytest
from rich.console import Console

from nightschool.cli import demo
from nightschool.config import load
from nightschool.errors import NightschoolError
from tests.conftest import tiny_net, tiny_tokenizer
from tests.helpers import QUICK


@pytest.mark.slow
def test_the_demo_measures_a_whole_day_and_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = tiny_net()
    net.config.max_position_embeddings = 2048  # bytes are many tokens
    net.save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    monkeypatch.setattr(demo, "UNSEEN", 2)
    settings = {"model.id": str(tmp_path / "model"), "model.dtype": "float32", "learn.steps": "2"}
    settings |= {"learn.rule": "opsd", "learn.max_new_tokens": "1"}
    console = Console(width=100, record=True)
    result = demo.run(load(QUICK | settings, env={}), console)
    assert result["n"] == len(result["examples"]) == 2
    assert result["accuracy"].keys() == {"base", "session_in_context", "after_the_dream"}
    assert (result["version"], result["answering"]) == (None, "base")
    demo.print_result(result, console)
    shown = console.export_text()
    for text in ("thumbs up", "step 2/2", "held-back practice did not improve", "2 unseen invoices"):
        assert text in shown
    with pytest.raises(NightschoolError, match="the gate rejected the dream: held-back practice"):
        demo.check(result)
