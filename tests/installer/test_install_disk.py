from __future__ import annotations

from pathlib import Path

import pytest

from installer.disk import check_room, needed_bytes
from installer.errors import DiskFullInstallError


def test_a_repair_needs_less_than_a_new_installation() -> None:
    repair = needed_bytes(torch_is_here=True, cuda=False, models=True)
    cpu = needed_bytes(torch_is_here=False, cuda=False, models=False)
    cuda = needed_bytes(torch_is_here=False, cuda=True, models=False)
    assert repair < cpu < cuda
    assert cpu < needed_bytes(torch_is_here=False, cuda=False, models=True)


def test_too_small_a_disk_is_said_with_both_figures(tmp_path: Path) -> None:
    assert check_room(tmp_path, needed=0) > 0
    with pytest.raises(DiskFullInstallError, match=r"GiB free; .* needs 931322\.6 GiB"):
        check_room(tmp_path, needed=10**15)
