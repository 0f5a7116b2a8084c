"""Kinds kept aside: to measure with. Never develop against them, and do not look at what is wrong in them."""

from __future__ import annotations

import datetime

from bench.work.truths import Format, Kind, call, house, schema
from bench.work.truths_talks import Facts, Flow, Mended, followed, mends, repeated, told_value
from bench.work.truths_words import Values

_TELEFONI = Format(
    ("Chiama {name:word} al {a:int} {b:int} {c:int} prima di sera.",),
    lambda v: {
        "name": v.first("it"),
        "a": v.one("units_it"),
        "b": v.number(201, 989),
        "c": v.number(2011, 9899),
    },
    lambda name, a, b, c: f"+39-{a}-{b}-{c} {name}",
)


def _title(first: str, last: str, city: str) -> str | None:
    words = (first, last, city)
    if not all(w.isalpha() and w == w.lower() for w in words):
        return None
    return f"{first.capitalize()} {last.capitalize()} ({city.upper()})"


_CLIENTES = Format(
    ("novo cliente {first:word} {last:word}, cidade {city:word}, por favor",),
    lambda v: {
        "first": v.first("pt"),
        "last": v.last("pt"),
        "city": v.one("porto braga faro évora viseu leiria tomar lagos beja sines chaves elvas".split()),
    },
    _title,
)
_KAPITEL = Format(
    ("Jag har läst kapitel {number:int} av {book} nu.",),
    lambda v: {"number": v.number(2, 60), "book": v.one("things_sv")},
    lambda number, book: f"{book}: nästa kapitel {int(number) + 1}",
)


def _grouped(name: str, amount: str) -> str | None:
    number = int(amount)
    return f"{name} → ₹{number:,}" if amount == str(number) and 1000 <= number < 100_000 else None


_RUPEES = Format(
    ("रसीद बनाओ, {name} ने {amount:int} रुपये दिए।",),
    lambda v: {
        "name": v.one("आशा विजय मीरा रोहन कविता अमित नेहा सुनील प्रिया दीपक गीता मोहन".split()),
        "amount": v.number(1200, 9800, 7)
        if v.one(("four", "five")) == "four"
        else v.number(12000, 98000, 77),
    },
    _grouped,
)
_PRYIOM = Format(
    (
        "Запиши на прийом {first:word} {last:word} {day:int}.{month:int}.{year:int} "
        "о {hour:int}:{minute:int}.",
    ),
    lambda v: {
        "first": v.first("uk"),
        "last": v.last("uk"),
        "day": v.number(1, 28),
        "month": v.number(1, 12),
        "year": v.rng.choice(("2026", "2027")),
        "hour": v.number(7, 19),
        "minute": v.number(10, 55, 5),
    },
    lambda first, last, day, month, year, hour, minute: (
        f"{last} {first[0]}., {year}-{int(month):02d}-{int(day):02d} {int(hour):02d}:{minute}"
        if first.isalpha() and last.isalpha()
        else None
    ),
)
_YEYAK = Format(
    ("회의실 {room:letters}을 {month:int}월 {day:int}일에 {name}님 이름으로 예약해 줘.",),
    lambda v: {
        "room": v.one("A B C D E F G H J K M N".split()),
        "month": v.number(1, 12),
        "day": v.number(1, 28),
        "name": v.last("ko"),
    },
    lambda room, month, day, name: f"{int(month):02d}{int(day):02d}-{room} {name}",
)
_HAARAT = Format(
    ("Tee haara tehtävälle {number:int} ({text}) tänään.",),
    lambda v: {"number": v.number(102, 986), "text": v.one("tasks_fi")},
    lambda number, text: (
        f"feature/{number}-{'-'.join(text.split())}"
        if text.replace(" ", "").isalpha() and text == text.lower()
        else None
    ),
)


def _standup(team: str, year: str, month: str, day: str) -> str | None:
    try:
        date = datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None
    return f"{_DAYS[date.weekday()]} {date.day} {_MONTHS[date.month - 1]}, {team}"


_DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_STANDUPS = Format(
    ("Standup of team {team:word} on {year:int}-{month:int}-{day:int} please.",),
    lambda v: {
        "team": v.one("fruit"),
        "year": v.rng.choice(("2025", "2026", "2027")),
        "month": f"{int(v.number(1, 12)):02d}",
        "day": f"{int(v.number(1, 28)):02d}",
    },
    _standup,
)


def _spotreba(v: Values) -> dict[str, str]:
    before = int(v.number(110, 890))
    return {"meter": "".join(v.code(1, 2)), "a": str(before), "b": str(before + v.rng.randint(12, 480))}


