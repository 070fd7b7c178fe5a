"""A studio that is killed in the middle of a job: started as a process of its own by the tests.

Arguments: the database, and a folder where the handler says that it has begun.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules.core_components.jobs import JobContext, JobRunner, JobStore


def main(database: Path, folder: Path) -> None:
    def work(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        job.progress(0.5, "Half-way")
        job.log("begun")
        (folder / "checkpoint").write_text(payload["text"])
        while job_written(job.job_id) < 0.5:
            pass
        (folder / "begun").touch()
        threading.Event().wait()
        return {}

    store = JobStore(database)

    def job_written(job_id: str) -> float:
        return store.get(job_id).fraction

    runner = JobRunner(store, report_every_s=0.01)
    runner.register("speak", work)
    runner.submit("speak", "the one that runs", {"text": "first"})
    runner.submit("speak", "the one that waits", {"text": "second"})
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
