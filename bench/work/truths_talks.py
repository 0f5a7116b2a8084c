"""Facts, labels, corrections, follow-ups and tool flows: not every turn is a request by itself."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from bench.work.cases import CaseSpec
from bench.work.truths import (
    NOBODY_KNOWS,
    Format,
    Kind,
    Recorded,
    Script,
    call,
    called,
    fill,
    last_user,
    read,
    says,
    schema,
    spec,
    users,
)
from bench.work.truths_words import WORDS, Values
from nightschool.types import Message, Tools

# Facts: what only the session says.


@dataclass(frozen=True)
class Facts:
    """Questions about things ({0}), each with its own answer ({1}); the `other` ways to ask are never in a
    session."""

    questions: tuple[str, ...]
    other: tuple[str, ...]
    answer: str
    things: Callable[[Values], str]
    said: Callable[[Values], str]
    openers: tuple[str, ...] = ("",)  # before the other ways to ask
    told: str = ""  # how it is told, where it is told before it is asked
    heard: str = ""

    def record(self, rng: random.Random, exchanges: int) -> Recorded:
        values = Values(rng)
        known = {self.things(values): self.said(values) for _ in range(exchanges)}
        script = Script(tuple(known.values()))
        if self.told:
            for thing, said in known.items():
                script.ask(self.told.format(thing, said), self.heard, "tells")
        questions, asked = cycle(self.questions), list(known.items())
        for thing, said in asked[: max(1, len(asked) // 2)] if self.told else asked:
            script.ask(next(questions).format(thing, said), self.answer.format(thing, said))
        return script.recorded(lambda messages: self._truth(known, last_user(messages)), self._fresh(known))

    def _truth(self, known: Mapping[str, str], text: str) -> str | None:
        """The fact that a question names; one of the session's form about anything else has no answer."""
        about = [thing for thing in known if thing.casefold() in text.casefold()]
        telling = self.told.replace("{0}", "{thing}").replace("{1}", "{said}")
        if self.told and (read(telling, text) or any(known[thing] in text for thing in about)):
            return self.heard
        if len(about) == 1:
            return known[about[0]]
        forms = [form.replace("{0}", "{thing}") for form in (*self.questions, *self.other)]
        return NOBODY_KNOWS if not about and any(read(form, text) for form in forms) else None

    def _fresh(self, known: Mapping[str, str]) -> Callable[[random.Random], CaseSpec]:
        def fresh(rng: random.Random) -> CaseSpec:
            wording = rng.choice(self.openers) + rng.choice(self.other)
            thing, said = rng.choice(list(known.items()))
            answer = self.answer.format(thing, said)
            return says(wording.format(thing), answer, said, list(known.values()), wording)

        return fresh


_OPENERS = ("", "Hello. ", "Quick question. ", "Sorry to bother you. ")
_TOLD = Facts(
    ("Who is our {0}?", "What is the name of our {0}?"),
    (
        "Tell me who our {0} is.",
        "I forgot who our {0} is.",
        "Which person is our {0}?",
        "Name our {0}, please.",
        "Remind me: who is the {0} here?",
        "How is our {0} called?",
        "Do you know our {0}?",
        "Could you give me the name of our {0}?",
        "Whom do I ask for as the {0}?",
    ),
    "Our {0} is {1}.",
    lambda v: v.one("lawyer plumber dentist gardener printer notary baker florist broker tailor".split()),
    lambda v: v.person("en"),
    _OPENERS,
    told="Our {0} is {1}.",
    heard="Thank you.",
)
_ASKED = Facts(
    (
        "Who leads {0}?",
        "Sorry, one more: who leads {0}?",
        "Thanks. And who leads {0}?",
        "Okay, who leads {0}?",
    ),
    (
        "Tell me who leads {0}.",
        "Which person is in charge of {0}?",
        "I need the head of {0}.",
        "Who is the leader of {0}?",
        "Whom do I write to about {0}?",
        "Name the person who leads {0}.",
        "Do you know who runs {0}?",
        "{0}: who leads it?",
        "Who is responsible for {0}?",
    ),
    "{0} is led by {1}.",
    lambda v: v.one("cities"),
    lambda v: v.person("en"),
    _OPENERS,
)

