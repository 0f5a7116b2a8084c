"""Other words for a word: names of people and towns, forms of companies, ordinary words, from faker's lists.

The lists of a script are loaded when a word of it is first asked for. Which list a word and those seen in its
place most likely are from is told by which lists have them, and by a small model of the letters of each list;
the model invents words, too.
"""

from __future__ import annotations

import pkgutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from importlib import import_module
from importlib.util import find_spec
from itertools import accumulate, groupby, islice, product
from math import exp, log
from random import Random
from typing import Literal

from nightschool.lessons import scripts

Kind = Literal["given", "surname", "city", "form", "word", "full"]

# Where faker keeps each kind, and under which names.
_SOURCES: Mapping[Kind, tuple[str, tuple[str, ...]]] = {
    "given": ("person", ("first_names_male", "first_names_female", "first_names")),
    "surname": ("person", ("last_names", "unisex_last_names")),
    "city": ("address", ("cities", "city_names")),
    "form": ("company", ("company_suffixes",)),
    "word": ("lorem", ("word_list",)),
}
_INVENTED = 1 / 8  # so that a rule is learned and not the words
_TRIES = 100
_MOST = 2000  # words of one list: Italy's 16,559 towns are more than anybody needs
_LETTERS = 50  # letters of an alphabet, about
_PRIOR = 3.0  # how many observations a guess is worth
_MODEL = 500  # words that a list's letters are learned from
_MEMBER = 3.0  # how much more likely a list is that has the word itself (a logarithm)
_WIDE = 200  # an alphabet of more letters than this is one of syllables or meanings


class Letters:
    """Which letter follows which in the words of a list."""

    def __init__(self, words: Sequence[str], order: int) -> None:
        self._order = order
        self._follows: dict[str, Counter[str]] = defaultdict(Counter)
        for word in words:
            for context, char in self._steps(word.lower()):
                for start in range(order + 1):
                    self._follows[context[start:]][char] += 1

    def _steps(self, word: str) -> Iterator[tuple[str, str]]:
        padded = "\0" * self._order + word + "\0"
        for i in range(self._order, len(padded)):
            yield padded[i - self._order : i], padded[i]

    def likelihood(self, word: str) -> float:
        """The logarithm of how likely these letters are in this order."""
        return sum(log(self._chance(context, char)) for context, char in self._steps(word.lower()))

    def _chance(self, context: str, char: str) -> float:
        """How likely a letter is after others; where these are rare, what is known of fewer counts."""
        shorter = self._chance(context[1:], char) if context else 1 / _LETTERS
        follows = self._follows.get(context)
        return (follows[char] + _PRIOR * shorter) / (follows.total() + _PRIOR) if follows else shorter

    def invent(self, rng: Random, longest: int) -> str:
        """A word that there may not be, but could."""
        context, made = "\0" * self._order, ""
        while len(made) <= longest:
            follows = self._follows[context]
            char = rng.choices(tuple(follows), tuple(follows.values()))[0]
            if char == "\0":
                break
            context, made = (context + char)[1:], made + char
        return made


