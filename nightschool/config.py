"""One typed tree of settings; the defaults are the tested recipe.

Read, later ones winning, from `$NIGHTSCHOOL_HOME/config.toml`, the environment
(`NIGHTSCHOOL_LEARN__RLVR__GROUP_SIZE=8`) and the command line (`--learn.rlvr.group_size 8`). No key silently
does nothing: an unknown one is an error, an old name's error says the new name, and so is one that the chosen
rule does not read.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from nightschool.errors import ConfigError

ENV_PREFIX = "NIGHTSCHOOL_"
RENAMED = {
    "serve.read_tokens": "serve.prefill_chunk",
    "serve.kept_tokens": "serve.prefix_cache_tokens",
    "learn.averaging": "learn.ema_decay",
    "learn.batch": "learn.batch_size",
    "learn.clip": "learn.max_grad_norm",
    "learn.asked": "learn.self_asked",
    "learn.ahead": "learn.round_steps",
    "learn.informed_share": "learn.opsd.reference_fraction",
    "learn.warm_up": "learn.opsd.reference_steps",
    "learn.divergence": "learn.opsd.divergence",
    "learn.top_k": "learn.opsd.top_k",
    "learn.group": "learn.rlvr.group_size",
    "learn.live_weight": "learn.rlvr.kl_coef",
    "learn.trial": "learn.auto.bakeoff_steps",
    "gate.keep": "gate.min_kept",
}


# A learning rule is a file here; what begins with an underscore is shared by several.
RULES = sorted(
    path.stem.replace("_", "-")
    for path in (Path(__file__).parent / "learn" / "rules").glob("*.py")
    if not path.stem.startswith("_")
)


@dataclass(frozen=True)
class NotReadBy:
    """Marks a setting that these learning rules do not read; one without the mark is read by all of them."""

    rules: tuple[str, ...]


_SAMPLING = NotReadBy(("sft",))
_OPSD_AND_TRD = NotReadBy(("cd", "sft", "rlvr"))
_OPSD_AND_CD = NotReadBy(("trd-rewrite", "trd-from-error", "sft", "rlvr"))
_RLVR = NotReadBy(("opsd", "trd-rewrite", "trd-from-error", "cd", "sft"))
_AUTO = NotReadBy(tuple(RULES))


def _known_rule(rule: str) -> str:
    parts = rule.split("+")
    if rule != "auto" and (len(parts) > 2 or not {*parts} <= {*RULES}):
        known = ", ".join(["auto", *RULES])
        raise ValueError(f"no such rule; there are {known}, and two of them joined by a +")
    return rule


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelConfig(_Section):
    """Which language model, and how it is run."""

    id: str = "smollm2-135m"
    """The embedded model `smollm2-135m`, or a local directory or hub id of a causal language model with a
    chat template."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device that the model runs on; `auto` takes a GPU if there is one."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Type of the weights; `auto` is float32 on a CPU without bfloat16 instructions (faster there), else
    bfloat16."""
    threads: int = Field(default=0, ge=0)
    """Number of CPU threads; 0 takes as many as there are cores that the process may use."""


class ServeConfig(_Section):
    """The HTTP server."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8420, ge=0, le=65535)
    """TCP port to listen on; 0 takes a free one."""
    max_batch: int = Field(default=32, ge=1)
    """Requests decoded together; any more wait in a queue."""
    prefill_chunk: int = Field(default=0, ge=0)
    """Prompt tokens prefilled between two decoding steps, so that a long prompt does not hold up the answers
    to other requests; 0 takes what suits the device."""
    prefix_cache_tokens: int = Field(default=16384, ge=0)
    """Tokens of earlier requests whose keys and values are kept, so that the next turn of a chat prefills
    only what is new; the least recently used are dropped first. 0 keeps none."""
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1)
    """Largest accepted request body, in bytes."""
    max_tokens: int = Field(default=512, ge=1)
    """Longest answer, in tokens, to a request that sets no limit."""


