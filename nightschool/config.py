"""One typed tree of settings; the defaults are the tested recipe.

They are read from `$NIGHTSCHOOL_HOME/config.toml`, the environment (`NIGHTSCHOOL_LEARN__RLVR__GROUP_SIZE=8`)
and the command line (`--learn.rlvr.group_size 8`); later sources win. No key is silently ignored: an unknown
one is an error, and so is one that the chosen rule does not read. The error for an old name says the new one.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    model_validator,
)

from nightschool.errors import ConfigError

ENV_PREFIX = "NIGHTSCHOOL_"
HOME = "NIGHTSCHOOL_HOME"  # the only variable that is no setting
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
    """Marks a setting that these rules do not read; one without the mark is read under every rule."""

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


def _base_url(url: str) -> str:
    """Raises ValueError, which must not quote the URL: it may have a secret in it, and errors are shown."""
    if not url:
        return url
    try:
        parsed = HttpUrl(url)
    except ValidationError as e:
        raise ValueError("not an http or https URL such as http://localhost:11434/v1") from e
    if parsed.username or parsed.password or parsed.query or parsed.fragment:
        # Settings are recorded with every dream, and go with a version that is exported.
        raise ValueError("no user, password or query, please: a key belongs into OPENAI_API_KEY")
    return str(parsed).rstrip("/")


def _split(value: object) -> object:
    return [part for part in map(str.strip, value.split(",")) if part] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]  # or one text, with commas between them


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelConfig(_Section):
    """Which language model is used, and how it is run."""

    id: str = "smollm2-135m"
    """The embedded model `smollm2-135m`, or the local directory or hub id of a causal language model with a
    chat template."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device that the model runs on; `auto` is a GPU if there is one."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Type of the weights; `auto` is float32 on a CPU without bfloat16 instructions (faster there), else
    bfloat16."""
    threads: int = Field(default=0, ge=0)
    """Number of CPU threads; 0 is one for each core that the process may use."""


class ServeConfig(_Section):
    """The HTTP server."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8420, ge=0, le=65535)
    """TCP port to listen on; 0 is any free one."""
    max_batch: int = Field(default=32, ge=1)
    """Most requests that are decoded together; any more wait in a queue."""
    prefill_chunk: int = Field(default=0, ge=0)
    """Most prompt tokens prefilled between two decoding steps, so that a long prompt does not hold up the
    answers to other requests; 0 is what suits the device."""
    prefix_cache_tokens: int = Field(default=16384, ge=0)
    """Most tokens of earlier requests whose keys and values are kept, so that the next turn of a chat
    prefills only its new tokens; the least recently used are dropped first, and 0 keeps none."""
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1)
    """Largest request body that is accepted, in bytes."""
    max_tokens: int = Field(default=512, ge=1)
    """Longest answer to a request that sets no limit, in tokens."""
    api_key: SecretStr = Field(default=SecretStr(""), exclude=True)
    """Key that every client has to send, best set by the environment (`NIGHTSCHOOL_SERVE__API_KEY`); it is
    recorded nowhere. Without one, only addresses of this machine itself can be listened on."""
    allowed_hosts: Names = ()
    """Names, besides those of this machine itself and `serve.host`, by which clients may reach the server,
    separated by commas. Any other `Host` is refused, since a page on the internet could point its own name
    here."""
    allowed_origins: Names = ()
    """Origins of web pages, besides those on this machine itself, that may use the server, such as
    `https://chat.example.org`, separated by commas; `*` is any."""
    keep_alive: int = Field(default=75, ge=0)
    """Seconds for which an idle connection is kept open."""


class NightConfig(_Section):
    """When the server starts dreams by itself. With the defaults it never does."""

    hours: str = Field(default="", pattern=r"^((1?\d|2[0-4])-(1?\d|2[0-4]))?$")
    """Hours of the day, in local time, between which the server starts dreams, such as `22-6`; empty is any
    hour if `night.idle_minutes` is set, and never if it is not."""
    idle_minutes: int = Field(default=0, ge=0)
    """Minutes without a request after which the server starts a dream, within `night.hours` if they are set;
    0 does not wait for a pause."""


