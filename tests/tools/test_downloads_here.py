"""A model that this machine cannot run is refused before its gigabytes are fetched."""

from __future__ import annotations

import pytest

from modules.core_components.errors import StudioError
from modules.tools.models import library
from modules.tools.services import Services

FOUR_BIT = "vibevoice-large-4bit"


def test_four_bit_weights_are_refused_without_a_gpu(services: Services) -> None:
    services.downloader.accept_licence(FOUR_BIT)
    for download in (library.download, library.submit_download):
        with pytest.raises(
            StudioError, match="needs an NVIDIA GPU; the device here is cpu"
        ) as found:
            download(services, FOUR_BIT)
        assert "VibeVoice 1.5B" in found.value.hint
    assert services.jobs.list(kind=library.DOWNLOAD) == ()
    assert not services.catalog.folder(services.catalog.entry(FOUR_BIT)).exists()


def test_the_same_files_for_the_processor_are_not(services: Services) -> None:
    job = library.submit_download(services, "vibevoice-large")
    assert job.kind == library.DOWNLOAD
    services.jobs.cancel(job.id)
