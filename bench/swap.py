"""How much faster a model comes back from CPU memory than from the disk.

`python bench/swap.py [--layers 10] [--rounds 5]` writes a random VibeVoice of about 57 MB a layer,
loads it with the studio's own loader into a pool that holds one model, puts it out and takes it
back, and prints JSON. It ends with 1 when coming back is not five times faster than loading files
that the system still has in its cache.

`studio` is what the studio does on this machine. On a GPU the model really moves there and back.
On a CPU it is in CPU memory already: putting it out only books it elsewhere, and nothing moves.
So that something does, `stand_in` is measured as well there: a part of CPU memory in the place of a
GPU's. A load ends with the copy of every weight into it, as on a GPU, and coming back is that copy
alone, at the speed of this memory and not at that of a PCIe bus. The stand-in's memory stays
allocated, as torch keeps what was once taken on a GPU.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modules.core_components.ai_models.model_pool import HOST, ModelPool, ModelSpec
from modules.core_components.ai_models.tts_manager import TTSManager
from modules.core_components.settings import load_settings
from tests.helpers.tiny_vibevoice import FOLDERS, TINY, build_tiny_vibevoice

MODEL = "vibevoice-1.5b"
WANTED = 5.0
ROOM = 12 * 2**30


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--layers", type=int, default=10)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        checkpoint = root / "models" / FOLDERS[MODEL]
        layers = {"hidden_size": 1536, "intermediate_size": 1536, "num_hidden_layers": given.layers}
        build_tiny_vibevoice(checkpoint, dataclasses.replace(TINY, text={**TINY.text, **layers}))
        manager = TTSManager(load_settings(root, {"models_folder": str(root / "models")}))
        engine: Any = manager.get(MODEL)
        spec = engine.model_spec()
        report = {"studio": measured(spec, checkpoint, given.rounds)}
        if spec.device == "cpu":
            report["stand_in"] = measured(moving(spec), checkpoint, given.rounds)
    print(json.dumps({"device": spec.device, **report}, indent=2))
    return 0 if report["studio"]["times_faster_than_cached_disk"] >= WANTED else 1


def measured(spec: ModelSpec[Any], checkpoint: Path, rounds: int) -> dict[str, Any]:
    """Medians in seconds over the rounds."""
    other = ModelSpec("room for one", spec.device, ROOM, lambda: None, measure=lambda _: ROOM)
    pool = ModelPool({spec.device: ROOM, HOST: ROOM}, meter=lambda device: 0)

    def brought() -> Cost:
        start = Cost.so_far()
        with pool.lease(spec):
            return Cost.since(start)

    def put_out() -> None:
        with pool.lease(other):
            pass
        pool.invalidate(other.key)

    brought()  # imports, and the hash of every file
    nbytes = next(found.nbytes for found in pool.snapshot())
    costs: dict[str, list[Cost]] = {"disk": [], "cached_disk": [], "cpu_memory": []}
    for _ in range(rounds):
        for kind, prepare in (("disk", lambda: forget(checkpoint)), ("cached_disk", _nothing)):
            pool.unload_all()
            prepare()
            costs[kind].append(brought())
        put_out()
        costs["cpu_memory"].append(brought())
    pool.close()
    seconds = {kind: statistics.median(c.wall_s for c in found) for kind, found in costs.items()}
    busy = {kind: statistics.median(c.processor_s for c in found) for kind, found in costs.items()}
    return {
        "model_mb": round(nbytes / 1e6),
        "seconds": {kind: round(value, 4) for kind, value in seconds.items()},
        "processor_seconds": {kind: round(value, 4) for kind, value in busy.items()},
        "all_seconds": {kind: [round(c.wall_s, 4) for c in f] for kind, f in costs.items()},
        "times_faster_than_disk": round(seconds["disk"] / seconds["cpu_memory"], 1),
        "times_faster_than_cached_disk": round(seconds["cached_disk"] / seconds["cpu_memory"], 1),
    }


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, and of the processor, which other work beside it does not add to."""

    wall_s: float
    processor_s: float

    @staticmethod
    def so_far() -> Cost:
        return Cost(time.perf_counter(), time.process_time())

    @staticmethod
    def since(start: Cost) -> Cost:
        now = Cost.so_far()
        return Cost(now.wall_s - start.wall_s, now.processor_s - start.processor_s)


def moving(spec: ModelSpec[Any]) -> ModelSpec[Any]:
    """The same model, on a stand-in for a GPU."""
    gpu = StandIn()
    return dataclasses.replace(
        spec, load=lambda: gpu.entered(spec.load()), to_host=gpu.left, to_device=gpu.entered
    )


class StandIn:
    """A GPU's memory, in CPU memory: a place for every weight of one model."""

    def __init__(self) -> None:
        self._places: dict[str, Any] = {}

    def entered(self, network: Any) -> Any:
        """The model with every weight copied to its place here."""
        for name, parameter in network.model.named_parameters():
            if name not in self._places:
                self._places[name] = parameter.data.clone()
            parameter.data = self._places[name].copy_(parameter.data)
        return network

    def left(self, network: Any) -> Any:
        """The model with every weight in other CPU memory, taken anew each time."""
        for parameter in network.model.parameters():
            parameter.data = parameter.data.clone()
        return network


def forget(folder: Path) -> None:
    """Has the system drop the files from its cache, as far as it lets us."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _nothing() -> None:
    return


if __name__ == "__main__":
    sys.exit(main())
