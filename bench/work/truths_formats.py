"""House formats: one request after the other, each answered with the line that the house wants."""

from __future__ import annotations

import json
import re
from decimal import ROUND_HALF_UP, Decimal

from bench.work.truths import Format, house
from bench.work.truths_words import WORDS, Values

_CRATES = Format(
    ("Order {count:int} crates of {fruit} for week {week:int}.",),
    lambda v: {"count": v.number(2, 60), "fruit": v.one("fruit"), "week": v.number(1, 52)},
    lambda count, fruit, week: f"{fruit.upper()} x{count} @W{week}",
)


def _initials(name: str) -> str | None:
    """None where people would not agree on them."""
    words = name.split(" ")
    return "".join(f"{w[0].upper()}." for w in words) if all(w.isalpha() for w in words) else None


def _room(room: str, day: str, time: str, person: str) -> str | None:
    initials = _initials(person)
    return f"{day[:3].upper()} {time} {room} {initials}" if initials and len(day) > 2 else None


_ROOMS = Format(
    ("Book room {room:code} on {day:word} at {time:word} for {person}.",),
    lambda v: {
        "room": "".join(v.code(1, 2)),
        "day": v.one("days"),
        "time": v.time(),
        "person": v.person("en"),
    },
    _room,
)


def _german_invoice(number: str, firm: str, amount: str, day: str, month: str, year: str) -> str | None:
    whole, comma, cents = amount.rpartition(",")
    if not comma or "," in whole:
        return None
    return f"{firm}; {number}; {whole.replace('.', '')}.{cents}; {year}-{int(month):02d}-{int(day):02d}"


_INVOICES = Format(
    (
        "Rechnung {number:code} von {firm} über {amount:number} €, fällig am "
        "{day:int}.{month:int}.{year:int}.",
    ),
    lambda v: {
        "number": "-".join(v.code(2, 4)),
        "firm": f"{v.one('firms_de')} GmbH",
        "amount": f"{v.number(1, 29)}.{v.rng.randint(100, 999)},{v.rng.randint(10, 99)}",
        "day": v.number(1, 28),
        "month": v.number(1, 12),
        "year": v.rng.choice(("2025", "2026", "2027")),
    },
    _german_invoice,
)


def _french_date(
    first: str, last: str, day: str, month: str, year: str, hour: str, minute: str
) -> str | None:
    months = WORDS["months_fr"]
    if month.lower() not in months:
        return None
    number = months.index(month.lower()) + 1
    return f"{last.upper()} {first}, {int(day):02d}/{number:02d}/{year} {hour}:{minute}"


_RENDEZVOUS = Format(
    (
        "Rendez-vous avec {first:word} {last:word} le {day:int} {month:word} {year:int} "
        "à {hour:int}h{minute:int}.",
    ),
    lambda v: {
        "first": v.first("fr"),
        "last": v.last("fr"),
        "day": v.number(2, 28),
        "month": v.one("months_fr"),
        "year": v.rng.choice(("2026", "2027")),
        "hour": v.number(10, 19),
        "minute": v.number(10, 55, 5),
    },
    _french_date,
)

_PEDIDOS = Format(
    ("El pedido {letters:letters}{digits:int} sale hoy para {city}.",),
    lambda v: {**dict(zip(("letters", "digits"), v.code(3, 4), strict=True)), "city": v.one("cities_es")},
    lambda letters, digits, city: f"{digits}/{letters}/{city.lower()}",
)

_KAIGI = Format(
    ("会議室{room:code}を{month:int}月{day:int}日{hour:int}時に{name}さんで予約して。",),
    lambda v: {
        "room": "".join(v.code(1, 2)),
        "month": v.number(1, 12),
        "day": v.number(1, 28),
        "hour": v.number(8, 19),
        "name": v.last("ja"),
    },
    lambda room, month, day, hour, name: f"{room} {int(month):02d}/{int(day):02d} {int(hour):02d}:00 {name}",
)

