"""How the program under modules/ is divided into files, in figures, for comparisons over time.

`python bench/house.py [--root DIR] [--json] [--fragments] [--no-paths]` measures this checkout or
another one (its own tests/ are used for the paths). How each figure is counted:

- lines: as `wc -l`. The median is over the files that are not empty `__init__.py`.
- import lines: those that an import statement covers, at any depth, of all lines.
- functions: `def` and `async def` at any depth, methods included.
- imports: import statements anywhere, under TYPE_CHECKING and in functions too, and strings that
  name a module ("modules.a.b" or "modules.a.b:name"). `from package import module` is an import of
  the module. Only imports from other files of modules/ count.
- files with one importer: exactly one other file imports them; fragments are those below 80 lines.
- circles: strongly connected components of two files or more in the graph of these imports.
- paths: four requests run for real on tiny models in a traced process: every call of a Python
  function of modules/ counts, except while a module is being imported. `files` are those in which
  a function was called. A file is entered when a function of it is called from another file of
  modules/ (what lies between, such as Gradio or a library, is left out) or from outside, as by the
  server or a new thread. Each pair of a calling and a called function counts once, so that loops,
  resumed generators and polling do not. `entries` is their sum, and what somebody has to follow who
  reads the path with a debugger.
- above ground: the same without the ground modules (GROUND below), which every file uses for its
  values, errors, progress, settings and text. `turns` counts for each file the files that it is
  entered from, so that a file that calls two functions of it counts once;
  `entered_more_than_twice` are the files with three callers or more.

The paths are: `text` from the Generate button of the Voice Clone tab (stock voice, Kokoro) to the
decoder and the take that is kept, once with the loading of the model and once after it; `sample`
from the button that adds one to the library; `api` a request to /v1/audio/speech for a WAV file;
`training` from a dataset through the preflight and the start of the job to the last step, its child
process included.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# The only names of the program that the traced requests use: change them here when they move.
OPEN_SERVICES = "modules.tools.services:open_services"
REGISTER_JOBS = "modules.tools.jobs:register_job_kinds"
CREATE_APP = "modules.ui.server:create_app"
TRAINING_REQUEST = "modules.tools.training.preflight:TrainingRequest"
PREFLIGHT = "modules.tools.training.preflight:preflight"
START_TRAINING = "modules.tools.training.training:start_training"
BUILD_KOKORO = "tests.helpers.tiny_kokoro:build_tiny_kokoro"
BUILD_XTTS = "tests.helpers.tiny_xtts:build_tiny_xtts"
INSTALL_XTTS = "tests.helpers.tiny_xtts:install_tiny_xtts"
OPEN_CATALOG = "tests.helpers.open_catalog:open_catalog"
ESPEAK = "tests.helpers.espeak:espeak"
ADD_DATASET = "tests.helpers.xtts_studio:add_dataset"

AGREED = "This is my own voice, or the speaker agreed to this use of it."  # the label on the page
# Names and labels of other commits, so that they can be measured by this script, too.
FORMER_PLACES = {
    REGISTER_JOBS: "modules.tools.job_kinds:register_job_kinds",
    TRAINING_REQUEST: "modules.tools.train_xtts:TrainingRequest",
    PREFLIGHT: "modules.tools.preflight:preflight",
    START_TRAINING: "modules.tools.train_xtts:start_training",
}
FORMER_LABELS = {
    "Speaker (optional)": "Whose voice is it?",
    "Audio or video": "Recording",
    "Name (optional)": "Name",
}
# Values and helpers without a flow of their own: they are used from everywhere.
GROUND = (
    *("core_components/values.py", "core_components/errors.py", "core_components/progress.py"),
    *("core_components/atomic.py", "core_components/settings.py", "core_components/version.py"),
    *("core_components/text/", "core_components/audio/"),
)
PATHS = ("text, model not loaded", "text", "sample", "api", "training")
LONG_FILE, FRAGMENT = 450, 80
TRACE_CHILD = "HOUSE_TRACE_CHILD"  # names modules/ and the folder for the calls of a child process


# --- Structure: what can be read off the files ---


def measure_structure(root: Path) -> dict[str, Any]:
    """The figures of modules/ in a checkout, see the head of this file."""
    paths = sorted((root / "modules").rglob("*.py"))
    names = {module_name(path, root): path for path in paths}
    trees = {name: ast.parse(path.read_bytes()) for name, path in names.items()}
    lines = {name: path.read_bytes().count(b"\n") for name, path in names.items()}
    filled = [
        n for n, path in names.items() if path.name != "__init__.py" or path.read_text().strip()
    ]
    imports = {name: imported(name, tree, set(names)) for name, tree in trees.items()}
    importers = Counter(target for targets in imports.values() for target in targets)
    single = {name: lines[name] for name in filled if importers[name] == 1}
    fragments = {name: count for name, count in single.items() if count < FRAGMENT}
    total = sum(lines.values())
    functions = sum(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for tree in trees.values()
        for node in ast.walk(tree)
    )
    return {
        "files": len(names),
        "files_without_empty_init": len(filled),
        "lines": total,
        "median_file_lines": statistics.median(lines[name] for name in filled),
        "import_lines_percent": round(100 * sum(map(import_lines, trees.values())) / total, 1),
        "functions_per_1000_lines": round(1000 * functions / total, 1),
        "files_with_one_importer": len(single),
        "lines_with_one_importer": sum(single.values()),
        "fragments": len(fragments),
        "fragment_lines": sum(fragments.values()),
        "fragment_list": fragments,
        "circles": circles(imports),
        "long_files": {name: count for name, count in lines.items() if count > LONG_FILE},
    }


def module_name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def import_lines(tree: ast.Module) -> int:
    covered: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            covered.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(covered)


def imported(name: str, tree: ast.Module, known: set[str]) -> set[str]:
    """The modules among `known` that a module imports or names in a string."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value.partition(":")[0])
    return (found & known) - {name}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of two modules or more, the largest first."""

    def reachable(start: str) -> set[str]:
        seen, waiting = set(), [start]
        while waiting:
            for target in graph[waiting.pop()] - seen:
                seen.add(target)
                waiting.append(target)
        return seen

    reach = {name: reachable(name) for name in graph}
    found = {
        tuple(sorted(other for other in reach[name] if name in reach[other]))
        for name in graph
        if name in reach[name]
    }
    return [list(circle) for circle in sorted(found, key=lambda circle: (-len(circle), circle))]


# --- Paths: what a request goes through ---


class Tracer:
    """Notes the calls between the files of `folder` in every thread that begins after it."""

    def __init__(self, folder: Path) -> None:
        self._prefix = f"{folder}{os.sep}"
        self.calls: set[tuple[str, str, str]] = set()  # calling function, called file and function
        self.is_on = False
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def _profile(self, frame: Any, event: str, _argument: object) -> None:
        code = frame.f_code
        if event != "call" or not self.is_on or not code.co_filename.startswith(self._prefix):
            return
        file, caller, is_new = code.co_filename, "outside", True
        above = frame
        while above is not None:
            if above.f_code.co_name == "<module>" or "importlib" in above.f_code.co_filename:
                return
            if above is not frame and above.f_code.co_filename.startswith(self._prefix):
                caller = f"{above.f_code.co_filename}:{above.f_code.co_qualname}"
                is_new = above.f_code.co_filename != file
                break
            above = above.f_back
        place = file.removeprefix(self._prefix)
        # A call inside one file says that the file takes part, but is no entry.
        self.calls.add((caller if is_new else "", place, code.co_qualname if is_new else ""))


def path_figures(calls: set[tuple[str, str, str]]) -> dict[str, Any]:
    entries = Counter(file for caller, file, _ in calls if caller)
    files = {file for _, file, _ in calls}
    above = {file for file in files if not file.startswith(GROUND)}
    turns = Counter(
        file
        for _, file in {(caller.partition(":")[0], file) for caller, file, _ in calls if caller}
        if file in above
    )
    return {
        "files": len(files),
        "entries": sum(entries.values()),
        "entries_of_file": dict(entries.most_common()),
        "files_above_ground": len(above),
        "turns": sum(turns.values()),
        "entered_more_than_twice": {f: count for f, count in turns.most_common() if count > 2},
    }


def load(place: str) -> Any:
    module, _, name = place.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        if place in FORMER_PLACES:
            return load(FORMER_PLACES[place])
        if module.startswith("tests.helpers."):
            return load(place.replace("tests.helpers.", "tests."))
        raise


def trace_paths() -> dict[str, Any]:
    """Runs the requests in the current folder's checkout, in this process."""
    tracer = Tracer(Path.cwd() / "modules")
    figures: dict[str, Any] = {}

    @contextmanager
    def recorded(path: str) -> Iterator[None]:
        tracer.calls, tracer.is_on = set(), True
        yield
        tracer.is_on = False
        figures[path] = path_figures(tracer.calls)

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        services = open_tiny_studio(root)
        try:
            trace_requests(services, recorded)
            write_child_hook(root / "hook")
            load(ADD_DATASET)(services, "Short")
            plan = {"epochs": 1, "batch_size": 8, "early_stopping": 0, "workers": 0}
            request = load(TRAINING_REQUEST)("traced", "Short", options=plan)
            with recorded("training"):
                found = load(PREFLIGHT)(services, request)
                assert not found.stops, found.stops
                finish(services, load(START_TRAINING)(services, request).id)
                for part in (root / "hook").glob("*.json"):
                    tracer.calls |= {tuple(call) for call in json.loads(part.read_text())}
        finally:
            services.close()
    return figures