class HelperConfig(_Section):
    """Another model that writes the questions about what a session tells. Without one the model writes them
    itself. A key, where the endpoint wants one, is read from the environment variable `OPENAI_API_KEY` of
    the process that dreams, and is recorded nowhere."""

    url: Annotated[str, AfterValidator(_base_url)] = ""
    """Base URL of an OpenAI-compatible endpoint, such as `http://localhost:11434/v1`. What a session tells
    is sent there. Empty is no helper."""
    model: str = ""
    """Name of the model at that endpoint; both settings, or none."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.url) != bool(self.model):
            raise ValueError("url and model go together: set both, or none")
        return self


class LessonsConfig(_Section):
    """How sessions become lessons."""

    helper: HelperConfig = HelperConfig()


class OpsdConfig(_Section):
    """Distillation from the teacher, as the rules `opsd`, `trd-rewrite`, `trd-from-error` and `cd` do it;
    `opsd+rlvr` (in its first two thirds) and `auto` use these settings, too."""

    reference_fraction: float = Field(default=0.5, ge=0, le=1)
    """Fraction of the rollouts that are replaced by the reference answer (the known right one, else the
    teacher's own) if there is one; `cd`, `sft` and `rlvr` replace none. If it is above 0, the teacher is
    corrected where it doubts the known answer, and under the `trd` rules sees that, too, where it is wrong by
    itself; 0 turns all of that off."""
    reference_steps: Annotated[int, _OPSD_AND_TRD] = Field(default=8, ge=0)
    """Number of first steps in which every request that has a reference answer is practised with it, since
    early rollouts teach little; no effect if `learn.opsd.reference_fraction` is 0."""
    divergence: Annotated[Literal["forward_kl", "reverse_kl", "jensen_shannon", "top_k"], _OPSD_AND_CD] = (
        "forward_kl"
    )
    """Divergence between the teacher's and the student's next-token distributions that is minimised at every
    token; the `trd` rules always take `forward_kl`."""
    top_k: Annotated[int, _OPSD_AND_CD] = Field(default=64, ge=1)
    """Number of the teacher's most probable tokens that the divergence `top_k` compares one by one; all other
    tokens count as one. Allowed only with `learn.opsd.divergence = top_k`."""


class RlvrConfig(_Section):
    """Reinforcement learning with verifiable rewards: the rule `rlvr`, which `opsd+rlvr` (in its last third)
    and `auto` run as well."""

    group_size: Annotated[int, _RLVR] = Field(default=4, ge=2)
    """Number of rollouts of each request; their rewards are compared with one another."""
    kl_coef: Annotated[float, _RLVR] = Field(default=0.1, ge=0)
    """Loss weight of the KL divergence from the live version under `rlvr`."""


class AutoConfig(_Section):
    """The bake-off in which the rule `auto` chooses another rule."""

    bakeoff_steps: Annotated[int, _AUTO] = Field(default=12, ge=1)
    """Training steps of each candidate rule before the best one is chosen."""


class LearnConfig(_Section):
    """The training in a dream, whatever the learning rule."""

    seed: int = 0
    """Seed of everything random; the same seed gives the same adapter on the same machine."""
    rule: Annotated[str, AfterValidator(_known_rule)] = "opsd"
    """Learning rule: one of `cd`, `opsd`, `rlvr`, `sft`, `trd-from-error`, `trd-rewrite`. `FIRST+THEN` takes
    the second for the last third of the steps; `auto` tries several for a few steps each and continues with
    the best."""
    rank: int = Field(default=16, ge=1)
    """LoRA rank of the adapter, which is on all linear layers; a dream that starts from a version keeps that
    version's rank."""
    lr: float = Field(default=2e-3, gt=0)
    """Learning rate of AdamW."""
    ema_decay: float = Field(default=0.8, ge=0, lt=1)
    """Decay per step of the exponential moving average of the weights; the average is what is measured and
    kept. 0 keeps the last step's weights."""
    steps: int = Field(default=40, ge=1)
    """Most training steps in a dream; training ends earlier if the held-back practice is learned."""
    batch_size: int = Field(default=8, ge=1)
    """Number of practice requests in a training step."""
    max_new_tokens: int = Field(default=64, ge=1)
    """Longest answer that a dream practises or measures, in tokens."""
    temperature: Annotated[float, _SAMPLING] = Field(default=1.0, gt=0)
    """Sampling temperature of the student's rollouts, and of the teacher's answers under `cd`."""
    anchors: int = Field(default=8, ge=0)
    """Number of anchors in a training step: unrelated requests on which the student must stay like the base
    model. As many requests of earlier lessons are rehearsed in each step, if there are any."""
    anchor_weight: float = Field(default=2.0, ge=0)
    """Loss weight of the anchors (KL divergence) and of rehearsal (cross-entropy)."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient; a larger gradient is scaled down to it."""
    variations: int = Field(default=96, ge=0)
    """Most variations of a session's requests (other names, numbers, dates or words) that are practised."""
    held_back: int = Field(default=32, ge=0)
    """Most further variations of a session's requests, which are never practised: half of them decide when
    training stops, half are the gate's probes."""
    self_asked: int = Field(default=48, ge=0)
    """Number of questions that the model writes about each fact of a session, which cannot be varied by
    rules; only the good ones among them are practised and measured with."""
    replay_tokens: int = Field(default=1024, ge=0)
    """Longest beginning of a session, in tokens, behind which its next answer is practised as well; later
    answers are practised only without the turns before them."""
    round_steps: int = Field(default=4, ge=1)
    """Training steps in a round. The rollouts of a round are sampled together; after it, the held-back
    practice is measured and a checkpoint is written, from which a killed dream resumes."""
    opsd: OpsdConfig = OpsdConfig()
    rlvr: RlvrConfig = RlvrConfig()
    auto: AutoConfig = AutoConfig()


class GateConfig(_Section):
    """What a candidate must achieve before it goes live."""

    kl_budget: float = Field(default=0.1, ge=0)
    """Largest drift that is allowed: the KL divergence from the base model on unrelated requests, in nats per
    token."""
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Significance level of the paired test of whether the answers to held-back practice improved."""
    min_kept: float = Field(default=0.9, ge=0, le=1)
    """Fraction of its right answers that each earlier lesson must keep."""


class Config(_Section):
    """All settings, by section."""

    model: ModelConfig = ModelConfig()
    serve: ServeConfig = ServeConfig()
    night: NightConfig = NightConfig()
    lessons: LessonsConfig = LessonsConfig()
    learn: LearnConfig = LearnConfig()
    gate: GateConfig = GateConfig()


def sections(kind: type[BaseModel] = Config, name: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the dotted name and the class of every section, outer sections first."""
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
    """The directory with everything that Nightschool keeps: `$NIGHTSCHOOL_HOME`, or else `~/.nightschool`.
    Raises ConfigError if it begins with the `~` of a user that does not exist."""
    try:
        return Path(os.environ.get(HOME) or "~/.nightschool").expanduser()
    except RuntimeError as e:
        raise ConfigError(f"{HOME}: {e}") from e


def load(overrides: Mapping[str, str] | None = None, *, env: Mapping[str, str] | None = None) -> Config:
    """Read the settings from all sources. `overrides` maps dotted keys to text, as in `--learn.lr 1e-4`; an
    `env` of None is `os.environ`.

    Raises ConfigError, naming the key, if a key is unknown, its value does not fit, or it has no effect with
    the other settings.
    """
    tree: dict[str, Any] = {}
    path = home() / "config.toml"
    if path.exists():
        try:
            tree = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
            raise ConfigError(f"{path}: {e}") from e
    for key, value in sorted((os.environ if env is None else env).items()):
        if not key.startswith(ENV_PREFIX) or key == HOME:
            continue
        if "__" not in key:
            raise ConfigError(f"variable {key}: settings are {ENV_PREFIX}SECTION__KEY (see docs/settings.md)")
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
    """The settings from nested dicts, as a recorded dream holds them. Raises ConfigError, naming the key."""
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
    """Set a value in the tree. Raises ConfigError if a key on the way to it is not a section."""
    *parents, last = keys
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"setting {'.'.join(keys)}: {parent} is not a section")
    tree[last] = value
