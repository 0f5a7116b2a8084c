"""After vLLM's tests/entrypoints/openai/models/test_models.py and its LoRA tests. The live version is an
adapter of the base model, or the base model itself as long as nothing was learned."""

from __future__ import annotations

import pytest
from openai import NotFoundError, OpenAI

ROOT = "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_check_models(client: OpenAI) -> None:
    models = {model.id: model for model in client.models.list()}
    assert {"base", "live"} <= models.keys()
    assert models["base"].model_dump()["root"] == models["live"].model_dump()["root"] == ROOT


@pytest.mark.parametrize("name", ["base", "live"])
def test_retrieve_model(client: OpenAI, name: str) -> None:
    model = client.models.retrieve(name)
    assert model.id == name
    assert model.object == "model"
    assert model.model_dump()["root"] == ROOT


def test_retrieve_unknown_model(client: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="this-model-does-not-exist"):
        client.models.retrieve("this-model-does-not-exist")


def test_static_lora_lineage(client: OpenAI) -> None:
    models = {model.id: model.model_dump() for model in client.models.list()}
    assert models["base"]["parent"] is None
    assert models["live"]["parent"] in {"base", *models}
