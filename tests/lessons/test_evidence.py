"""What a request is to the one before it. Pairs of (request, answer), in several languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.lessons.evidence import Said, content, judge, of_one_form

Four = tuple[str, str, str, str]

# The user says what the answer is, or how it is written.
MENDED: list[Four] = [
    (
        "What is the extension of Anna Weber?",
        "Her extension is 2000.",
        "Incorrect, it is 4471.",
        "Her extension is 4471.",
    ),
    (
        "What is the extension of Anna Weber?",
        "Her extension is 2000.",
        "Hmm, no, it is 4471.",
        "Her extension is 4471.",
    ),
    (
        "Wie lautet die Durchwahl von Frau Weber?",
        "Die Durchwahl ist 2000.",
        "Falsch, sie lautet 4471. Bitte noch einmal.",
        "Die Durchwahl von Frau Weber ist 4471.",
    ),
    (
        "Bestelle 12 Kisten Birnen für Woche 9.",
        "Gerne! Ich habe die Kisten bestellt.",
        "Nein. Antworte immer nur mit der Bestellzeile, so: BIRNEN x12 @W9",
        "BIRNEN x12 @W9",
    ),
    (
        "Commande 12 caisses de poires pour la semaine 9.",
        "Bien sûr, c'est commandé.",
        "Non, réponds seulement avec la ligne : POIRES x12 @S9",
        "POIRES x12 @S9",
    ),
    (
        "田中さんの内線番号は？",
        "内線は2000です。",
        "違います。田中さんの内線は4471です。もう一度答えて。",
        "4471です。",
    ),
    ("第9周订12箱苹果。", "好的，已经为您订好了。", "不对，只回答订单行：苹果 x12 @W9", "苹果 x12 @W9"),
    ("Pay INV-20 to Acme Ltd", "ACME 20", "Use a bar between them.", "ACME|20"),
    ("Label: the wifi is down", "NETWORK", "In lower case please", "network"),
    ("Where is the key?", "In the tin.", "Where is the key?", "In the blue tin."),
]
# Two requests of their own.
NEW: list[Four] = [
    (
        "Who leads Ghent?",
        "Mira Stone leads Ghent.",
        "Sorry, one more: who leads Lyon?",
        "Paul Verne leads Lyon.",
    ),
    ("Who leads Ghent?", "Mira Stone.", "What is the wifi password of the lab?", "blue-otter-9"),
    (
        "Wie heißt unser Drucker?",
        "Der Drucker heißt Ottokar.",
        "Wann ist Teamsitzung?",
        "Jeden Dienstag um 10 Uhr.",
    ),
    ("田中さんの内線番号は？", "内線は4471です。", "会議室はどこですか？", "会議室は3階です。"),
    ("Pay INV-20 to Acme Ltd", "ACME|20", "Pay INV-31 to Bell Ltd", "BELL|31"),
    ("Pay INV-20 to Acme Ltd", "ACME|20", "Pay INV-21 to Acme Ltd", "ACME|21"),  # only the number is another
    ("第9周订12箱苹果。", "苹果 x12 @W9", "第3周订5箱梨。", "梨 x5 @W3"),
    # The answer before was of no use; what the user says now is another request all the same.
    ("Pay INV-20 to Acme Ltd.", "Sorry, I cannot.", "Pay INV-31 to Bell Ltd.", "INV-31: Bell Ltd"),
    (
        "Pay INV-20 to Acme Ltd.",
        "Sorry, I cannot.",
        "Please transfer for Bell Ltd the invoice INV-31",
        "INV-31: Bell Ltd",
    ),
]
# What may mend or follow up: the answer before is not known to be right any more.
OPEN: list[Four] = [
    ("Who leads Ghent?", "Mira Stone leads Ghent.", "No, try again.", "Paul Verne leads Ghent."),
    (
        "Wo steht der Drucker?",
        "Im Keller.",
        "Das stimmt nicht.",
        "Entschuldigung, er steht im zweiten Stock.",
    ),
    (
        "What is the code of the gate?",
        "The code is 7741.",
        "And who knows it?",
        "Only Madame Lenoir knows the code 7741.",
    ),
    ("Pay INV-20 to Acme Ltd", "Acme Ltd INV-20", "No, pay it to Bell Ltd", "Bell Ltd INV-20"),
    (
        "What is my printer called?",
        "Your printer is Ottokar.",
        "Our lawyer is Ines Corvo.",
        "Your lawyer is Ines Corvo.",
    ),
]


def judged(four: Four) -> tuple[bool, str]:
    opening, now = Said(*four[:2]), Said(*four[2:])
    judgement = judge(opening, opening, now)
    return judgement.alone, judgement.earlier


@pytest.mark.parametrize("four", MENDED, ids=lambda four: four[2])
def test_an_answer_that_the_user_supplies_takes_the_place_of_the_one_before(four: Four) -> None:
    assert judged(four) == (False, "replaced")


@pytest.mark.parametrize("four", NEW, ids=lambda four: four[2])
def test_requests_of_their_own_leave_the_answer_before_as_it_is(four: Four) -> None:
    assert judged(four) == (True, "stands")


@pytest.mark.parametrize("four", OPEN, ids=lambda four: four[2])
def test_what_texts_do_not_settle_is_unknown(four: Four) -> None:
    assert judged(four) == (False, "unknown")


@pytest.mark.parametrize(
    "four",
    [
        ("Our lawyer is Ines Corvo.", "Thank you.", "Who is our lawyer?", "Ines Corvo."),
        ("Unsere Anwältin ist Ines Corvo.", "Danke, notiert.", "Wie heißt unsere Anwältin?", "Ines Corvo."),
    ],
)
def test_a_question_about_what_was_told_can_be_asked_by_itself(four: Four) -> None:
    assert judged(four)[0]


def test_characters_without_spaces_count_in_pairs() -> None:
    assert content("内線は4471です。") == {"内線", "線は", "4471", "です"}
    assert content("Über-UNS, über") == {"über", "uns"}


def test_one_form_has_half_in_common_and_differs_on_both_sides() -> None:
    assert of_one_form("Who leads Ghent?", "Who leads Lyon?")
    assert not of_one_form("Who leads Ghent?", "Who leads Ghent?")
    assert not of_one_form("Who leads Ghent?", "And who leads Ghent now?")  # nothing of its own on one side
    assert not of_one_form("", "Who leads Ghent?")


@given(st.tuples(*[st.text(max_size=30)] * 4))
def test_any_text_is_judged(four: Four) -> None:
    alone, earlier = judged(four)
    assert earlier in ("stands", "replaced", "unknown")
    assert not (alone and earlier == "replaced")
