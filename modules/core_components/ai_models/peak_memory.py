"""How much memory the process held at most while something ran."""

from __future__ import annotations

import threading

_LOOK_S = 0.02


class PeakMemory:
    """Measures while its block runs; what comes and goes within 20 ms on the CPU may be missed.

    `cpu_bytes` is the whole process (resident), `gpu_bytes` what torch held on all NVIDIA GPUs: the
    memory that CTranslate2 (Whisper) takes there is not among it.
    """

    def __init__(self) -> None:
        self.cpu_bytes = 0
        self.gpu_bytes = 0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="peak memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        import torch

        for device in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(device)
        self._look()
        self._watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        import torch

        self._ended.set()
        self._watcher.join()
        self._look()
        devices = range(torch.cuda.device_count())
        self.gpu_bytes = sum(torch.cuda.max_memory_allocated(device) for device in devices)

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self._look()

    def _look(self) -> None:
        import psutil

        self.cpu_bytes = max(self.cpu_bytes, int(psutil.Process().memory_info().rss))