_FRUIT_ZH = Format(
    ("第{week:int}周订{count:int}箱{fruit}，每箱{price:int}元。",),
    lambda v: {
        "week": v.number(1, 52),
        "count": v.number(3, 40),
        "fruit": v.one("fruit_zh"),
        "price": v.number(11, 95),
    },
    lambda week, count, fruit, price: f"W{week}：{fruit}，{count}箱，共{int(count) * int(price)}元",
)

_SCHETA = Format(
    ("Сложи по счёту {letters:letters}-{digits:int} суммы {a:int} и {b:int} руб.",),
    lambda v: {
        "letters": v.one("ав бк гм дн ек жл зт кр лс мо".split()),
        "digits": v.number(100, 999),
        "a": v.number(110, 960),
        "b": v.number(110, 960),
    },
    lambda letters, digits, a, b: f"{letters.upper()}-{digits} = {int(a) + int(b)} руб.",
)

_GHURFA = Format(
    ("احجز الغرفة {room:int} باسم {first:word} {last:word} يوم {day:word} من فضلك.",),
    lambda v: {
        "room": v.number(2, 98),
        "first": v.first("ar"),
        "last": v.last("ar"),
        "day": v.one("days_ar"),
    },
    lambda room, first, last, day: f"{last} | {int(room):03d} | {day}" if int(room) < 1000 else None,
)


def _pickup(person: str, hour: str, minute: str, half: str) -> str | None:
    if not 1 <= int(hour) <= 12 or half not in ("am", "pm") or not int(minute) < 60:
        return None
    return f"{int(hour) % 12 + (12 if half == 'pm' else 0):02d}:{minute} {person}"


_PICKUPS = Format(
    ("Pick up {person} at {hour:int}:{minute:int} {half:word}.",),
    lambda v: {
        "person": v.person("en"),
        "hour": v.number(1, 11),
        "minute": v.number(10, 55, 5),
        "half": v.one(("am", "pm")),
    },
    _pickup,
)


def _chore(chore: str, day: str) -> str | None:
    days = WORDS["days_nl"]
    return f"{days.index(day.lower()) + 1}. {chore}" if day.lower() in days else None


_CHORES = Format(
    ("Zet de taak {chore} op {day:word}.",),
    lambda v: {"chore": v.one("chores_nl"), "day": v.one("days_nl")},
    _chore,
)


def _meter(meter: str, shown: str) -> str | None:
    if not re.fullmatch(r"[0-9]+\.[0-9]+", shown) or shown.rstrip("0").endswith(".5"):
        return None  # halves are rounded in more ways than one
    return f"{int(meter)}: {Decimal(shown).quantize(Decimal(1), ROUND_HALF_UP)} kW"


def _readings(v: Values) -> dict[str, str]:
    """Some are rounded up and some down, some have more zeros to strip than others."""
    down, short = v.one(("down", "up")) == "down", v.one(("short", "long")) == "short"
    return {
        "meter": (v.number(11, 99) if short else v.number(101, 999)).zfill(5),
        "shown": f"{v.number(11, 90)}.{v.number(11, 49) if down else v.number(51, 98)}",
    }


_METERS = Format(
    ("Meter {meter:int} draws {shown:number} kW.",),
    _readings,
    _meter,
)


def _latin(name: str) -> bool:
    return name.replace(" ", "").isascii() and name.replace(" ", "").isalnum() and name == name.lower()


_SETTINGS = Format(
    ("Add a setting for the {name} with {value:int} as its default.",),
    lambda v: {"name": v.one("fields"), "value": v.number(2, 90)},
    lambda name, value: f"{'_'.join(name.split())}: int = {int(value)}" if _latin(name) else None,
)


def _getter(name: str) -> str | None:
    first, *rest = name.split()
    pascal = "".join(w.capitalize() for w in (first, *rest))
    camel = first + "".join(w.capitalize() for w in rest)
    return f"get{pascal}() {{ return this.{camel}; }}" if _latin(name) and rest else None