def open_tiny_studio(root: Path) -> Any:
    """A studio whose Kokoro and XTTS are random and small."""
    models = root / "models"
    load(BUILD_KOKORO)(models / "kokoro" / "v1_0", ("af_heart",))
    load(INSTALL_XTTS)(load(BUILD_XTTS)(root / "xtts"), models)
    # The hashes of the real weights do not hold for the tiny ones.
    catalog = load(OPEN_CATALOG)(models, ("kokoro-v1.0", "xtts-v2.0.3", "xtts-v2-training"))
    os.environ.update(VOICE_STUDIO_CATALOG=str(catalog), GRADIO_ANALYTICS_ENABLED="False")
    os.environ.pop("VOICE_STUDIO_MODELS", None)
    choices = {"models_folder": str(models), "device": "cpu", "score_takes": False}
    services = load(OPEN_SERVICES)(root / "data", choices)
    load(REGISTER_JOBS)(services)
    voices = models / "kokoro" / "v1_0" / "voices"
    for name in services.catalog.missing_files(services.catalog.entry("kokoro-v1.0")):
        shutil.copy(voices / "af_heart.pt", voices.parent / name)
    return services


def finish(services: Any, job_id: str) -> None:
    job = services.jobs.wait(job_id, 300.0)
    assert job.state == "done", job


