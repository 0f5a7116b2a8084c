"""One typed tree of settings; the defaults are the tested recipe.

Read, later ones winning, from `$NIGHTSCHOOL_HOME/config.toml`, the environment
(`NIGHTSCHOOL_LEARN__LR=1e-4`) and the command line (`--learn.lr 1e-4`). An unknown key is an error.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nightschool.errors import ConfigError

ENV_PREFIX = "NIGHTSCHOOL_"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelConfig(_Section):
    """Which language model, and how it is run."""

    id: str = "smollm2-135m"
    """`smollm2-135m` is embedded; else a local directory or a hub id of a causal LM with a chat template."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; `auto` takes a GPU where there is one."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """`auto`: float32 on a CPU without bfloat16 instructions (it is faster there), else bfloat16."""
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0 means as many as there are cores that the process may use."""


class ServeConfig(_Section):
    """The HTTP server."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8420, ge=0, le=65535)
    """Port; 0 takes a free one."""
    max_batch: int = Field(default=32, ge=1)
    """Requests decoded together; more wait."""
    read_tokens: int = Field(default=0, ge=0)
    """Tokens of prompts read between two steps of decoding, so that a long request holds nobody up; 0 takes
    what suits the device."""
    kept_tokens: int = Field(default=16384, ge=0)
    """Tokens of earlier requests whose keys and values are kept, so that the next turn of a chat reads only
    what is new; those least recently used go first."""
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1)
    """Largest request."""
    max_tokens: int = Field(default=512, ge=1)
    """Longest answer where the request does not say."""


class NightConfig(_Section):
    """When the server dreams by itself what was liked; unless told so here, it does not."""

    hours: str = Field(default="", pattern=r"^((1?\d|2[0-4])-(1?\d|2[0-4]))?$")
    """Only between these hours of the day, local time: `22-6`."""
    idle_minutes: int = Field(default=0, ge=0)
    """Only after so long without a request. With `hours` as well, both must be so."""


class LearnConfig(_Section):
    """One dream's training."""

    seed: int = 0
    """The same seed gives the same adapter on the same machine."""
    rule: Literal["opsd", "trd-rewrite", "trd-from-error", "cd", "sft", "rlvr", "opsd+rlvr", "auto"] = "opsd"
    """The learning rule; `auto` tries several for a few steps each and goes on with the best one."""
    trial: int = Field(default=12, ge=1)
    """Steps that each rule gets in the bake-off of `auto`."""
    divergence: Literal["forward_kl", "reverse_kl", "jensen_shannon", "top_k"] = "forward_kl"
    """Between teacher and student, per token."""
    top_k: int = Field(default=64, ge=1)
    """The teacher's likeliest tokens, for `divergence = top_k`; the rest is one bin."""
    rank: int = Field(default=16, ge=1)
    """Of the LoRA adapter, on all linear layers."""
    lr: float = Field(default=2e-3, gt=0)
    """AdamW's learning rate."""
    averaging: float = Field(default=0.8, ge=0, lt=1)
    """Of the moving average of the weights that is measured and kept; 0 takes the last step's."""
    steps: int = Field(default=40, ge=1)
    """At most; practice that is held back decides when to stop."""
    batch: int = Field(default=8, ge=1)
    """Practice requests a step."""
    max_new_tokens: int = Field(default=64, ge=1)
    """Longest answer that is practised or measured."""
    temperature: float = Field(default=1.0, gt=0)
    """Of the student's own tries."""
    informed_share: float = Field(default=0.5, ge=0, le=1)
    """Share of trajectories that are the right answer instead of the student's try: the known one, which the
    teacher then has in its context, else the teacher's own. 0: neither."""
    warm_up: int = Field(default=8, ge=0)
    """First steps, which take the right answer wherever there is one: tries are worth nothing yet."""
    group: int = Field(default=4, ge=2)
    """Tries at one request that `rlvr` compares with one another."""
    live_weight: float = Field(default=0.1, ge=0)
    """Of `rlvr`'s KL to the live version."""
    anchors: int = Field(default=8, ge=0)
    """Unrelated requests a step, on which the student is to stay what it was; and as many of earlier lessons,
    where there are any."""
    anchor_weight: float = Field(default=2.0, ge=0)
    """Of both in the loss: the KL of the former, the cross-entropy of the latter."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    variations: int = Field(default=96, ge=0)
    """Practice requests made from a session."""
    held_back: int = Field(default=32, ge=0)
    """Variations that are never practised; half of them steer the training, half are the gate's."""
    asked: int = Field(default=16, ge=0)
    """Questions that the model asks itself about a session whose requests cannot be varied by rules."""
    replay_tokens: int = Field(default=1024, ge=0)
    """Turns are practised where they stood in the session up to this many tokens before them."""
    ahead: int = Field(default=4, ge=1)
    """Steps whose tries are sampled together. After them, held-back practice is measured and a checkpoint is
    written, from which a killed dream resumes."""


class GateConfig(_Section):
    """What a candidate must show."""

    kl_budget: float = Field(default=0.1, ge=0)
    """Nats per token to base, on unrelated requests."""
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Of the paired test that held-back practice improved."""
    keep: float = Field(default=0.9, ge=0, le=1)
    """Share of its accuracy that an earlier lesson must keep."""


class Config(_Section):
    """Everything."""

    model: ModelConfig = ModelConfig()
    serve: ServeConfig = ServeConfig()
    night: NightConfig = NightConfig()
    learn: LearnConfig = LearnConfig()
    gate: GateConfig = GateConfig()


def home() -> Path:
    """The folder that holds everything Nightschool keeps."""
    return Path(os.environ.get("NIGHTSCHOOL_HOME") or Path.home() / ".nightschool")


def load(overrides: Mapping[str, str] | None = None, *, env: Mapping[str, str] | None = None) -> Config:
    """Read the settings; `overrides` maps dotted keys to text, as `--learn.lr 1e-4` gives them.

    Raises ConfigError, naming the key, for an unknown key or a value that does not fit.
    """
    tree: dict[str, Any] = {}
    path = home() / "config.toml"
    if path.exists():
        try:
            tree = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
            raise ConfigError(f"{path}: {e}") from e
    for key, value in sorted((os.environ if env is None else env).items()):
        if key.startswith(ENV_PREFIX) and "__" in key:
            _put(tree, key.removeprefix(ENV_PREFIX).lower().split("__"), value)
    for key, value in (overrides or {}).items():
        _put(tree, key.split("."), value)
    try:
        return Config.model_validate(tree)
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"setting {key}: {first['msg']} (see docs/settings.md)") from e


def _put(tree: dict[str, Any], keys: list[str], value: str) -> None:
    *parents, last = keys
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"setting {'.'.join(keys)}: {parent} is not a section")
    tree[last] = value