_GETTERS = Format(
    ("Напиши геттер для поля «{name}» в этом классе.",),
    lambda v: {"name": f"{v.one('nouns')} {v.one('parts')}"},
    _getter,
)

_CSV = Format(
    (
        "Make a table of this:\nitem,city,count\n{a:cell},{x:cell},{n:int}\n{b:cell},{y:cell},{m:int}\n"
        "(two rows)",
    ),
    lambda v: {
        "a": v.one("fruit"),
        "x": v.one("cities"),
        "n": v.number(2, 90),
        "b": v.one("fruit"),
        "y": v.one("cities"),
        "m": v.number(2, 90),
    },
    lambda a, x, n, b, y, m: (
        f"| city | item | count |\n|---|---|---|\n| {x} | {a} | {n} |\n| {y} | {b} | {m} |"
    ),
)


def _log_line(date: str, time: str, level: str, service: str, took: str) -> str:
    made = {"level": level.lower(), "service": service, "at": f"{date}T{time}", "ms": int(took)}
    return json.dumps(made, ensure_ascii=False)


_LOGS = Format(
    ("Protokoll: {date:date} {time:clock} [{level:word}] {service:code} brauchte {took:int} ms.",),
    lambda v: {
        "date": f"2026-{int(v.number(1, 12)):02d}-{int(v.number(1, 28)):02d}",
        "time": f"{v.time()}:{v.rng.randint(10, 59)}",
        "level": v.one(("INFO", "WARN", "ERROR", "DEBUG")),
        "service": v.one("lager kasse versand suche konto archiv preise bilder mahnung".split()),
        "took": v.number(12, 900),
    },
    _log_line,
)

_STOCK = Format(
    (
        "We have {count:int} boxes of {thing} left in {city}.",
        "In {city} there are still {count:int} boxes of {thing}.",
        "Note for the {city} depot, {thing} is down to {count:int} boxes.",
        "Somebody in {city} counted {thing} and found {count:int} boxes.",
        "The shelf with {thing} holds {count:int} boxes, says {city}.",
        "Regarding {thing} at {city}, {count:int} boxes remain.",
        "Only {count:int} boxes remain of {thing}, according to {city}.",
        "From {city} I hear of {count:int} boxes with {thing}.",
    ),
    lambda v: {"count": v.number(3, 95), "thing": v.one("stock"), "city": v.one("cities")},
    lambda count, thing, city: f"[{city.upper()}] {thing} = {count}",
)


FORMATS = (
    house("crates", "en", "capitals, affixes, glued numbers", _CRATES),
    house("rooms", "en", "first three letters, initials, a glued code", _ROOMS),
    house("rechnungen", "de", "decimal mark and grouping, a date reordered", _INVOICES),
    house("rendez-vous", "fr", "names swapped, a month's name as number", _RENDEZVOUS),
    house("pedidos", "es", "letters only and digits only of a code, small letters", _PEDIDOS),
    house("kaigi", "ja", "zero-padding, no spaces", _KAIGI),
    house("dinghuo", "zh", "product of two numbers, no spaces", _FRUIT_ZH),
    house("scheta", "ru", "sum of two numbers, Cyrillic capitals", _SCHETA),
    house("ghurfa", "ar", "last word, zero-padding, right to left", _GHURFA),
    house("pickups", "en", "12 to 24 hours", _PICKUPS),
    house("taken", "nl", "position of a weekday", _CHORES),
    house("meters", "en", "rounding, zeros stripped", _METERS),
    house("settings", "en", "code: snake case", _SETTINGS),
    house("getters", "ru", "code: camel case", _GETTERS),
    house("csv", "en", "a table with its columns in another order", _CSV),
    house("logs", "de", "a line becomes JSON, small letters, numbers as numbers", _LOGS),
    house("stock", "en", "worded differently each time, capitals", _STOCK),
)
