"""The values of `truths`: small lists of its own, by language. The product draws from none of them."""

from __future__ import annotations

import random
from collections.abc import Sequence

FIRST = {
    "en": "Ada Brian Celia Duncan Edith Floyd Gwen Harvey Isla Kirk Maeve Toby",
    "de": "Anke Bernd Dörte Egon Frieda Götz Heike Jürgen Karin Lutz Mareike Uwe",
    "fr": "Aline Benoît Chloé Didier Élise Fabrice Gisèle Hugo Inès Loïc Manon Rémi",
    "es": "Lucía Íñigo Marta Néstor Paula Rubén Sonia Ulises Vera Xavi Yolanda Zoe",
    "pt": "ana bento carla davi elisa fábio gilda hugo inês joana luís rita",
    "it": "Aldo Bianca Ciro Dora Enzo Fosca Gino Ilaria Lapo Mirta Nino Olga",
    "el": "Άννα Βασίλης Γιώργος Δήμητρα Ελένη Ζωή Ηλίας Κώστας Λένα Μάρκος Νίκος Σοφία",
    "ar": "سارة خالد ليلى عمر نور يوسف مريم حسن هدى طارق رنا باسل",
    "uk": "Олена Тарас Ірина Богдан Леся Остап Дарина Юрій Соломія Андрій Ганна Марко",
}
LAST = {
    "en": "Abbot Birch Cobb Drummond Eaves Fenn Garside Hobbs Ingram Kettle Lowther Marsden",
    "de": "Ahrens Böhm Clausen Dietz Engel Funke Gruber Höfer Jahn Krämer Lüders Pohl",
    "fr": "Aubert Blanchet Caron Delmas Estève Ferrand Giraud Huet Jacquot Lemaire Marchand Perrin",
    "es": "Vidal Ortega Rincón Salas Tejada Urrutia Núñez Lozano Montes Prieto Quintana Zamora",
    "pt": "costa leite moura neves pires ramos serra teles veiga abreu brito cunha",
    "it": "Amato Bruni Conti Donati Fabbri Galli Leone Mori Neri Orsini Piras Rizzo",
    "el": "Παππάς Μελάς Ρήγας Δούκας Κανάκη Λάμπρου Σταύρου Βλάχος Χατζή Φωκάς Ζέρβας Τσίρκα",
    "ar": "حداد منصور خوري صباغ نجار قاسم زيدان شاهين رحال بكري فارس عيسى",
    "uk": "Ткаченко Бойко Коваль Мельник Шевчук Лисенко Гончар Кравець Мороз Савчук Ткач Юрченко",
    "ja": "田中 佐藤 鈴木 高橋 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田",
    "ko": "김민수 이서연 박지훈 최유진 정하늘 강도윤 조은서 윤재호 임수빈 한지우 오세훈 서미래",
}
_WORDS = {
    "cities": "Ghent Lyon Bergen Parma Leeds Tampa Oporto Gdansk Malaga Izmir Cork Turku Basel Split",
    "fruit": "pears plums figs quinces apricots lemons melons cherries limes dates mangos grapes",
    "fruit_fr": "poires prunes figues coings abricots citrons melons cerises dattes mangues raisins pommes",
    "fruit_de": "Birnen Pflaumen Feigen Quitten Aprikosen Zitronen Melonen Kirschen Datteln Trauben "
    "Äpfel Limetten",
    "fruit_zh": "苹果 香蕉 葡萄 西瓜 草莓 橙子 柠檬 樱桃 芒果 桃子 梨子 荔枝",
    "firms_de": "Hansa Nordlicht Elbtal Kranich Silberhof Westwind Lindenau Bergfried "
    "Rheingold Seewolf Taubert Ulmen",
    "cities_de": "Bonn Kassel Jena Lübeck Fulda Trier Ulm Gera Worms Emden Celle Aalen",
    "cities_es": "Burgos Cádiz Gijón Huelva Jaén Lugo Oviedo Soria Teruel Vigo Zamora León",
    "days": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "days_nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "days_de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "days_ar": "الاثنين الثلاثاء الأربعاء الخميس الجمعة السبت الأحد",
    "months_fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "chores_nl": "ramen vloer tuin keuken kelder zolder schuur stoep was afwas garage hal",
    "countries": "Norway Chile Japan Kenya Poland Brazil Canada Egypt Greece India Malta Peru",
    "things_sv": "Havet Skogen Vintern Staden Resan Bron Huset Ljuset Sommaren Spåret Elden Molnet",
    "fields": "retry count|cache size|page limit|batch width|queue depth|log level|worker total|idle timeout|"
    "max load|port offset|start delay|window height",
    "nouns": "order user tax item gift bill unit cart sale stock store guest",
    "parts": "total name rate date count cost note state price owner code mark",
    "tasks_fi": "korjaa maksusivun virhe|päivitä hakukone|lisää uusi kenttä|poista vanha lomake|"
    "nopeuta hidasta hakua|siivoa lokit|muuta kirjasintyyppi|siirrä kuvat palvelimelle|"
    "testaa tilaus|piilota turha nappi",
    "stock": "copper wire|oak planks|steel bolts|roof tiles|white paint|floor mats|glass beads|"
    "rubber seals|brass hinges|paper rolls|wood glue|iron nails",
    "events_de": "Zahnarzt Inventur Elternabend Probe Friseur Abnahme Sitzung Wartung Schulung Messe "
    "Umzug Prüfung",
    "units_it": "328 333 339 340 347 348 349 351 366 380 388 391",
}
WORDS: dict[str, tuple[str, ...]] = {
    name: tuple(words.split("|" if "|" in words else None)) for name, words in _WORDS.items()
}


class Values:
    """Draws values, none twice from one list as long as it lasts, so that what varies is seen to vary."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._drawn: dict[object, set[str]] = {}

    def one(self, words: str | Sequence[str]) -> str:
        """A word of a list, or of the list of `WORDS` with that name."""
        some = WORDS[words] if isinstance(words, str) else words
        drawn = self._drawn.setdefault(tuple(some), set())
        word = self.rng.choice([w for w in some if w not in drawn] or list(some))
        drawn.add(word)
        return word

    def number(self, low: int, high: int, step: int = 1) -> str:
        drawn = self._drawn.setdefault((low, high, step), set())
        some = range(low, high + 1, step)
        number = str(self.rng.choice(some))
        while number in drawn and len(drawn) < len(some):
            number = str(self.rng.choice(some))
        drawn.add(number)
        return number

    def first(self, language: str) -> str:
        return self.one(FIRST[language].split())

    def last(self, language: str) -> str:
        return self.one(LAST[language].split())

    def person(self, language: str) -> str:
        return f"{self.first(language)} {self.last(language)}"

    def time(self, low: int = 8, high: int = 19) -> str:
        return f"{self.rng.randint(low, high):02d}:{self.rng.randrange(0, 60, 5):02d}"

    def decimal(self, low: int, high: int, digits: int) -> str:
        return f"{self.rng.randint(low, high)}.{self.rng.randint(1, 10**digits - 1):0{digits}d}"

    def code(self, letters: int, digits: int) -> tuple[str, str]:
        """Capitals, and a number that begins with no zero."""
        capitals = "".join(self.rng.choice("ABCDEFGHKLMNPQRSTUVWXYZ") for _ in range(letters))
        return capitals, str(self.rng.randint(10 ** (digits - 1), 10**digits - 1))