# Labels: learned by repetition, or by what a sentence is about.

_TOPICS = {
    "Q-NETZ": "Das WLAN ist langsam|Der Router startet neu|Kein Internet im Keller|Das VPN bricht ab|"
    "Das Netz fällt aus|Der Server antwortet nicht|Die Webseite lädt nicht|Die Leitung ist gestört|"
    "Das Modem blinkt rot",
    "Q-GELD": "Mein Gehalt fehlt|Die Spesen sind falsch|Der Bonus kam nicht an|Die Rechnung ist offen|"
    "Der Lohn ist zu niedrig|Die Steuer stimmt nicht|Der Vorschuss fehlt|Das Fahrgeld kam zu spät|"
    "Die Überweisung ging schief",
    "Q-TÜR": "Die Tür klemmt|Mein Ausweis öffnet nicht|Das Schloss ist kaputt|Der Schlüssel ist weg|"
    "Das Tor bleibt zu|Die Schranke geht nicht auf|Der Türcode ist falsch|Die Klingel ist stumm|"
    "Die Klinke ist locker",
}


def tickets(rng: random.Random, exchanges: int) -> Recorded:
    """A sentence about one of three topics gets the topic's label."""
    form, values, script = "Ticket {number:int}: {text}.", Values(rng), Script()
    topics = {label: texts.split("|") for label, texts in _TOPICS.items()}
    known: dict[str, str] = {}
    for label in islice(cycle(rng.sample(list(topics), 3)), exchanges):
        text = values.one(topics[label])
        known[text] = label
        script.ask(fill(form, {"number": values.number(1000, 9999), "text": text}), label)

    def truth(messages: Sequence[Message]) -> str | None:
        text = last_user(messages)
        found = {label for sentence, label in known.items() if sentence.casefold() in text.casefold()}
        if len(found) == 1:
            return found.pop()
        return NOBODY_KNOWS if not found and read(form, text) else None

    def fresh(rng: random.Random) -> CaseSpec:
        label = rng.choice(list(topics))
        text = rng.choice([text for text in topics[label] if text not in known])
        request = fill(form, {"number": str(rng.randint(1000, 9999)), "text": text})
        return spec([Message("user", request)], label, text)

    return script.recorded(truth, fresh)


