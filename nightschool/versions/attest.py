"""Attestation: proof that the weights that answer are the ones that were trained.

A night writes answers and their log-probabilities, as the student saw them, into the version. A server
compares them with what its own engine computes before the version may answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nightschool.engines.base import Engine, PromptAnswer
from nightschool.errors import VersionError
from nightschool.versions import files

TOLERANCE = 0.1  # nats, mean over tokens; bfloat16 in batches of other shapes differs by about 0.02


def write(model: Engine, version: str, pairs: Sequence[PromptAnswer], directory: Path) -> None:
    """Write the attestation of `version` into its directory: `pairs`, and the log-probability (nats) of each
    token of their answers.
    """
    logprobs = model.score(pairs, version)
    cases = [
        {"prompt": list(prompt), "tokens": list(answer), "logprobs": row}
        for (prompt, answer), row in zip(pairs, logprobs, strict=True)
    ]
    files.write_json(directory / files.ATTEST, {"tolerance": TOLERANCE, "cases": cases})


def check(model: Engine, version: str, directory: Path) -> None:
    """Compare `version`, which is loaded, with its attestation.

    Raises VersionError if the log-probabilities differ by more than the tolerance on average, or if the
    attestation is missing, empty or damaged: weights that cannot prove themselves do not answer.
    """
    try:
        data = files.read_json(directory / files.ATTEST)
        cases = data["cases"]
        pairs = [(case["prompt"], case["tokens"]) for case in cases]
        expected = [value for case in cases for value in case["logprobs"]]
        tolerance = float(data["tolerance"])
    except (ValueError, KeyError, TypeError) as e:
        raise VersionError(f"version {version}: {files.ATTEST} cannot be read ({e!r})") from e
    if not expected:
        raise VersionError(f"version {version}: {files.ATTEST} holds nothing to compare")
    logprobs = [value for row in model.score(pairs, version) for value in row]
    if len(logprobs) != len(expected):
        raise VersionError(f"version {version}: {files.ATTEST} is damaged")
    difference = sum(abs(a - b) for a, b in zip(logprobs, expected, strict=True)) / len(expected)
    if not difference <= tolerance:  # in this form, nan is refused
        raise VersionError(
            f"version {version} does not answer as it was trained to: log-probabilities differ by "
            f"{difference:.3f} nats per token (tolerance {tolerance})"
        )
