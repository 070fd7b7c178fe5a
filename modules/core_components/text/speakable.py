"""Whether a text has anything to say."""

from __future__ import annotations

import regex

# Emoji with what joins and colours them, other pictures, punctuation and blanks. Signs that have a
# reading, such as % and ™, are not among them.
_SILENT = regex.compile(
    r"(?:(?![©®™])\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}"
    r"|[\u2600-\u27BF\uFE0E\uFE0F\u200D\U000E0020-\U000E007F]"
    r"|(?![%&@#*§‰])\p{P}|\s)*"
)


def is_silent(text: str) -> bool:
    """Whether a text is only emoji, punctuation and blanks."""
    return _SILENT.fullmatch(text) is not None
