"""Getting models onto this machine: whole, checked, and only from where the catalog says.

`Downloader` is the way in. Below it: one transport for each kind of source (`local`, `hub`,
`registry`), all of which hand their bytes to a `PartFile`, the only code that writes model files.
"""

from __future__ import annotations

from modules.core_components.ai_models.downloads.downloader import (
    Downloader,
    LicenceNotAcceptedError,
)

__all__ = ["Downloader", "LicenceNotAcceptedError"]
