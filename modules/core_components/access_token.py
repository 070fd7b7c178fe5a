"""Secrets of the user: each in a file of its own, readable for its owner only.

They are no settings of `Settings`: those are shown on the page and written to `config.json`. No
message, log line or answer of the studio contains a secret.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from modules.core_components.atomic import atomic_path
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _, mark

TOKEN_FILE = "hub_token"  # noqa: S105 - a file name
REMOTE_KEYS_FOLDER = "remote_keys"
_OWNER_ONLY = 0o600


class SecretFile:
    """A secret in one file. Every call looks at the file, so that all processes agree."""

    plausible = re.compile(r"[!-~]{1,512}")
    complaint = (
        mark("That is not a key."),
        mark("A key has no blanks, and only letters, digits and signs."),
    )
    about = "key"

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def saved(self) -> bool:
        return self.read() is not None

    def read(self) -> str | None:
        """The secret; None where none is saved or the file cannot be read."""
        try:
            secret = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return secret if self.plausible.fullmatch(secret) else None

    def save(self, secret: str) -> None:
        """Keeps a secret, readable for its owner only. Raises BadInputError, which does not repeat
        what was given, and DiskFullError."""
        secret = secret.strip()
        if not self.plausible.fullmatch(secret):
            message, hint = self.complaint
            raise BadInputError(_(message), _(hint), self.about)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(self._path) as partial:
            # With its rights from the first byte on, not given to it afterwards.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(partial, flags, _OWNER_ONLY), "w", encoding="ascii") as file:
                file.write(secret)

    def remove(self) -> bool:
        """Forgets the secret; whether there was one."""
        existed = self._path.exists()
        self._path.unlink(missing_ok=True)
        return existed


class AccessToken(SecretFile):
    """The token of a data root for gated files of the Hugging Face hub."""

    plausible = re.compile(r"[A-Za-z0-9_.-]{8,256}")
    complaint = (
        mark("That is not an access token."),
        mark("Copy one from https://huggingface.co/settings/tokens; it begins with hf_."),
    )
    about = "token"

    def __init__(self, root: Path) -> None:
        super().__init__(root / TOKEN_FILE)


def remote_key(root: Path, name: str) -> SecretFile:
    """The key of a remote, by the remote's name (see `remotes.check_name`)."""
    return SecretFile(root / REMOTE_KEYS_FOLDER / name)
