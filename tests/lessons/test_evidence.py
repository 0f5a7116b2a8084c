"""What a request is to the one before it. Pairs of (request, answer), in several languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.lessons.evidence import Said, asks_anew, content, judge, of_one_form, reopens, shared

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
    # The user says the whole answer, of what had been said before.
    ("Order 12 crates of figs for week 9.", "figs x12 @w9", "No, just so: FIGS x12 @W9", "FIGS x12 @W9"),
    ("Bestelle 3 Kisten Birnen.", "Gern: BIRNEN 3 Kisten", "Falsch. BIRNEN 3", "BIRNEN 3"),
    ("Order 60 crates of figs for week 22.", "FIGS x60", "Falsch. FIGS x60 @W22", "FIGS x60 @W22"),
    ("El pedido AFN4810 sale hoy.", "4810/afn", "No: 4810/AFN", "4810/AFN"),
    ("会議室K35を12月27日13時に予約して。", "k35 12/27 13:00", "違う。K35 12/27 13:00", "K35 12/27 13:00"),
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


def test_a_house_that_repeats_what_is_said_is_not_corrected_by_the_next_request() -> None:
    first = Said("Write down: 5 apples for Bob", "5 apples for Bob")
    assert judge(first, first, Said("Write down: 7 apples for Ann", "7 apples for Ann")).earlier == "stands"


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


# Three exchanges, of which the first two are known to be requests of their own.
Six = tuple[str, str, str, str, str, str]
OF_AN_EARLIER_FORM: list[Six] = [
    (
        *("Who leads Oporto?", "Oporto is led by Isla Garside."),
        *("Sorry, one more: who leads Malaga?", "Malaga is led by Kirk Cobb."),
        *("Thanks. And who leads Basel?", "Basel is led by Toby Eaves."),
    ),
    (
        *("Quién abre Cádiz?", "Cádiz la abre Inés Mora."),
        *("Perdona, otra cosa más: quién abre Soria?", "Soria la abre Luis Vega."),
        *("Muy bien, gracias. Quién abre Lugo?", "Lugo la abre Eva Pons."),
    ),
    (
        *("長崎の店長は誰？", "長崎の店長は森さんです。"),
        *("すみませんが、ちょっともう一つだけお願いします。札幌の店長は誰？", "札幌の店長は林さんです。"),
        *("ありがとう。仙台の店長は誰？", "仙台の店長は原さんです。"),
    ),
]
# The third mends or follows up the second, in the form of the first.
NOT_OF_ITS_OWN: list[Six] = [
    (
        *OF_AN_EARLIER_FORM[0][:4],
        "No, who leads Malaga is Toby Eaves.",
        "Apologies, Malaga is led by Toby Eaves.",
    ),
    (*OF_AN_EARLIER_FORM[0][:4], "I asked: who leads Malaga?", "Malaga is led by Toby Eaves."),
    (*OF_AN_EARLIER_FORM[0][:4], "Malaga, I said: who leads this place?", "Malaga is led by Toby Eaves."),
    (*OF_AN_EARLIER_FORM[0][:4], "But really, who leads it now?", "Malaga is led by Toby Eaves."),
    (*OF_AN_EARLIER_FORM[0][:4], "But really, who leads it now?", "It is led by Toby Eaves."),
    (*OF_AN_EARLIER_FORM[0][:4], "And who leads Kirk Cobb?", "Kirk Cobb is led by Toby Eaves."),
    (*OF_AN_EARLIER_FORM[0][:4], "No, try again.", "Malaga is led by Toby Eaves."),
    (*OF_AN_EARLIER_FORM[1][:4], "No es verdad, dime quién abre Soria", "Soria la abre Eva Pons."),
    (*OF_AN_EARLIER_FORM[2][:4], "違います。札幌の店長は誰？", "札幌の店長は原さんです。"),
    (
        *("Label this: the wifi is down", "Topic: NETWORK"),
        *("My salary is missing, and what is that?", "Topic: NETWORK"),
        *("Label this: MONEY", "Topic: MONEY"),  # a value told in the form of a request
    ),
    (
        *("Kategori: kapı açılmıyor", "Grup: KAPI"),
        *("Maaşım bu ay eksik yattı, neden acaba?", "Grup: KAPI"),
        *("Kategori: PARA", "Grup: PARA"),
    ),
]


@pytest.mark.parametrize("six", OF_AN_EARLIER_FORM, ids=lambda six: six[4])
def test_a_request_of_an_earlier_form_about_something_else_is_one_of_its_own(six: Six) -> None:
    first, second, third = Said(*six[:2]), Said(*six[2:4]), Said(*six[4:])
    judgement = judge(second, second, third, [first])
    assert (judgement.alone, judgement.earlier) == (True, "stands")


@pytest.mark.parametrize("six", NOT_OF_ITS_OWN, ids=lambda six: six[4])
def test_an_earlier_form_makes_no_request_of_what_may_mend_the_answer_before(six: Six) -> None:
    first, second, third = Said(*six[:2]), Said(*six[2:4]), Said(*six[4:])
    judgement = judge(second, second, third, [first])
    assert not judgement.alone
    assert judgement.earlier in ("replaced", "unknown")


@given(st.tuples(*[st.text("ab 1.京都", max_size=12)] * 6))
def test_what_is_replaced_is_so_whatever_was_asked_earlier(six: Six) -> None:
    first, second, third = Said(*six[:2]), Said(*six[2:4]), Said(*six[4:])
    if judge(second, second, third).earlier == "replaced":
        assert judge(second, second, third, [first]).earlier == "replaced"


def test_a_turn_may_correct_an_exchange_further_back() -> None:
    one = Said("Who leads Oporto?", "Oporto is led by Isla Garside.")
    told = Said("Oh, and I meant Oporto, that is Toby Eaves.", "Oporto is led by Toby Eaves.")
    common = shared([one.request, "Who leads Malaga?"])
    assert reopens(one, told, common)
    assert not reopens(one, Said("And Oporto again?", one.answer), common)
    assert not reopens(one, Said("And Malaga?", "Malaga is led by Toby Eaves."), common)
    assert not reopens(one, Said("How big is Oporto?", "200000"), common)


def test_the_same_question_with_another_answer_is_asked_anew() -> None:
    one = Said("第9周订12箱苹果。", "苹果 x12")
    assert asks_anew(one, Said("第9周订12箱苹果。", "苹果 x12 @W9"))
    assert not asks_anew(one, one)
    assert not asks_anew(one, Said("第9周订12箱苹果。", ""))


CANCEL = "We are glad you wrote. Order {} is cancelled. Your shop"
WHERE = "We are glad you wrote. Order {} is on its way. Your shop"
HOUSE = [
    Said("Please cancel order 7940, Ana.", CANCEL.format(7940)),
    Said("Where is my order 7236, Bo?", WHERE.format(7236)),
    Said("Please cancel order 6540, Cy.", CANCEL.format(6540)),
    Said("Where is my order 8826, Di?", WHERE.format(8826)),
]


def test_requests_in_turn_of_two_forms_that_the_house_answers_alike_stand_alone() -> None:
    first, second, *others = HOUSE
    judgement = judge(first, first, second, others=others)
    assert (judgement.alone, judgement.earlier) == (True, "stands")
    assert judge(first, first, second).earlier == "unknown"  # two exchanges show nothing of the house
    complaint = Said("Wrong, look again.", WHERE.format(7236))
    assert not judge(first, first, complaint, others=others).alone  # it asks for nothing as the others do