class NightConfig(_Section):
    """When the server starts dreams by itself; with the defaults it never does."""

    hours: str = Field(default="", pattern=r"^((1?\d|2[0-4])-(1?\d|2[0-4]))?$")
    """Start dreams between these hours of the day, local time, such as `22-6`; empty: at any hour, if
    `night.idle_minutes` is set."""
    idle_minutes: int = Field(default=0, ge=0)
    """Start dreams after this many minutes without a request; 0: do not wait for that, if `night.hours` is
    set. With both set, both conditions must hold."""


class OpsdConfig(_Section):
    """Distillation from the teacher: what the rules `opsd`, `trd-rewrite`, `trd-from-error` and `cd` have of
    their own. `opsd+rlvr` (in its first two thirds) and `auto` run them, too."""

    reference_fraction: float = Field(default=0.5, ge=0, le=1)
    """Fraction of the rollouts replaced by the reference answer (the known right one, else the teacher's
    own), where there is one; `cd`, `sft` and `rlvr` replace none. Above 0, under every rule, a teacher that
    is wrong without it also sees the known answer; 0 turns both off."""
    reference_steps: Annotated[int, _OPSD_AND_TRD] = Field(default=8, ge=0)
    """First steps of a dream in which every request that has a reference answer is practised by it, because
    rollouts are not worth much yet; without effect where `learn.opsd.reference_fraction` is 0."""
    divergence: Annotated[Literal["forward_kl", "reverse_kl", "jensen_shannon", "top_k"], _OPSD_AND_CD] = (
        "forward_kl"
    )
    """Divergence between the teacher's and the student's next-token distributions that is minimised at every
    token; the `trd` rules always take `forward_kl`."""
    top_k: Annotated[int, _OPSD_AND_CD] = Field(default=64, ge=1)
    """How many of the teacher's most probable tokens the divergence `top_k` compares one by one; all others
    count as one. Only with `learn.opsd.divergence = top_k`."""


class RlvrConfig(_Section):
    """Reinforcement learning with verifiable rewards: the rule `rlvr`, which `opsd+rlvr` (in its last third)
    and `auto` run, too."""

    group_size: Annotated[int, _RLVR] = Field(default=4, ge=2)
    """Rollouts of one request whose rewards are compared with one another."""
    kl_coef: Annotated[float, _RLVR] = Field(default=0.1, ge=0)
    """Loss weight of the KL divergence from the live version."""


class AutoConfig(_Section):
    """The bake-off of the rule `auto`."""

    bakeoff_steps: Annotated[int, _AUTO] = Field(default=12, ge=1)
    """Training steps that each candidate rule gets before the best one goes on."""


class LearnConfig(_Section):
    """One dream's training: what all learning rules read."""

    seed: int = 0
    """Seed of everything that is drawn: the same seed gives the same adapter on the same machine."""
    rule: Annotated[str, AfterValidator(_known_rule)] = "opsd"
    """Learning rule: one of `cd`, `opsd`, `rlvr`, `sft`, `trd-from-error`, `trd-rewrite`; `FIRST+THEN` takes
    the second for the last third of the steps; `auto` tries several for a few steps each and goes on with the
    best one."""
    rank: int = Field(default=16, ge=1)
    """LoRA rank of the adapter on all linear layers. A dream on top of a version keeps that version's."""
    lr: float = Field(default=2e-3, gt=0)
    """Learning rate of AdamW."""
    ema_decay: float = Field(default=0.8, ge=0, lt=1)
    """Decay per step of the exponential moving average of the weights, which is what is measured and kept; 0
    keeps the last step's weights."""
    steps: int = Field(default=40, ge=1)
    """Most training steps in a dream; it ends sooner when the held-back practice is learned."""
    batch_size: int = Field(default=8, ge=1)
    """Practice requests in a training step."""
    max_new_tokens: int = Field(default=64, ge=1)
    """Longest answer that is practised or measured, in tokens."""
    temperature: Annotated[float, _SAMPLING] = Field(default=1.0, gt=0)
    """Sampling temperature of the student's rollouts, and of the teacher's answers under `cd`."""
    anchors: int = Field(default=8, ge=0)
    """Anchors in a training step: unrelated requests on which the student is held to the base model. As many
    requests of earlier lessons are rehearsed in each step, too, where there are any."""
    anchor_weight: float = Field(default=2.0, ge=0)
    """Loss weight of the anchors (KL divergence) and of rehearsal (cross-entropy)."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Norm to which a larger gradient is scaled down before each update."""
    variations: int = Field(default=96, ge=0)
    """Variations of a session's requests (other names, numbers, dates or words) that are practised."""
    held_back: int = Field(default=32, ge=0)
    """Further variations that are never practised: half of them decide when training stops, half are the
    gate's probes."""
    self_asked: int = Field(default=16, ge=0)
    """Questions that the model asks itself about a session whose requests cannot be varied by rules."""
    replay_tokens: int = Field(default=1024, ge=0)
    """Longest stretch of the session, in tokens, that stands before an answer practised in its place; answers
    further on are not practised there."""
    round_steps: int = Field(default=4, ge=1)
    """Steps in a round: their rollouts are sampled together, and after them the held-back practice is
    measured and a checkpoint is written, from which a killed dream resumes."""
    opsd: OpsdConfig = OpsdConfig()
    rlvr: RlvrConfig = RlvrConfig()
    auto: AutoConfig = AutoConfig()


