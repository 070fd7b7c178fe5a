"""kill -9 while a dataset is built: resumed, it has the same bytes as one built in one go."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_killed_and_resumed_is_the_same_as_never_killed(tmp_path: Path) -> None:
    # In the first recording's transcript, its clips, its record; in later ones; in the metadata.
    deaths = [1, 4, 5, 10]
    command = [sys.executable, "-m", "tests.tools.killed_builds", str(tmp_path)]
    ended = subprocess.run(
        [*command, *map(str, deaths)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["killed"] == found["whole"]
    assert len([name for name in found["whole"] if name.endswith(".wav")]) >= 8
    assert len([name for name in found["whole"] if name.startswith("sources")]) == 4
