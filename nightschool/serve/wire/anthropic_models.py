"""What Anthropic's clients read of a list of models, beside what OpenAI's do. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


def info(name: str, created: int, context_length: int) -> dict[str, Any]:
    """About one model."""
    return {
        "type": "model",
        "display_name": name,
        "created_at": datetime.fromtimestamp(created, UTC).isoformat(),
        "lifecycle": "active",
        "max_input_tokens": context_length,
    }


def page(names: Sequence[str]) -> dict[str, Any]:
    """About the list, which is whole."""
    return {"has_more": False, "first_id": names[0], "last_id": names[-1]}