class GateConfig(_Section):
    """What a candidate must show before it goes live."""

    kl_budget: float = Field(default=0.1, ge=0)
    """Largest drift: KL divergence from the base model on unrelated requests, in nats per token."""
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Significance level of the paired test that held-back practice improved."""
    min_kept: float = Field(default=0.9, ge=0, le=1)
    """Fraction of its right answers that every earlier lesson must keep."""


class Config(_Section):
    """All settings, by section."""

    model: ModelConfig = ModelConfig()
    serve: ServeConfig = ServeConfig()
    night: NightConfig = NightConfig()
    learn: LearnConfig = LearnConfig()
    gate: GateConfig = GateConfig()


def sections(kind: type[BaseModel] = Config, name: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section with its dotted name, outer ones first."""
    for key, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Section):
            yield name + key, field.annotation
            yield from sections(field.annotation, f"{name}{key}.")


_NOT_READ_BY = {
    f"{name}.{key}": mark.rules
    for name, section in sections()
    for key, field in section.model_fields.items()
    for mark in field.metadata
    if isinstance(mark, NotReadBy)
}


def home() -> Path:
    """The folder that holds everything Nightschool keeps."""
    return Path(os.environ.get("NIGHTSCHOOL_HOME") or Path.home() / ".nightschool")


def load(overrides: Mapping[str, str] | None = None, *, env: Mapping[str, str] | None = None) -> Config:
    """Read the settings; `overrides` maps dotted keys to text, as `--learn.lr 1e-4` gives them.

    Raises ConfigError, naming the key, where it is unknown, its value does not fit, or it was given although
    it has no effect beside the others.
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
    config = parse(tree)
    learn = config.learn
    for key in _keys(tree):
        if learn.rule != "auto" and {*learn.rule.split("+")} <= {*_NOT_READ_BY.get(key, ())}:
            raise ConfigError(f"setting {key} has no effect with learn.rule {learn.rule}: leave it out")
        if key == "learn.opsd.top_k" and learn.opsd.divergence != "top_k":
            raise ConfigError(f"setting {key} has no effect unless learn.opsd.divergence is top_k")
    return config


def parse(tree: Mapping[str, Any]) -> Config:
    """The settings in nested form, as a recorded dream holds them. Raises ConfigError, naming the key."""
    for key in _keys(tree):
        if key in RENAMED:
            raise ConfigError(f"setting {key} is now called {RENAMED[key]} (see docs/settings.md)")
    try:
        return Config.model_validate(tree)
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = (
            "there is no such setting"
            if first["type"] == "extra_forbidden"
            else first["msg"].removeprefix("Value error, ")
        )
        raise ConfigError(f"setting {key}: {reason} (see docs/settings.md)") from e


def _keys(tree: Mapping[str, Any], name: str = "") -> Iterator[str]:
    """The dotted keys of all values in the tree."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _keys(value, f"{name}{key}.")
        else:
            yield name + key


def _put(tree: dict[str, Any], keys: list[str], value: str) -> None:
    *parents, last = keys
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"setting {'.'.join(keys)}: {parent} is not a section")
    tree[last] = value