_SPOTREBA = Format(
    ("Elektroměr {meter:code} měl {a:int} a teď má {b:int} kWh.",),
    _spotreba,
    lambda meter, a, b: f"{meter}: {int(b) - int(a)} kWh" if int(b) > int(a) else None,
)
_DOSTAWA = Format(
    ("Zapisz dostawę dla {firm:word}, {count:int} sztuk po {price:int} zł.",),
    lambda v: {
        "firm": v.one(
            "Wisła Jodła Sokół Lipowa Granit Polana Bursztyn Kormoran Zorza Dębina Iskra Warta".split()
        ),
        "count": v.number(3, 90),
        "price": v.number(11, 98),
    },
    lambda firm, count, price: f"{firm[:3].upper()};{count};{price},00",
)
_SORULAR = Facts(
    ("{0} ofisinin kod adı ne?", "Peki {0} ofisinin kod adı ne?"),
    (
        "{0} ofisinin kod adını söyle.",
        "{0} ofisine ne diyoruz?",
        "{0} ofisi hangi kod adını taşıyor?",
        "Kod adı lazım: {0} ofisi.",
        "{0} ofisinin kod adını unuttum.",
        "{0} için kod adı nedir?",
        "Hangi kod adı {0} ofisinin?",
        "{0} ofisi kod adıyla nasıl anılıyor?",
    ),
    "{0} ofisinin kod adı {1}.",
    lambda v: v.one("Ankara Bursa Konya Adana Sivas Rize Mardin Edirne Muğla Samsun".split()),
    lambda v: v.one("ŞAHİN KARTAL TURNA LEYLEK MARTI BAYKUŞ KUĞU SERÇE ATMACA DOĞAN".split()),
    ("", "Merhaba. ", "Selam, ", "İyi günler. "),
)
_TRANSFER = Flow(
    "Kirim Rp{amount:number} ke {person} sekarang.",
    lambda v: {
        "amount": f"{v.number(110, 980, 10)}.{v.rng.choice(('000', '500'))}",
        "person": v.one(
            "Budi Santoso|Siti Rahayu|Agus Wijaya|Dewi Lestari|Rudi Hartono|Ani Kusuma|Joko Susilo|"
            "Rina Utami|Hendra Putra|Maya Sari".split("|")
        ),
    },
    (
        lambda a, _: call("find_account", owner=a["person"]),
        lambda a, found: call(
            "transfer", account=found[0]["accounts"][0]["number"], amount=int(a["amount"].replace(".", ""))
        ),
        lambda a, found: f"Terkirim: {a['amount']} ke {a['person']} ({found[1]['ref']})",
    ),
    lambda v, asked: [
        {"owner": asked["person"], "accounts": [{"number": f"ID{v.number(10000, 99999)}", "active": True}]},
        {"ref": f"TX-{v.number(1000, 9999)}", "fee": 2500},
    ],
    (schema("find_account", "owner"), schema("transfer", "account", "amount:integer")),
)
_RENDELES = Format(
    ("Rendelj {count:int} láda {thing} a(z) {week:int}. hétre.",),
    lambda v: {
        "count": v.number(2, 60),
        "thing": v.one("körtét szilvát almát barackot meggyet szőlőt diót dinnyét fügét naspolyát".split()),
        "week": v.number(1, 52),
    },
    lambda count, thing, week: f"{week}. hét | {count} | {thing.upper()}",
)
_VI = Format(
    ("Ghi lại bàn {number:int} gọi {count:int} tô phở.",),
    lambda v: {"number": v.number(2, 60), "count": v.number(2, 12)},
    lambda number, count: f"B{int(number):02d}: {count} phở",
)

ASIDE = (
    house("telefoni", "it", "spaces become hyphens, an affix", _TELEFONI),
    house("clientes", "pt", "title case and capitals of small letters", _CLIENTES),
    house("kapitel", "sv", "plus a constant", _KAPITEL),
    house("rupees", "hi", "grouping of a number, Devanagari", _RUPEES),
    house("pryiom", "uk", "an initial, names swapped, a date reordered, Cyrillic", _PRYIOM),
    house("yeyak", "ko", "zero-padding, values glued to particles", _YEYAK),
    house("haarat", "fi", "code: kebab case", _HAARAT),
    house("standups", "en", "the weekday of a date, a month spelt", _STANDUPS),
    house("spotreba", "cs", "difference of two numbers", _SPOTREBA),
    house("dostawy", "pl", "a CSV line, first three letters, decimals added", _DOSTAWA),
    Kind("sorular", "tr", "facts asked", _SORULAR.record, pattern=False),
    Kind(
        "judete",
        "ro",
        "labels by repetition",
        repeated(
            "Trimite coletul {number:int} la {key:word} azi.",
            "{number} -> ruta {label}",
            "Arad Brașov Cluj Deva Galați Iași Oradea Sibiu".split(),
            "R1 R2 R3 R4 R5 R6".split(),
        ),
    ),
    Kind(
        "esoterika",
        "el",
        "correction: the user tells the right value",
        told_value(
            "Ποιο είναι το εσωτερικό για {person};",
            (
                "Πες μου το εσωτερικό για {person} τώρα.",
                "Θέλω να καλέσω {person} μέσα.",
                "Τι αριθμό έχει εδώ {person};",
                "Σε ποιο εσωτερικό είναι {person};",
                "Ξέχασα το εσωτερικό για {person} πάλι.",
                "Χρειάζομαι αριθμό για {person} αμέσως.",
                "Πώς βρίσκω στο τηλέφωνο {person};",
                "Ποιον αριθμό παίρνω για {person};",
                "Δώσε μου τον αριθμό για {person} εδώ.",
            ),
            ("", "Γεια σου. ", "Καλημέρα. ", "Συγγνώμη. "),
            "Το εσωτερικό για {person} είναι {value:int}.",
            ("Λάθος, είναι {value:int}.", "Όχι, το σωστό είναι {value:int}.", "Είναι {value:int}, όχι αυτό."),
            lambda v: v.person("el"),
        ),
        pattern=False,
    ),
    mends(
        "rendelesek",
        "hu",
        "the user demands a format",
        Mended(
            _RENDELES,
            "Rendben, megrendeltem.",
            "demands",
            ("Nem jó. Csak ezt a sort írd: {line}", "Kérlek, mindig csak a sort: {line}"),
        ),
    ),
    Kind(
        "ban-pho",
        "vi",
        "follow-ups with a new value, zero-padding",
        followed(
            _VI,
            {
                "Thêm {more:int} tô nữa.": lambda number, count, more: (
                    f"B{int(number):02d}: {int(count) + int(more)} phở"
                )
            },
            lambda v: {"more": v.number(2, 9)},
        ),
    ),
    Kind("transfer", "id", "tool flow: grouped amount as a number, nested results", _TRANSFER.record),
)