@dataclass(frozen=True, eq=False)
class WordList:
    """The words of one kind in one language, with their frequencies where these are known."""

    kind: Kind
    language: str
    words: tuple[str, ...]
    weights: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def _cumulative(self) -> tuple[float, ...]:
        return tuple(accumulate(self.weights.get(word, 1.0) for word in self.words))

    @cached_property
    def folded(self) -> frozenset[str]:
        return frozenset(word.casefold() for word in self.words)

    @cached_property
    def wide(self) -> bool:
        """Whether the letters are syllables or meanings, as in Hangul and Han: there are more of them."""
        return len(set().union(*self.words)) > _WIDE

    @cached_property
    def letters(self) -> Letters:
        return Letters(self.words[:: len(self.words) // _MODEL + 1], order=1 if self.wide else 2)

    @lru_cache(maxsize=1 << 16)  # noqa: B019 (there are as many lists as there are languages, and they stay)
    def likelihood(self, word: str) -> float:
        """The logarithm of how likely this word is in this list."""
        return self.letters.likelihood(word) + (_MEMBER if word.casefold() in self.folded else 0.0)

    def draw(self, rng: Random) -> str:
        return rng.choices(self.words, cum_weights=self._cumulative)[0]


@dataclass(frozen=True)
class _Choice:
    """The lists that words could be from, and how likely each is."""

    lists: tuple[WordList, ...]
    cumulative: tuple[float, ...]

    def draw(self, rng: Random, longest: int) -> str:
        one = rng.choices(self.lists, cum_weights=self.cumulative)[0]
        if one.kind != "form" and rng.random() < _INVENTED:
            return one.letters.invent(rng, longest)
        return one.draw(rng)


def other(word: str, rng: Random, seen: Sequence[str] = ()) -> str | None:
    """Another word of the script, case and (nearly) length of this one; `seen` are others in its place."""
    like = scripts.signature(word)
    seen = tuple(sorted({word, *(s for s in seen if scripts.signature(s) == like)}))
    choice = _choice(like, seen)
    if choice is None:
        return None
    shortest, longest = _lengths(seen)
    style, plain = _style(word), all(s.isascii() for s in seen)
    for _ in range(_TRIES):
        made = style(choice.draw(rng, longest))
        fits = shortest <= len(made) <= longest and (made.isascii() or not plain)
        if fits and made.casefold() != word.casefold() and scripts.signature(made) == like:
            return made
    return None


def known(word: str) -> bool:
    """Whether some list has this word, written in just this way."""
    return word in _written(scripts.signature(word))


def one_by_one(word: str) -> bool:
    """Whether the letters of this word's script mean something each, as in Han and Hangul."""
    return any(one.wide for one in _vocabulary(scripts.signature(word)))


def _lengths(seen: Sequence[str]) -> tuple[int, int]:
    """How short and how long: what takes the first three letters must find three."""
    lengths = [len(word) for word in seen]
    return min(4, *lengths), max(lengths) * 2 if max(lengths) > 1 else 1


def _style(word: str) -> Callable[[str], str]:
    """What writes another word in the case of this one."""
    if word.isupper() and len(word) > 1:
        return str.upper
    if word.islower():
        return str.lower
    if word[:1].isupper():
        return lambda made: made[:1].upper() + made[1:]
    return lambda made: made


@lru_cache(maxsize=1024)
def _choice(like: tuple[str, ...], seen: tuple[str, ...]) -> _Choice | None:
    vocabulary = _vocabulary(like)
    kinds = _kinds(vocabulary, seen)
    lists: list[WordList] = []
    weights: list[float] = []
    for kind, weight in kinds.items():
        of_kind = [one for one in vocabulary if one.kind == kind and weight]
        lists += of_kind
        weights += (weight * share for share in _shares([sum(map(one.likelihood, seen)) for one in of_kind]))
    return _Choice(tuple(lists), tuple(accumulate(weights))) if lists else None


def _kinds(vocabulary: Sequence[WordList], seen: Sequence[str]) -> Mapping[Kind, float]:
    """How likely the words are to be of each kind, by the lists that have them and by their case: names are
    capitalised where there are capitals."""
    found = {kind: _found([one for one in vocabulary if one.kind == kind], seen) for kind in _SOURCES}
    if found["form"] > 1 / 2:
        return {"form": 1.0}
    lower, upper = any(map(str.islower, seen)), all(map(str.isupper, seen))
    weights: dict[Kind, float] = {"full": 0.5, "word": 1.0 if lower else 0.5 if upper else 0.2}
    weights |= dict.fromkeys(("given", "surname", "city"), 0.0 if lower else 0.1)
    return {kind: weight + 2 * found.get(kind, 0.0) ** 2 for kind, weight in weights.items()}


def _found(lists: Sequence[WordList], words: Sequence[str]) -> float:
    """The share of words that some list has."""
    return sum(any(word.casefold() in one.folded for one in lists) for word in words) / len(words)


def _shares(scores: Sequence[float]) -> Sequence[float]:
    """Likelihoods as shares of one. A quarter is for all alike: no list is sure to be the right one."""
    chances = [exp(score - max(scores)) for score in scores]
    return [3 / 4 * chance / sum(chances) + 1 / 4 / len(chances) for chance in chances]


@lru_cache(maxsize=256)
def _vocabulary(like: tuple[str, ...]) -> tuple[WordList, ...]:
    """All lists of words of one signature."""
    lists = [kept for one in _lists(like) if (kept := _only(one, like)).words]
    if any(one.wide for one in lists):
        lists += _full_names(lists)
    return tuple(lists)


@lru_cache(maxsize=256)
def _written(like: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word for one in _vocabulary(like) for word in one.words)


def _only(one: WordList, like: tuple[str, ...]) -> WordList:
    """The single words of a list that have this signature."""
    kept = tuple(word for word in one.words if scripts.is_word(word) and scripts.signature(word) == like)
    return WordList(one.kind, one.language, kept, one.weights)


def _full_names(lists: Sequence[WordList]) -> list[WordList]:
    """Surname and given name in one, as they are written without spaces."""
    made = []
    for family, given in product(lists, lists):
        if (family.kind, given.kind) == ("surname", "given") and family.language == given.language:
            pairs = islice(product(given.words, family.words), 0, None, 1 + len(given.words) // 20)
            made.append(WordList("full", family.language, tuple(f"{last}{first}" for first, last in pairs)))
    return made


def _lists(like: tuple[str, ...]) -> tuple[WordList, ...]:
    """All lists of the languages that are written in these scripts."""
    names = frozenset(like)
    spoken = [language for language in _locales() if names <= _scripts_of(scripts.code(language))]
    lists = [one for language in spoken for one in _of(language)]
    if not any(one.kind == "word" for one in lists):
        lists += _from_cldr(like)
    return tuple(lists)


def _from_cldr(like: tuple[str, ...]) -> Iterator[WordList]:
    """What languages and countries are called in a script's languages, where faker has no ordinary words."""
    for language in scripts.languages(like):
        data = scripts.cldr(language)
        called = [*data.get("languages", {}).values(), *data.get("territories", {}).values()]
        yield WordList("word", language, tuple(name for name in called if isinstance(name, str)))


@cache
def _locales() -> Mapping[str, tuple[str, ...]]:
    """The locales that faker has anything for, by language."""
    packages = [import_module(f"faker.providers.{package}") for package, _ in _SOURCES.values()]
    names = sorted({found.name for package in packages for found in pkgutil.iter_modules(package.__path__)})
    return {language: tuple(group) for language, group in groupby(names, lambda name: name.split("_")[0])}


@cache
def _scripts_of(code: str) -> frozenset[str]:
    """The scripts behind a code, as the lists of the first language with that code show."""
    language = next(language for language in _locales() if scripts.code(language) == code)
    return scripts.scripts(word for one in _of(language) for word in one.words[:200])


@cache
def _of(language: str) -> tuple[WordList, ...]:
    """The lists of one language; its locales have equal shares."""
    lists = []
    for kind in _SOURCES:
        weights: dict[str, float] = defaultdict(float)
        for locale in _locales()[language]:
            for word, weight in _read(kind, locale).items():
                weights[word] += weight
        words = tuple(sorted(weights))[:: len(weights) // _MOST + 1]  # some of faker's lists were sets
        lists.append(WordList(kind, language, words, weights))
    return tuple(one for one in lists if one.words)


def _read(kind: Kind, locale: str) -> Mapping[str, float]:
    """The words of one kind in one locale, with their shares."""
    package, attributes = _SOURCES[kind]
    base = import_module(f"faker.providers.{package}")
    if not find_spec(f"faker.providers.{package}.{locale}"):
        return {}
    provider = import_module(f"faker.providers.{package}.{locale}").Provider
    weights: dict[str, float] = {}
    for attribute in attributes:
        found = getattr(provider, attribute, ())
        # What all locales inherit is English.
        own = found is not getattr(base.Provider, attribute, None) or locale == "en_US"
        if own and isinstance(found, list | tuple | dict):
            weights.update(found if isinstance(found, dict) else dict.fromkeys(found, 1.0))
    weights = {word: weight for word, weight in weights.items() if isinstance(word, str)}
    total = sum(weights.values())
    return {word: weight / total for word, weight in weights.items()}
