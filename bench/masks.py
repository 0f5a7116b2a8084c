"""What holding an answer to a JSON schema costs: to compile the schema, and each token's mask on one thread.

Beside it xgrammar's, if it can be imported: `pip install --no-deps xgrammar apache-tvm-ffi`.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from torch import Tensor

from bench import report
from nightschool.models import embedded
from nightschool.models.masks import Masks
from nightschool.models.vocabulary import Vocabulary
from nightschool.serve.answer import Ask, Shape
from nightschool.serve.constraints import grammar

Schema = dict[str, Any]
ROWS = (1, 8, 32)
_LINE = {
    "type": "object",
    "properties": {"item": {"type": "string"}, "count": {"type": "integer"}, "price": {"type": "number"}},
    "required": ["item", "count"],
    "additionalProperties": False,
}
_NODE = {
    "type": "object",
    "properties": {
        "label": {"type": "string"},
        "colour": {"$ref": "#/$defs/Colour"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
    },
    "required": ["label", "colour", "children"],
    "additionalProperties": False,
}
_LEAF = {"label": "left", "colour": "green", "children": []}
_TYPES = ("string", "integer", "number", "boolean")
_FIELDS = {f"field_{i}": {"type": _TYPES[i % 4]} for i in range(40)}
CASES: dict[str, tuple[Schema, Any]] = {
    "two fields": (_LINE, {"item": "paper clips", "count": 200}),
    "enums and a text of 200": (
        {
            "type": "object",
            "properties": {
                "kind": {"enum": ["bug", "feature", "question", "invoice", "complaint"]},
                "summary": {"type": "string", "maxLength": 200},
            },
            "required": ["kind", "summary"],
            "additionalProperties": False,
        },
        {"kind": "bug", "summary": "The door of the clinic is stuck since Monday and nobody can open it."},
    ),
    "nested, arrays": (
        {
            "type": "object",
            "properties": {
                "id": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
                "lines": {"type": "array", "minItems": 1, "items": _LINE},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
            "required": ["id", "lines", "note"],
            "additionalProperties": False,
        },
        {
            "id": "ABC-1234",
            "lines": [{"item": "paper clips", "count": 200, "price": 1.25}, {"item": "pens", "count": 12}],
            "note": None,
        },
    ),
    "pydantic's $defs, recursive": (
        {"$defs": {"Node": _NODE, "Colour": {"enum": ["red", "green", "blue"]}}, "$ref": "#/$defs/Node"},
        {"label": "root", "colour": "red", "children": [_LEAF, _LEAF]},
    ),
    "any object": ({"type": "object"}, {"answer": "Zoë said: yes", "numbers": [1, 2.5], "a": {"b": None}}),
    "forty fields": (
        {"type": "object", "properties": _FIELDS, "required": [*_FIELDS], "additionalProperties": False},
        {name: ["text of this field", 7, 1.5, True][i % 4] for i, name in enumerate(_FIELDS)},
    ),
}


class Library(NamedTuple):
    """`compiled` makes of a schema what `begun` makes a row's matcher of; `mask` masks a row's logits."""

    compiled: Callable[[Schema], Any]
    begun: Callable[[Any], Any]
    mask: Callable[[Any, Tensor], Any]
    advance: Callable[[Any, int], Any]


def _llguidance(tokenizer: Any, width: int) -> Library:
    """As the server uses it."""
    vocabulary = Vocabulary(tokenizer, width, [tokenizer.eos_token_id])
    masks = Masks(vocabulary)
    _ = vocabulary.constrained

    def compiled(schema: Schema) -> str:
        rules = grammar(Ask("", (), shape=Shape(schema)))
        assert rules
        masks._compiled.cache_clear()
        masks.matcher(rules)
        return rules

    return Library(compiled, masks.matcher, lambda m, row: m.mask(row), lambda m, token: m.advance(token))


def _xgrammar(tokenizer: Any, width: int) -> Library:
    import xgrammar  # type: ignore[import-not-found,unused-ignore]

    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=width)
    compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
    bits = xgrammar.allocate_token_bitmask(1, width)

    def mask(matcher: Any, row: Tensor) -> None:
        matcher.fill_next_token_bitmask(bits, 0)
        xgrammar.apply_token_bitmask_inplace(row[None], bits, backend="cpu")

    return Library(
        lambda schema: compiler.compile_json_schema(schema, any_whitespace=False),
        xgrammar.GrammarMatcher,
        mask,
        lambda matcher, token: matcher.accept_token(token),
    )


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    out = work()
    return time.perf_counter() - begin, out


def _decoded(library: Library, compiled: Any, tokens: list[int], logits_RV: Tensor) -> list[float]:
    """Microseconds of a token of a row, step by step, for rows at different places of the answer."""
    rows = len(logits_RV)
    matchers = [library.begun(compiled) for _ in range(rows)]
    coming = [tokens[: 1 + i * len(tokens) // rows] for i in range(rows)]
    for matcher, behind in zip(matchers, coming, strict=True):
        for token in behind[:-1]:
            library.advance(matcher, token)
    places, steps = [len(behind) - 1 for behind in coming], list[float]()
    for _ in range(len(tokens) // (1 if rows == 1 else 2)):
        begin = time.perf_counter()
        for row, matcher in enumerate(matchers):
            library.mask(matcher, logits_RV[row])
            library.advance(matcher, tokens[places[row]])
        steps.append(1e6 * (time.perf_counter() - begin) / rows)
        for row in range(rows):
            places[row] += 1
            if places[row] == len(tokens):
                places[row], matchers[row] = 0, library.begun(compiled)
    return steps


def main(
    out: Annotated[Path | None, typer.Option(help="Keep the result as OUT.json and OUT.md.")] = None,
) -> None:
    from transformers import AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(embedded.ensure())
    width = len(tokenizer)
    makers = {"llguidance": _llguidance}
    if importlib.util.find_spec("xgrammar"):
        makers["xgrammar"] = _xgrammar
    result = list[dict[str, Any]]()
    for name, maker in makers.items():
        seconds, library = _timed(partial(maker, tokenizer, width))
        report.say(f"{name}: tokenizer of {width} tokens read in {seconds:.2f} s")
        for case, (schema, example) in CASES.items():
            times = [_timed(partial(library.compiled, schema)) for _ in range(3)]
            row: dict[str, Any] = {"library": name, "schema": case}
            row["compile (ms)"] = 1e3 * min(seconds for seconds, _ in times)
            tokens = tokenizer.encode(json.dumps(example, ensure_ascii=False))
            for rows in ROWS:
                dtype = torch.bfloat16 if name == "llguidance" else torch.float32  # as each wants them
                steps = _decoded(library, times[-1][1], tokens, torch.zeros(rows, width, dtype=dtype))
                row[f"{rows} rows (µs)"] = statistics.median(steps)
            result.append(row)
    report.finish(
        {"masks": result}, out, {"Compile, and median microseconds a token and row": report.by_key(result)}
    )
