"""The sentences that every evaluated checkpoint speaks: a statement, a question, a long one.

Always the same, so that trainings can be compared; written for this, so that no model has them from
its training data by heart.
"""

from __future__ import annotations

from modules.core_components.errors import BadInputError
from modules.core_components.texts import _

_SENTENCES: dict[str, tuple[str, str, str]] = {
    "en": (
        "The kitchen window looks out on a small garden behind the station.",
        "Did anyone remember to water the tomatoes before we left?",
        "If the rain stops by the evening, we could walk along the river, as we did last year.",
    ),
    "es": (
        "La ventana de la cocina da a un jardín pequeño detrás de la estación.",
        "¿Alguien se acordó de regar los tomates antes de salir?",
        "Si deja de llover por la tarde, podríamos pasear junto al río, como el año pasado.",
    ),
    "fr": (
        "La fenêtre de la cuisine donne sur un petit jardin derrière la gare.",
        "Quelqu'un a pensé à arroser les tomates avant de partir ?",
        "Si la pluie cesse ce soir, nous pourrions marcher le long de la rivière, comme avant.",
    ),
    "de": (
        "Das Küchenfenster geht auf einen kleinen Garten hinter dem Bahnhof.",
        "Hat jemand daran gedacht, vor der Abfahrt die Tomaten zu gießen?",
        "Wenn der Regen bis zum Abend aufhört, gehen wir am Fluss spazieren, wie letztes Jahr.",
    ),
    "it": (
        "La finestra della cucina guarda su un piccolo giardino dietro la stazione.",
        "Qualcuno si è ricordato di annaffiare i pomodori prima di partire?",
        "Se stasera smette di piovere, potremmo camminare lungo il fiume, come un anno fa.",
    ),
    "pt": (
        "A janela da cozinha dá para um pequeno jardim atrás da estação.",
        "Alguém se lembrou de regar os tomates antes de sair?",
        "Se a chuva parar até à noite, podemos caminhar junto ao rio, como no ano passado.",
    ),
    "pl": (
        "Okno kuchni wychodzi na mały ogród za dworcem.",
        "Czy ktoś pamiętał, żeby przed wyjazdem podlać pomidory?",
        "Jeśli do wieczora przestanie padać, pójdziemy wzdłuż rzeki, tak jak w zeszłym roku.",
    ),
    "tr": (
        "Mutfak penceresi istasyonun arkasındaki küçük bir bahçeye bakıyor.",
        "Çıkmadan önce domatesleri sulamayı kimse hatırladı mı?",
        "Yağmur akşama kadar dinerse, geçen yıl olduğu gibi nehir boyunca yürüyebiliriz.",
    ),
    "ru": (
        "Окно кухни выходит в маленький сад за вокзалом.",
        "Кто-нибудь вспомнил полить помидоры перед отъездом?",
        "Если к вечеру дождь закончится, мы пройдёмся вдоль реки, как в прошлом году.",
    ),
    "nl": (
        "Het keukenraam kijkt uit op een kleine tuin achter het station.",
        "Heeft iemand eraan gedacht de tomaten water te geven voor we vertrokken?",
        "Als het vanavond droog wordt, kunnen we langs de rivier lopen, net als vorig jaar.",
    ),
    "cs": (
        "Okno kuchyně vede do malé zahrady za nádražím.",
        "Vzpomněl si někdo před odjezdem zalít rajčata?",
        "Jestli do večera přestane pršet, můžeme jít podél řeky, jako minulý rok.",
    ),
    "ar": (
        "نافذة المطبخ تطل على حديقة صغيرة خلف المحطة.",
        "هل تذكر أحد أن يسقي الطماطم قبل أن نغادر؟",
        "إذا توقف المطر في المساء، فيمكننا أن نمشي على ضفة النهر، كما فعلنا في العام الماضي.",
    ),
    "zh": (
        "厨房的窗户对着车站后面的一个小花园。",
        "出发之前有人记得给西红柿浇水吗？",
        "如果傍晚雨停了，我们可以像去年那样沿着河边散步。",
    ),
    "hu": (
        "A konyha ablaka egy kis kertre néz az állomás mögött.",
        "Emlékezett valaki arra, hogy indulás előtt megöntözze a paradicsomot?",
        "Ha estére eláll az eső, sétálhatunk a folyó mentén, ahogy tavaly is.",
    ),
    "ko": (
        "부엌 창문은 역 뒤의 작은 정원을 향해 있습니다.",
        "떠나기 전에 토마토에 물을 준 사람이 있나요?",
        "저녁에 비가 그치면 작년처럼 강을 따라 걸을 수 있어요.",
    ),
    "ja": (
        "台所の窓は駅の裏の小さな庭に面しています。",
        "出かける前に誰かトマトに水をやりましたか。",
        "夕方までに雨がやめば、去年のように川沿いを歩けます。",
    ),
    "am": (
        "የወጥ ቤቱ መስኮት ከጣቢያው ጀርባ ወዳለው ትንሽ የአትክልት ቦታ ይመለከታል።",
        "ከመውጣታችን በፊት ቲማቲሞቹን ውሃ ማጠጣት ያስታወሰ ሰው አለ?",
        "ዝናቡ እስከ ምሽት ካቆመ እንደ ባለፈው ዓመት በወንዙ ዳር መሄድ እንችላለን።",
    ),
    "hi": (
        "रसोई की खिड़की स्टेशन के पीछे एक छोटे बगीचे की ओर खुलती है।",
        "क्या निकलने से पहले किसी को टमाटर में पानी देना याद रहा?",
        "अगर शाम तक बारिश रुक जाए, तो हम पिछले साल की तरह नदी के किनारे टहल सकते हैं।",
    ),
}


JUDGED = tuple(_SENTENCES)  # the languages that there are sentences of


def judging_sentences(language: str) -> tuple[str, ...]:
    """The sentences in a language of XTTS, ISO 639-1. Raises BadInputError for another one."""
    code = language.split("-")[0]
    if code not in _SENTENCES:
        raise BadInputError(
            _("There are no sentences to judge {language!r} by.", language=language),
            _("There are for: {sentences}.", sentences=", ".join(_SENTENCES)),
        )
    return _SENTENCES[code]
