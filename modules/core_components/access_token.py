"""The user's access token for gated files of the Hugging Face hub, in a file of its own.

It is no setting of `Settings`: those are shown on the page and written to `config.json`. It is
readable for its owner only, and no message, log line or answer of the studio contains it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from modules.core_components.atomic import atomic_path
from modules.core_components.errors import BadInputError

TOKEN_FILE = "hub_token"  # noqa: S105 - a file name
_PLAUSIBLE = re.compile(r"[A-Za-z0-9_.-]{8,256}")
_OWNER_ONLY = 0o600


class AccessToken:
    """The token of a data root. Every call looks at the file, so that all processes agree."""

    def __init__(self, root: Path) -> None:
        self._path = root / TOKEN_FILE

    @property
    def saved(self) -> bool:
        return self.read() is not None

    def read(self) -> str | None:
        """The token; None where none is saved or the file cannot be read."""
        try:
            token = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return token if _PLAUSIBLE.fullmatch(token) else None

    def save(self, token: str) -> None:
        """Keeps a token, readable for its owner only. Raises BadInputError, which does not repeat
        what was given, and DiskFullError."""
        token = token.strip()
        if not _PLAUSIBLE.fullmatch(token):
            raise BadInputError(
                "That is not an access token.",
                "Copy one from https://huggingface.co/settings/tokens; it begins with hf_.",
                "token",
            )
        with atomic_path(self._path) as partial:
            # With its rights from the first byte on, not given to it afterwards.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(partial, flags, _OWNER_ONLY), "w", encoding="ascii") as file:
                file.write(token)

    def remove(self) -> bool:
        """Forgets the token; whether there was one."""
        existed = self._path.exists()
        self._path.unlink(missing_ok=True)
        return existed