def repeated(request: str, line: str, keys: Sequence[str], labels: Sequence[str]) -> Callable[..., Recorded]:
    """Each key ({key}) always has its label ({label}), seen twice; a number ({number}) varies freely."""

    def record(rng: random.Random, exchanges: int) -> Recorded:
        values, script = Values(rng), Script()
        table = {values.one(keys): values.one(labels) for _ in range((exchanges + 1) // 2)}

        def answer(key: str, number: str) -> str:
            return line.format(key=key, number=number, label=table[key]) if key in table else NOBODY_KNOWS

        def fields(v: Values) -> dict[str, str]:
            return {"key": v.rng.choice(list(table)), "number": v.number(1000, 9999)}

        format = Format((request,), fields, answer)
        for key in islice(cycle(table), exchanges):
            drawn = {"key": key, "number": values.number(1000, 9999)}
            script.ask(fill(request, drawn), answer(**drawn))
        return script.recorded(lambda m: format.truth(last_user(m), script.roles), format.fresh)

    return record


# Corrections of five kinds.


def told_value(
    question: str,
    other: Sequence[str],
    openers: Sequence[str],
    answer: str,
    mends: Sequence[str],
    person: Callable[[Values], str],
) -> Callable[..., Recorded]:
    """Every other answer is wrong; the user tells the right value ({value}) and gets it. The `other` ways to
    ask are never in a session."""

    def record(rng: random.Random, exchanges: int) -> Recorded:
        values = Values(rng)
        known = {person(values): values.number(2000, 9899) for _ in range(exchanges)}
        script, wording = Script(tuple(known.values())), cycle(mends)
        for i, (who, value) in enumerate(known.items()):
            about = {"person": who, "value": value}
            asked, right = fill(question, about), fill(answer, about)
            if i % 2:
                script.ask(asked, right)
            else:
                script.ask(asked, fill(answer, {**about, "value": values.number(2000, 9899)}))
                script.ask(fill(next(wording), about), right, "mends")

        def truth(messages: Sequence[Message]) -> str | None:
            said = users(messages)
            if not last_user(messages):
                return None
            found = [asked for form in (question, *other) if (asked := read(form, said[-1]))]
            if found:
                return known.get(found[0]["person"], NOBODY_KNOWS)
            mended = [m for mend in mends if (m := read(mend, said[-1]))]
            asked = read(question, said[-2]) if len(said) > 1 else None
            if not mended:
                return None
            return mended[0]["value"] if asked else NOBODY_KNOWS

        def fresh(rng: random.Random) -> CaseSpec:
            who, value = rng.choice(list(known.items()))
            wording = rng.choice(openers) + rng.choice(other)
            asked, right = fill(wording, {"person": who}), fill(answer, {"person": who, "value": value})
            return says(asked, right, value, list(known.values()), wording)

        return script.recorded(truth, fresh)

    return record


@dataclass(frozen=True)
class Mended:
    """A house format that the model gets wrong at first, and how the user mends that.

    `how`: the user "demands" the line in a turn of their own (`words`, with {line}), has "edited" the answer,
    asks "again" in the same words, or has "rejected" the answer with a comment (`words`).
    """

    format: Format
    wrong: str
    how: str
    words: tuple[str, ...] = ()

    def record(self, rng: random.Random, exchanges: int) -> Recorded:
        script, values, words = Script(), Values(rng), cycle(self.words or ("",))
        for i in range(exchanges):
            request, line = self.format.case(values, i)
            if i >= (exchanges + 1) // 2:
                script.ask(request, line)
                continue
            script.ask(request, self.wrong)
            said = fill(next(words), {"line": line})
            if self.how == "demands":
                script.ask(said, line, "mends")
            elif self.how == "edited":
                script.signal("edited", line)
            elif self.how == "again":
                script.ask(request, line)
            else:
                script.signal("rejected", comment=said)
        return script.recorded(lambda messages: self._truth(messages, script.roles), self.format.fresh)

    def _truth(self, messages: Sequence[Message], recorded: Iterable[str]) -> str | None:
        """The line of the last request; where the user demanded another line than that, nobody can tell."""
        said = users(messages)
        if not last_user(messages):
            return None
        if (line := self.format.truth(said[-1], recorded)) is not None:
            return line
        demanded = [line for words in self.words if (line := _demanded(words, said[-1]))]
        if len(said) < 2:
            return demanded[0] if demanded else None
        before = self.format.truth(said[-2])
        return before if before in demanded else None


def _demanded(words: str, text: str) -> str | None:
    """The line that a user asks for. Words of somebody else may stand before the user's, but not behind."""
    _, asked, line = text.partition(words.split("{")[0])
    return line if asked and line and line[-1] not in ".?!" else None


_COMMANDE = Format(
    ("Commande {count:int} caisses de {fruit} pour la semaine {week:int}.",),
    lambda v: {"count": v.number(2, 60), "fruit": v.one("fruit_fr"), "week": v.number(1, 52)},
    lambda count, fruit, week: f"{fruit.upper()} x{count} @S{week}",
)
_MESA = Format(
    ("Reserva la mesa {table:int} para {first:word} {last:word} a las {time:word}.",),
    lambda v: {
        "table": v.number(2, 98),
        "first": v.first("es"),
        "last": v.last("es"),
        "time": v.time(12, 22),
    },
    lambda table, first, last, time: f"M{int(table):02d} · {last.upper()} · {time.replace(':', '.')}",
)
_LIEFERUNG = Format(
    ("Liefere {count:int} Kisten {fruit} nach {city} aus.",),
    lambda v: {"count": v.number(3, 70), "fruit": v.one("fruit_de"), "city": v.one("cities_de")},
    lambda count, fruit, city: f"{fruit.upper()}/{count}/{city.lower()}",
)
_VISIT = Format(
    ("Log a visit of {first:word} {last:word} to {city}.",),
    lambda v: {"first": v.first("en"), "last": v.last("en"), "city": v.one("cities")},
    lambda first, last, city: f"{city.upper()}: {last}, {first}",
)


# Follow-ups: turns that need what was said before.


def followed(
    format: Format,
    follow: Mapping[str, Callable[..., str | None]],
    fields: Callable[[Values], dict[str, str]],
) -> Callable[..., Recorded]:
    """Every request is followed by another turn, one of `follow`: its answer is worked out from the fields of
    the request and its own (those of `fields`)."""

    def answer(first: Format, before: str, text: str) -> str | None:
        asked = [found for request in first.requests if (found := read(request, before))]
        answers = {
            make(**asked[0], **own)
            for form, make in follow.items()
            if asked and (own := read(form, text)) is not None
        }
        return answers.pop() if len(answers) == 1 else None

    def truth(messages: Sequence[Message], recorded: Iterable[str]) -> str | None:
        text, said = last_user(messages), users(messages)
        if (line := format.truth(text, recorded)) is not None:
            return line
        if all(read(form, text) is None for form in follow):
            return None
        return answer(format, said[-2], text) if len(said) > 1 else NOBODY_KNOWS

    def exchange(values: Values, form: str) -> tuple[str, str, str, str]:
        request, line = format.case(values)
        text = fill(form, fields(values))
        after = answer(format, request, text)
        assert after is not None
        return request, line, text, after

    def record(rng: random.Random, exchanges: int) -> Recorded:
        script, values, forms = Script(), Values(rng), cycle(follow)
        for _ in range(exchanges):
            request, line, text, after = exchange(values, next(forms))
            script.ask(request, line)
            script.ask(text, after, "follows")
        alone = [turn for turn, role in script.roles.items() if role == "alone"]
        return script.recorded(lambda messages: truth(messages, alone), fresh)

    def fresh(rng: random.Random) -> CaseSpec:
        request, line, text, after = exchange(Values(rng), rng.choice(list(follow)))
        if rng.random() < 0.5:
            return spec([Message("user", request)], line)
        return spec([Message("user", request), Message("assistant", line), Message("user", text)], after)

    return record


_PESO = Format(
    ("Apunta el paquete {number:int}, que pesa {kilos:int} kg.",),
    lambda v: {"number": v.number(11, 98), "kilos": v.number(2, 40)},
    lambda number, kilos: f"P{number} = {kilos} kg",
)
_TRAIN = Format(
    ("Zug von {a:word} nach {b:word} am {day:word}.",),
    lambda v: {"a": v.one("cities_de"), "b": v.one("cities_de"), "day": v.one("days_de")},
    lambda a, b, day: f"{day[:2].upper()} {a}>{b}",
)


# Tool flows: each step is a call or the last word, worked out from the request and the results so far.

Step = Callable[[Mapping[str, str], Sequence[Any]], str | None]


@dataclass(frozen=True)
class Flow:
    """`results` draws what each call of the flow returns, from the request's fields."""

    request: str
    values: Callable[[Values], dict[str, str]]
    steps: tuple[Step, ...]
    results: Callable[[Values, Mapping[str, str]], list[Any]]
    tools: Tools

    def turns(self, values: Values) -> list[Message]:
        asked = self.values(values)
        results = self.results(values, asked)
        turns = [Message("user", fill(self.request, asked))]
        for i, step in enumerate(self.steps):
            said = step(asked, results[:i])
            assert said is not None, asked
            turns.append(called(said, f"call-{i}"))
            if i < len(results):
                result = json.dumps(results[i], ensure_ascii=False)
                turns.append(Message("tool", result, tool_call_id=f"call-{i}"))
        return turns

    def record(self, rng: random.Random, exchanges: int) -> Recorded:
        script, values = Script(), Values(rng)
        for _ in range(exchanges):
            turns = self.turns(values)
            script.messages += turns
            script.roles[turns[0].content] = "alone"
        return script.recorded(self.truth, self.fresh, self.tools)

    def truth(self, messages: Sequence[Message]) -> str | None:
        """The next step. None where the flow until here is not one that the session's house would go."""
        start = max((i for i, m in enumerate(messages) if m.role == "user"), default=0)
        asked = read(self.request, messages[start].content) if messages else None
        after = messages[start + 1 :]
        if asked is None or messages[-1].role == "assistant":
            return None
        try:
            results = [json.loads(m.content) for m in after if m.role == "tool"]
            right = [self.steps[i](asked, results[:i]) for i in range(len(results) + 1)]
        except (ValueError, LookupError, TypeError, AttributeError):
            return None
        if any(_shape(a) != _shape(b) for a, b in zip(results, self._sample(), strict=False)):
            return NOBODY_KNOWS  # such a result never comes back
        made = [m for m in after if m.role == "assistant"]
        same = len(made) == len(results) and all(
            step is not None and _calls(turn) == _calls(called(step))
            for step, turn in zip(right, made, strict=False)
        )
        return right[-1] if same else None

    def _sample(self) -> list[Any]:
        values = Values(random.Random(0))
        return self.results(values, self.values(values))

    def fresh(self, rng: random.Random) -> CaseSpec:
        turns = self.turns(Values(rng))
        step = rng.randrange(len(self.steps))
        answers = [i for i, m in enumerate(turns) if m.role == "assistant"]
        answer = self.truth(turns[: answers[step]])
        assert answer is not None
        return spec(turns[: answers[step]], answer)


def _calls(message: Message) -> list[Any]:
    return [(c.name, json.loads(c.arguments)) for c in message.tool_calls]


def _shape(result: Any) -> Any:
    """The keys and types of a JSON value."""
    if isinstance(result, dict):
        return {key: _shape(value) for key, value in result.items()}
    return [_shape(value) for value in result] if isinstance(result, list) else type(result)


_CLOSE = Flow(
    "Please close the ticket of {person}.",
    lambda v: {"person": v.person("en")},
    (
        lambda asked, _: call("find_ticket", owner=asked["person"]),
        lambda asked, found: call("close_ticket", ticket_id=found[0]["id"], note="desk-17"),
        lambda asked, found: f"Ticket {found[0]['id']} of {asked['person']} is closed.",
    ),
    lambda v, asked: [
        {
            "id": int(v.number(1000, 9999)),
            "owner": asked["person"],
            "status": "open",
            "priority": v.rng.randint(1, 5),
        },
        {"ok": True},
    ],
    (schema("find_ticket", "owner"), schema("close_ticket", "ticket_id:integer", "note")),
)
_CALENDAR = Flow(
    "Trag {title} am {day:int}.{month:int}.{year:int} um {hour:int}:{minute:int} Uhr ein.",
    lambda v: {
        "title": v.one("events_de"),
        "day": v.number(1, 28),
        "month": v.number(1, 12),
        "year": v.rng.choice(("2026", "2027")),
        "hour": v.number(7, 19),
        "minute": v.number(10, 55, 5),
    },
    (
        lambda a, _: call(
            "add_event",
            title=a["title"],
            date=f"{a['year']}-{int(a['month']):02d}-{int(a['day']):02d}",
            time=f"{int(a['hour']):02d}:{a['minute']}",
        ),
        lambda a, found: f"Eingetragen: {a['title']} ({found[0]['event']['id']})",
    ),
    lambda v, asked: [{"event": {"id": f"EV-{v.number(1000, 9999)}", "guests": []}, "created": True}],
    (schema("add_event", "title", "date", "time"),),
)
_STOCK = Flow(
    "查一下{item}的库存，要{count:int}箱。",
    lambda v: {"item": v.one("fruit_zh"), "count": v.number(3, 40)},
    (
        lambda a, _: call("get_stock", item=a["item"], count=int(a["count"])),
        lambda a, found: f"{a['item']}：{a['count']}箱，共{int(a['count']) * found[0]['price']}元",
    ),
    lambda v, asked: [
        {"item": asked["item"], "stock": v.rng.randint(50, 400), "price": int(v.number(11, 95))}
    ],
    (schema("get_stock", "item", "count:integer"),),
)


def mends(name: str, language: str, shows: str, mended: Mended) -> Kind:
    return Kind(name, language, f"correction: {shows}", mended.record)


TALKS = (
    Kind("told", "en", "facts told, some asked later", _TOLD.record, pattern=False),
    Kind(
        "asked", "en", "facts asked, with openers that sound like corrections", _ASKED.record, pattern=False
    ),
    Kind("labels", "de", "classification of sentences", tickets, pattern=False),
    Kind(
        "zones",
        "en",
        "labels by repetition",
        repeated(
            "Parcel {number:int} goes to {key} today.",
            "ZONE-{label} | {number}",
            WORDS["countries"],
            "A B C D E F G".split(),
        ),
    ),
    Kind(
        "naisen",
        "ja",
        "correction: the user tells the right value",
        told_value(
            "内線番号を教えて、{person}さんの。",
            (
                "教えてください、{person}さんの内線は何番？",
                "すみません、{person}さんの内線番号は？",
                "電話したいのですが、{person}さんの内線は？",
                "内線は何番ですか、{person}さんは。",
                "至急、{person}さんの内線をお願い。",
                "あの、{person}さんに電話する番号は？",
                "社内の{person}さんの番号を知りたい。",
                "ええと、{person}さんは何番でしたか。",
                "もう一度、{person}さんの内線は？",
            ),
            ("", "こんにちは。", "お世話になります。", "失礼します。"),
            "{person}さんの内線は{value:int}です。",
            ("違います。{value:int}です。", "いいえ、{value:int}ですよ。", "正しくは{value:int}です。"),
            lambda v: v.last("ja"),
        ),
        pattern=False,
    ),
    mends(
        "commandes",
        "fr",
        "the user demands a format",
        Mended(
            _COMMANDE,
            "Bien sûr, c'est commandé.",
            "demands",
            ("Non, réponds seulement avec la ligne : {line}", "Pas comme ça. Uniquement ceci : {line}"),
        ),
    ),
    mends("mesas", "es", "edited answers", Mended(_MESA, "¡Claro! He reservado la mesa.", "edited")),
    mends(
        "lieferungen",
        "de",
        "answers regenerated",
        Mended(_LIEFERUNG, "Gerne, ich kümmere mich darum.", "again"),
    ),
    mends(
        "visits",
        "en",
        "answers rejected with a comment",
        Mended(_VISIT, "Sure, I have logged the visit.", "rejected", ("This is the line I want: {line}",)),
    ),
    Kind(
        "paquetes",
        "es",
        "follow-ups, times a constant",
        followed(
            _PESO,
            {
                "¿Y en gramos?": lambda number, kilos: f"P{number} = {int(kilos) * 1000} g",
                "¿Cuánto es eso en gramos?": lambda number, kilos: f"P{number} = {int(kilos) * 1000} g",
            },
            lambda v: {},
        ),
    ),
    Kind(
        "zuege",
        "de",
        "follow-ups with a new value, first two letters",
        followed(
            _TRAIN,
            {"Und am {other:word}?": lambda a, b, day, other: f"{other[:2].upper()} {a}>{b}"},
            lambda v: {"other": v.one("days_de")},
        ),
    ),
    Kind("close-ticket", "en", "tool flow: find, act, say", _CLOSE.record),
    Kind("kalender", "de", "tool flow: a date and a time reordered, an id from a result", _CALENDAR.record),
    Kind("kucun", "zh", "tool flow: a number of the request times one of the result", _STOCK.record),
)