def trace_requests(services: Any, recorded: Callable[[str], Any]) -> None:
    from fastapi.testclient import TestClient

    page_client = importlib.import_module("tests.ui.page_client")
    app = load(CREATE_APP)(services)
    with TestClient(app, base_url=page_client.HERE) as client:
        page = client.get("/config").json()
        parts = {part["id"]: part["props"] for part in page["components"]}
        page_client.open_page(client)

        def press(label: str, **values: Any) -> list[Any]:
            """Fires the event of the part with this value ("": any, as for one that follows on
            another) whose inputs have all these labels; the other inputs keep their values."""
            values = {name.replace("_", " "): value for name, value in values.items()}
            labels = {str(part.get("label")) for part in parts.values()}
            for now, before in FORMER_LABELS.items():
                if now in values and now not in labels:
                    values[before] = values.pop(now)
            event = next(
                event
                for event in page["dependencies"]
                if set(values) <= {str(parts[n].get("label")) for n in event["inputs"]}
                and label
                in {parts[n].get("value") for n, _ in event["targets"] if n in parts} | {""}
            )
            data = [
                values.get(str(parts[n].get("label")), parts[n].get("value"))
                for n in event["inputs"]
            ]
            if "Stock voice" in values:  # of the two kinds of voices, the second
                data[0] = "preset"
            outcome = page_client.fire(client, event["id"], data)
            assert outcome["success"], outcome
            return list(outcome["output"]["data"])

        # The menus of the page know the voices once the kind of voice is chosen.
        press("sample", Stock_voice="", Engine="kokoro-v1.0", Language="en-us")
        said = {"Text_to_speak": "Good morning.", "Stock_voice": "af_heart", "Seed": 1}
        said |= {"Engine": "kokoro-v1.0", "Language": "en-us"}
        for path in PATHS[:2]:
            with recorded(path):
                press("Generate", **said)
                finish(services, services.jobs.list()[0].id)
        upload = {"files": ("anna.wav", speech_wav())}
        stored = client.post("/gradio_api/upload", files=upload).json()[0]
        file: Any = {"path": stored, "meta": {"_type": "gradio.FileData"}}
        if any(part.get("file_count") == "multiple" for part in parts.values()):
            file = [file]  # as the form of a sample takes them now
        with recorded("sample"):
            form = {"Audio or video": file, "Name (optional)": "Anna"}
            form["Speaker (optional)"] = "Anna"
            press("", **form, **{AGREED: True})
        assert services.samples.get("Anna")
        with recorded("api"):
            body = {"input": "Good morning.", "voice": "af_heart", "response_format": "wav"}
            assert client.post("/v1/audio/speech", json=body).status_code == 200


