"""GET /metrics: what a monitor such as Prometheus reads.

Labels have few values, whatever clients send: routes as they are declared, families of models,
states of jobs. Names of voices, samples and fine-tuned models are in none, nor are texts. What goes
over the API is counted; takes of the page are jobs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

from modules.core_components.ai_models.model_pool.budgets import memory_in_use
from modules.core_components.version import APP_VERSION
from modules.tools.services import Services
from modules.tools.speaking.request_queue import RequestQueue

OTHER = "other"
# From the fastest Kokoro to a model that is loaded first.
_FIRST_AUDIO_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 60)
_STATES = ("queued", "running", "done", "failed", "cancelled", "interrupted")


class Metrics:
    """The counters of one API, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "studio_requests",
            "Answered requests of the API.",
            ["route", "status"],
            registry=self.registry,
        )
        self._first_audio = Histogram(
            "studio_first_audio_seconds",
            "From the arrival of a request until its first sound was made.",
            buckets=_FIRST_AUDIO_S,
            registry=self.registry,
        )
        self._made = Counter(
            "studio_audio_made_seconds",
            "Speech that was made over the API.",
            ["family"],
            registry=self.registry,
        )
        self._heard = Counter(
            "studio_audio_heard_seconds",
            "Recordings that were transcribed over the API.",
            ["family"],
            registry=self.registry,
        )

    def count_request(self, scope: Scope, status: int) -> None:
        """A request was answered; `scope` as the router left it."""
        self._requests.labels(route_of(scope), str(status)).inc()

    def note_first_audio(self, seconds: float) -> None:
        """A request's first sound was made so long after it came."""
        self._first_audio.observe(seconds)

    def note_made(self, family: str, seconds: float) -> None:
        """Speech was made by a model of this family."""
        self._made.labels(family).inc(seconds)

    def note_heard(self, family: str, seconds: float) -> None:
        """A recording was transcribed by a model of this family."""
        self._heard.labels(family).inc(seconds)

    def page(self, services: Services, queue: RequestQueue, draining: bool) -> bytes:
        """All of them in Prometheus's text form, with how things stand now."""
        now = CollectorRegistry(auto_describe=False)
        now.register(_Now(services, queue, draining))
        return generate_latest(self.registry) + generate_latest(now)


def route_of(scope: Scope) -> str:
    """The route as it is declared, "/v1/models/{model_id}"; "other" for a path without one."""
    route: Any = scope.get("route")
    path = getattr(route, "path_format", "") or getattr(route, "path", "")
    # The routes that refuse every other path below the prefixes.
    return OTHER if not path or path.endswith("{path}") else path


class _Now(Collector):
    """What is read when it is asked for, and counted nowhere."""

    def __init__(self, services: Services, queue: RequestQueue, draining: bool) -> None:
        self._services, self._queue, self._draining = services, queue, draining

    def collect(self) -> Iterator[Metric]:
        yield _gauge(
            "studio_requests_in_progress", "Requests that are worked on.", {}, self._queue.working
        )
        yield _gauge("studio_requests_waiting", "Requests that wait.", {}, self._queue.waiting)
        yield _gauge("studio_draining", "1 while the studio closes.", {}, int(self._draining))
        version = GaugeMetricFamily("studio_info", "The studio.", labels=["version"])
        version.add_metric([APP_VERSION], 1)
        yield version
        yield from self._jobs()
        yield from self._models()

    def _jobs(self) -> Iterator[Metric]:
        counts = self._services.jobs.counts()
        jobs = GaugeMetricFamily("studio_jobs", "Jobs by state.", labels=["state"])
        for state in _STATES:
            jobs.add_metric([state], counts.get(state, 0))
        yield jobs

    def _models(self) -> Iterator[Metric]:
        pool = self._services.tts.pool
        loaded, unloaded = pool.transfers()
        for name, about, counts in (
            ("studio_model_loads", "Models that were loaded.", loaded),
            ("studio_model_unloads", "Models that left memory.", unloaded),
        ):
            family = CounterMetricFamily(name, about, labels=["family"])
            for label, count in self._by_family(counts).items():
                family.add_metric([label], count)
            yield family
        memory = GaugeMetricFamily(
            "studio_memory_bytes",
            "Memory in use: of models by device, of the process.",
            labels=["of"],
        )
        held: dict[str, int] = {}
        for resident in pool.snapshot():
            held[resident.device] = held.get(resident.device, 0) + resident.nbytes
        for device, nbytes in held.items():
            memory.add_metric([f"models on {device}"], nbytes)
        memory.add_metric(["process"], memory_in_use("cpu"))
        yield memory

    def _by_family(self, counts: dict[str, int]) -> dict[str, int]:
        families: dict[str, int] = {}
        for model_id, count in counts.items():
            family = family_of(self._services, model_id)
            families[family] = families.get(family, 0) + count
        return families


def family_of(services: Services, model_id: str) -> str:
    """The family of a model of the catalog, of a fine-tuned one or of a remote's; else "other"."""
    known = {entry.id: entry.family for entry in services.catalog.entries()}
    families = {*known.values(), "remote"}
    family = known.get(model_id) or model_id.partition(":")[0].partition("-")[0]
    return family if family in families else OTHER


def _gauge(name: str, about: str, labels: dict[str, str], value: float) -> Metric:
    gauge = GaugeMetricFamily(name, about, labels=list(labels))
    gauge.add_metric(list(labels.values()), value)
    return gauge
