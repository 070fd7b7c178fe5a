"""Long work that outlives a page and a crash."""

from modules.core_components.jobs.context import JobContext
from modules.core_components.jobs.job import Job
from modules.core_components.jobs.runner import JobRunner, submitted_by
from modules.core_components.jobs.store import JobStore

__all__ = ["Job", "JobContext", "JobRunner", "JobStore", "submitted_by"]