def speech_wav() -> bytes:
    """Some seconds of speech by espeak, 16 bit."""
    speech = load(ESPEAK)("A single lamp burned above the customs house. " * 3)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(speech.sample_rate_hz)
        out.writeframes((speech.samples * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def write_child_hook(folder: Path) -> None:
    """Has the Python processes that are started from now on note their calls in `folder`."""
    folder.mkdir()
    here = str(Path(__file__).resolve().parent)
    hook = f"import sys\nsys.path.append({here!r})\nimport house\nhouse.trace_child()\n"
    (folder / "sitecustomize.py").write_text(hook)
    os.environ["PYTHONPATH"] = str(folder)
    os.environ[TRACE_CHILD] = json.dumps([str(Path.cwd() / "modules"), str(folder)])


def trace_child() -> None:
    import atexit

    modules, calls = json.loads(os.environ[TRACE_CHILD])
    tracer = Tracer(Path(modules))
    tracer.is_on = True
    end_process = os._exit

    def keep() -> None:
        Path(calls, f"{os.getpid()}.json").write_text(json.dumps(sorted(tracer.calls)))

    def keep_and_leave(code: int) -> None:
        keep()
        end_process(code)

    atexit.register(keep)
    os._exit = keep_and_leave  # the process that trains ends itself this way


# --- The report ---


def measure_paths(root: Path) -> dict[str, Any]:
    """The paths of a checkout, each measured in a process of that checkout's own modules."""
    command = [sys.executable, str(Path(__file__).resolve()), "--traced"]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The paths could not be traced:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(figures: dict[str, Any]) -> Iterator[str]:
    for name, value in figures.items():
        if isinstance(value, int | float):
            yield f"{name.replace('_', ' '):34}{value:>10}"
    yield f"{'circles':34}{len(figures['circles']):>10}"
    yield from (f"  {' <-> '.join(circle)}" for circle in figures["circles"])
    yield f"{'files above ' + str(LONG_FILE) + ' lines':34}{len(figures['long_files']):>10}"
    yield from (f"  {name}: {count}" for name, count in figures["long_files"].items())
    for path, found in figures.get("paths", {}).items():
        most = list(found["entries_of_file"].items())[:5]
        yield f"path: {path}: {found['files']} files, {found['entries']} entries"
        many = len(found["entered_more_than_twice"])
        yield f"  above ground: {found['files_above_ground']} files, {found['turns']} turns"
        yield f"  entered from more than two files: {many}"
        yield "  most entered: " + ", ".join(f"{file} ({count})" for file, count in most)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    parser.add_argument("--fragments", action="store_true", help="list the small files, too")
    parser.add_argument("--no-paths", action="store_true", help="structure only: half a second")
    parser.add_argument("--traced", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.traced:
        print(json.dumps(trace_paths()))
        return
    figures = measure_structure(given.root.resolve())
    if not given.no_paths:
        figures["paths"] = measure_paths(given.root.resolve())
    if given.json:
        print(json.dumps(figures, indent=2))
        return
    print("\n".join(table(figures)))
    if given.fragments:
        print("\n".join(f"{n:>5} {name}" for name, n in figures["fragment_list"].items()))


if __name__ == "__main__":
    main()
