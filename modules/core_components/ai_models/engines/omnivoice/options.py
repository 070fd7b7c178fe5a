"""What can be chosen for a synthesis by OmniVoice; the defaults are the package's own."""

from __future__ import annotations

from dataclasses import dataclass

from modules.core_components.ai_models.engines.options import as_written_option, option
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _

# As the package's omnivoice/utils/voice_design.py has them (a test compares the two); one of each
# kind at most. Accents are for English text, dialects for Chinese.
TRAITS: tuple[tuple[str, ...], ...] = (
    ("male", "female"),
    ("child", "teenager", "young adult", "middle-aged", "elderly"),
    ("very low pitch", "low pitch", "moderate pitch", "high pitch", "very high pitch"),
    ("whisper",),
    (
        "american accent", "british accent", "australian accent", "chinese accent",
        "canadian accent", "indian accent", "korean accent", "portuguese accent",
        "russian accent", "japanese accent",
    ),
    (
        "河南话", "陕西话", "四川话", "贵州话", "云南话", "桂林话", "济南话", "石家庄话", "甘肃话",
        "宁夏话", "青岛话", "东北话",
    ),
)  # fmt: skip
_ACCENTS, _DIALECTS = TRAITS[-2:]


@dataclass(frozen=True)
class OmniVoiceDesignOptions:
    """For a voice that is described."""

    language: str = option("en", "Language", "The language the text is written in.")
    speed: float = option(
        1.0, "Speed", "How fast to speak; 1 is the voice's own pace.",
        minimum=0.5, maximum=2.0, step=0.05,
    )  # fmt: skip
    length_s: float = option(
        0.0, "Length",
        "Seconds that the speech takes, exactly, as for dubbing; 0 is as long as the text needs. "
        "A text in several parts has it for each part.",
        minimum=0.0, maximum=120.0, step=0.1,
    )  # fmt: skip
    steps: int = option(
        32, "Steps", "Rounds in which a piece is made; 16 is twice as fast and less exact.",
        minimum=4, maximum=64, step=1,
    )  # fmt: skip
    guidance_scale: float = option(
        2.0, "Guidance", "How closely to follow text and voice; too high sounds forced.",
        minimum=0.0, maximum=5.0, step=0.1,
    )  # fmt: skip
    temperature: float = option(
        0.0, "Temperature", "Higher is livelier and less sure; 0 takes the likeliest sound.",
        minimum=0.0, maximum=1.5, step=0.05,
    )  # fmt: skip
    position_temperature: float = option(
        5.0, "Variety", "How much takes differ: the order in which sounds are decided is drawn.",
        minimum=0.0, maximum=10.0, step=0.5,
    )  # fmt: skip
    seed: int = option(
        0, "Seed", "The same seed gives the same audio again.",
        minimum=0, maximum=2**31 - 1, step=1,
    )  # fmt: skip
    as_written: str = as_written_option()


@dataclass(frozen=True)
class OmniVoiceOptions(OmniVoiceDesignOptions):
    """For the voice of a sample."""

    clean: bool = option(
        True, "Clean sound", "Leave out the noise of the sample and speak as in a studio."
    )
    traits: str = option(
        "", "Traits",
        "Words for the voice that agree with the sample, with commas: whisper, british accent. "
        "They make it steadier.",
    )  # fmt: skip


def read_traits(words: str, parameter: str) -> str:
    """The traits in `words` as the package wants them, "" for none.

    Raises BadInputError, about `parameter`, for words that are no trait and for two of one kind.
    """
    given = [word.strip().lower() for word in words.replace("，", ",").split(",") if word.strip()]
    known = [trait for kind in TRAITS for trait in kind]
    for word in given:
        if word not in known:
            raise BadInputError(
                _("OmniVoice does not know the trait “{word}”.", word=word),
                _("With commas between them, it knows: {known}.", known=", ".join(known)),
                parameter,
            )
    for kind in (*TRAITS, (*_ACCENTS, *_DIALECTS)):
        found = [word for word in dict.fromkeys(given) if word in kind]
        if len(found) > 1:
            raise BadInputError(
                _("A voice cannot be {found} at once.", found=_(" and ").join(found)),
                _("Keep one of them."),
                parameter,
            )
    return ", ".join(dict.fromkeys(given))
