"""How fast Kokoro speaks on a processor without AMX, by each way of computing its decoder.

`python bench/speaking_speed.py` speaks 55 and 200 phonemes in every way, in turns (a round of all
ways after another), and prints the seconds of speech a second: the median of the rounds, and the
ratio to the package's own float32 path, the median of the rounds' ratios. Each way is a process of
its own that waits for its turn. `--isa avx2` holds what can be held to AVX2; the last column says
how. `--sound` also judges every way: DNSMOS and Whisper's word errors of eight sentences in two
voices. `--ways` names some of them only, `--packages DIR` is a folder with libraries that are not
the studio's (pip install --target DIR openvino nncf), `--q8 FILE` the registries' quantized ONNX
graph (`kokoro.int8.onnx`). Ways whose library is missing are skipped, and it says so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

WAYS = (
    "package", "float32", "float32-fft", "bfloat16", "compile", "openvino", "openvino-int8", "ort",
    "ort-q8",
)  # fmt: skip
VOICES = ("af_heart", "am_michael")
PHONEMES = (
    "ðə hˈɑɹbəɹ wʌz kwˈIət bəfˈɔɹ dˈɔn, ænd ɐ sˈɪŋɡᵊl lˈæmp bˈɜɹnd əbˈʌv ðə kˈʌstəmz hˈWs. "
    "ðə fˈɪʃəɹmᵊn, hˌu hæd bˌɪn əwˈAk fɔɹ ˈWəɹz, wɜɹ ɔlɹˈɛdi fˈOldɪŋ ðɛɹ nˈɛts. "
    "sˈʌmbˌɑdi sˈæŋ, ænd ðə wˈɪnd kˌAm bˈæk wɪð ðə ɹˈAn."
)
SENTENCES = (
    "A quick judgment may hide the truth from those who seek it.",
    "We spent the whole afternoon repairing the roof of the wooden cabin.",
    "Their voices echoed through the empty station long after midnight.",
    "My uncle bought three green chairs and a small glass table yesterday.",
    "The train to the coast leaves every morning at a quarter past seven.",
    "She opened the window and listened to the rain on the garden wall.",
    "Nobody in the village remembered who had built the old stone bridge.",
    "Please put the fresh bread on the shelf next to the yellow bowl.",
)
# What holds torch (oneDNN, ATen, MKL) and OpenVINO to AVX2.
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "DNNL_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OV_CPU_MAX_ISA": "AVX2",
}
ORT_HELD = "ONNX Runtime has no switch"
# One utterance: the samples [n] at 24 kHz of phonemes, a style [1, 256] and a seed.
Speak = Callable[[str, Any, int], Any]


# -- The ways --------------------------------------------------------------------------------------


class UnavailableError(Exception):
    """This way cannot be tried here."""


def make_package(folder: Path) -> tuple[Speak, str]:
    """The package's own code from the tokens on, as `kokoro.KPipeline` calls it."""
    import torch

    from modules.core_components.ai_models.engines.kokoro.network import import_kmodel

    model = import_kmodel()(
        repo_id="hexgrad/Kokoro-82M",
        config=str(folder / "config.json"),
        model=str(folder / "kokoro-v1_0.pth"),
    ).eval()

    def speak(phonemes: str, style: Any, seed: int) -> Any:
        torch.manual_seed(seed)
        with torch.inference_mode():
            return model(phonemes, style, 1.0).numpy()

    return speak, torch.backends.cpu.get_cpu_capability()


def make_studio(folder: Path, precision: Any, replace: Callable[[Any], Any] | None = None) -> Speak:
    """The studio's wrapper; `replace` takes its decoder and gives another one."""
    from modules.core_components.ai_models.engines.kokoro.wrapper import KokoroV1Wrapper

    model = KokoroV1Wrapper(folder / "config.json", folder / "kokoro-v1_0.pth", "cpu", precision)
    if replace is not None:
        model._decoder = replace(model)
    return lambda phonemes, style, seed: model.synthesize(phonemes, style, seed=seed).samples


class OtherDecoder:
    """The interface of `FastDecoder` around a function of (text, pitch, energy, timbre, source)
    that gives the logarithm of the magnitudes and the sines' angles [1, 22, frames]."""

    def __init__(self, model: Any, compute: Callable[..., Any]) -> None:
        self._stft = model.model.decoder.generator.stft
        self._compute = compute
        self.excitation = model._decoder.excitation

    def __call__(self, text: Any, f0: Any, energy: Any, timbre: Any, source: Any, *_: Any) -> Any:
        import torch

        found = self._compute(text, f0, energy, timbre, source[:, :, 0])
        half = found.shape[1] // 2
        return self._stft.inverse(found[:, :half].exp(), torch.sin(found[:, half:])).reshape(-1)


def plain_network(model: Any) -> Any:
    """`kokoro.istftnet.Decoder` up to its inverse STFT, as a module that can be traced."""
    import torch

    decoder = model.model.decoder
    generator = decoder.generator

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decoder = decoder

        def forward(self, text: Any, f0: Any, energy: Any, timbre: Any, source: Any) -> Any:
            pitch, loud = decoder.F0_conv(f0[:, None]), decoder.N_conv(energy[:, None])
            x = decoder.encode(torch.cat([text, pitch, loud], 1), timbre)
            residual = decoder.asr_res(text)
            for block in decoder.decode:
                x = block(torch.cat([x, residual, pitch, loud], 1), timbre)
            for i in range(generator.num_upsamples):
                x = torch.nn.functional.leaky_relu(x, 0.1)
                noise = generator.noise_res[i](generator.noise_convs[i](source), timbre)
                x = generator.ups[i](x)
                if i == generator.num_upsamples - 1:
                    x = generator.reflection_pad(x)
                x = x + noise
                n = generator.num_kernels
                blocks = generator.resblocks[i * n : (i + 1) * n]
                x = sum(block(x, timbre) for block in blocks) / n
            return generator.conv_post(torch.nn.functional.leaky_relu(x))

    return Network().eval()


def examples(model: Any, folder: Path, count: int) -> list[tuple[Any, ...]]:
    """Inputs of the network for the first words of the sentences, in both voices."""
    import torch

    from modules.core_components.ai_models.engines.kokoro.wrapper import predict_prosody

    found = []
    with torch.inference_mode():
        for i in range(count):
            phonemes = PHONEMES[13 * i : 13 * i + 40]
            pack = torch.load(folder / "voices" / f"{VOICES[i % 2]}.pt", weights_only=True)
            ids = torch.tensor([[0, *(model.vocabulary[p] for p in phonemes), 0]])
            style = pack[len(phonemes) - 1]
            prosody = predict_prosody(model.model, ids, style, 1.0)
            source = model._decoder.excitation(prosody.pitch_hz, torch.Generator().manual_seed(i))
            found.append(
                (prosody.text, prosody.pitch_hz, prosody.energy, style[:, :128], source[:, :, 0])
            )
    return [tuple(part.clone() for part in example) for example in found]


def make_compiled(folder: Path) -> tuple[Speak, str]:
    """The network of the package through TorchInductor (needs a C++ compiler)."""
    import shutil

    import torch

    if shutil.which("g++") is None:
        raise UnavailableError("no C++ compiler")
    import torch._inductor.config

    if os.environ.get("ATEN_CPU_CAPABILITY") == "avx2":
        torch._inductor.config.cpp.simdlen = 256
    torch._inductor.config.freezing = True

    def replace(model: Any) -> Any:
        network = torch.compile(plain_network(model), dynamic=True)

        def compute(*inputs: Any) -> Any:
            with torch.no_grad():
                return network(*(part.clone() for part in inputs))

        return OtherDecoder(model, compute)

    speak = make_studio(folder, "float32", replace)
    return speak, f"{torch.backends.cpu.get_cpu_capability()}, simdlen"


def make_openvino(folder: Path, int8: bool, threads: int) -> tuple[Speak, str]:
    """OpenVINO with lengths left open; int8: all convolutions quantized but the first and last."""
    try:
        import openvino

        if int8:
            import nncf
    except ImportError as error:
        raise UnavailableError(str(error)) from error
    import torch

    held: list[str] = []

    def replace(model: Any) -> Any:
        inputs = examples(model, folder, 8)
        with torch.no_grad():
            network = openvino.convert_model(
                plain_network(model),
                example_input=inputs[0],
                input=[(1, 512, -1), (1, -1), (1, -1), (1, 128), (1, 22, -1)],
            )
        if int8:
            outer = ["conv_post", "noise_convs", "F0_conv", "N_conv", "asr_res", "ups"]
            network = nncf.quantize(
                network,
                nncf.Dataset([[part.numpy() for part in example] for example in inputs]),
                subset_size=len(inputs),
                ignored_scope=nncf.IgnoredScope(
                    patterns=[f".*{name}.*" for name in outer], validate=False
                ),
            )
        config = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = openvino.Core().compile_model(network, "CPU", config)
        kinds: dict[str, int] = {}
        request = compiled.create_infer_request()
        request.infer([part.numpy() for part in inputs[0]])
        for node in compiled.get_runtime_model().get_ops():
            about = node.get_rt_info()
            if "layerType" in about and "Convolution" in str(about["layerType"].astype(str)):
                kind = about["primitiveType"].astype(str)
                kinds[kind] = kinds.get(kind, 0) + 1
        held.append(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))

        def compute(*parts: Any) -> Any:
            found = request.infer([part.contiguous().numpy() for part in parts])
            return torch.from_numpy(next(iter(found.values())).copy())

        return OtherDecoder(model, compute)

    speak = make_studio(folder, "float32", replace)
    return speak, held[0]


def make_ort(folder: Path, threads: int) -> tuple[Speak, str]:
    """ONNX Runtime in float32. It has no switch that holds it to AVX2."""
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads

    def replace(model: Any) -> Any:
        names = ["text", "f0", "energy", "timbre", "source"]
        with tempfile.TemporaryDirectory() as place, torch.no_grad():
            file = Path(place) / "decoder.onnx"
            torch.onnx.export(
                plain_network(model),
                examples(model, folder, 1)[0],
                str(file),
                input_names=names,
                output_names=["spectrum"],
                dynamic_axes={
                    "text": {2: "a"},
                    "f0": {1: "b"},
                    "energy": {1: "b"},
                    "source": {2: "c"},
                    "spectrum": {2: "c"},
                },
                opset_version=17,
                dynamo=False,
            )
            session = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])

        def compute(*parts: Any) -> Any:
            given = {
                name: part.contiguous().numpy() for name, part in zip(names, parts, strict=True)
            }
            return torch.from_numpy(session.run(None, given)[0])

        return OtherDecoder(model, compute)

    return make_studio(folder, "float32", replace), ORT_HELD


def make_q8(folder: Path, graph: Path | None, threads: int) -> tuple[Speak, str]:
    """The registries' graph as it is: dynamically quantized, from the tokens to the samples."""
    import onnxruntime

    if graph is None:
        raise UnavailableError("--q8 names no file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(graph), options, ["CPUExecutionProvider"])
    vocabulary = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab"]

    def speak(phonemes: str, style: Any, seed: int) -> Any:
        import numpy as np

        tokens = np.array([[0, *(vocabulary[p] for p in phonemes), 0]])
        given = {"tokens": tokens, "style": style.numpy(), "speed": np.ones(1, np.float32)}
        return session.run(None, given)[0].reshape(-1)

    return speak, ORT_HELD


def make(way: str, folder: Path, graph: Path | None, threads: int) -> tuple[Speak, str]:
    """How this way speaks, and what instructions it uses. Raises UnavailableError."""
    import torch

    torch.set_num_threads(threads)
    capability = torch.backends.cpu.get_cpu_capability()
    if way == "package":
        return make_package(folder)
    if way == "compile":
        return make_compiled(folder)
    if way.startswith("openvino"):
        return make_openvino(folder, way.endswith("int8"), threads)
    if way == "ort":
        return make_ort(folder, threads)
    if way == "ort-q8":
        return make_q8(folder, graph, threads)
    if way == "bfloat16":
        has = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        if not has or "ATEN_CPU_CAPABILITY" in os.environ:
            raise UnavailableError("not on AVX2")
    return make_studio(folder, way), capability


# -- The process of a way --------------------------------------------------------------------------


def work(way: str, folder: Path, graph: Path | None, threads: int) -> None:
    """Answers lines on the standard input with JSON lines on what was the standard output."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer

    def answer(value: object) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    start = time.monotonic()
    try:
        speak, held = make(way, folder, graph, threads)
    except UnavailableError as error:
        answer({"skipped": str(error)})
        return
    except Exception as error:  # noqa: BLE001 - whatever a library raises, the others go on
        answer({"skipped": f"{type(error).__name__}: {str(error)[:300]}"})
        return
    answer({"held": held, "ready_s": time.monotonic() - start})
    import numpy as np
    import torch

    packs = {
        voice: torch.load(folder / "voices" / f"{voice}.pt", weights_only=True) for voice in VOICES
    }
    for line in sys.stdin:
        order = json.loads(line)
        phonemes, voice = order["phonemes"], order.get("voice", VOICES[0])
        start = time.perf_counter()
        samples = speak(phonemes, packs[voice][len(phonemes) - 1], order.get("seed", 0))
        seconds = time.perf_counter() - start
        if "into" in order:
            np.save(order["into"], samples)
        answer({"seconds": seconds, "speech_s": len(samples) / 24_000})


class Worker:
    """A way in its own process."""

    def __init__(self, way: str, given: argparse.Namespace) -> None:
        self.way = way
        environment = dict(os.environ, OMP_NUM_THREADS=str(given.threads))
        if given.isa == "avx2":
            environment |= AVX2
        if given.packages:
            environment["PYTHONPATH"] = os.pathsep.join(map(str, given.packages))
        command = [sys.executable, __file__, "--worker", way, "--models", str(given.models)]
        command += ["--threads", str(given.threads)]
        command += ["--q8", str(given.q8)] if given.q8 else []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, text=True,
        )  # fmt: skip
        self.about = self._read()

    def speak(self, **order: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            tail = self._log.read().decode(errors="replace")[-500:]
            return {"skipped": f"it ended: {tail}"}
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


# -- The tables ------------------------------------------------------------------------------------


def compare_speed(workers: list[Worker], lengths: list[int], rounds: int) -> None:
    """Prints a line for each way: seconds of speech a second, and the ratio to the first way."""
    speeds: dict[tuple[str, int], list[float]] = {}
    first: dict[tuple[str, int], float] = {}
    for length in lengths:
        for turn in range(rounds + 1):
            for worker in list(workers):
                found = worker.speak(phonemes=PHONEMES[:length])
                if "skipped" in found:
                    print(f"{worker.way} is skipped: {found['skipped']}", flush=True)
                    workers.remove(worker)
                    continue
                if turn == 0:  # the first one of a length compiles or packs what it needs
                    first[worker.way, length] = found["seconds"]
                    continue
                speed = found["speech_s"] / found["seconds"]
                speeds.setdefault((worker.way, length), []).append(speed)
    titles = [f"{n} phonemes | ratio (rounds) | first, s" for n in lengths]
    print(f"| way | {' | '.join(titles)} | ready after s | held to |")
    print("|" + "---|" * (3 * len(lengths) + 3))
    for worker in workers:
        cells = [worker.way]
        for length in lengths:
            own, base = speeds[worker.way, length], speeds[workers[0].way, length]
            ratios = [a / b for a, b in zip(own, base, strict=True)]
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            cells += [f"{statistics.median(own):.2f}", spread, f"{first[worker.way, length]:.2f}"]
        print(
            "|", " | ".join([*cells, f"{worker.about['ready_s']:.0f}", worker.about["held"]]), "|"
        )


def compare_sound(workers: list[Worker], models: Path) -> None:
    """Prints DNSMOS and word errors of each way, and the distance to the studio's float32."""
    import jiwer
    import librosa
    import numpy as np
    from faster_whisper import WhisperModel

    from bench.voice_judges import naturalness
    from bench.voice_study import make_phonemizer

    phonemize = make_phonemizer()
    listener = WhisperModel(str(models / "whisper" / "tiny.en"), device="cpu", compute_type="int8")

    def plain(text: str) -> str:
        return "".join(c for c in text.lower() if c.isalpha() or c in " '").strip()

    print("| way | voice | DNSMOS | word errors | words heard unlike float32's |")
    print("|---|---|---|---|---|")
    heard_in_float32: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as place:
        for worker in sorted(workers, key=lambda worker: worker.way != "float32"):
            for voice in VOICES:
                clips, heard = [], []
                for number, sentence in enumerate(SENTENCES):
                    file = Path(place) / "clip.npy"
                    worker.speak(
                        phonemes=phonemize(sentence), voice=voice, seed=number, into=str(file)
                    )
                    clip = librosa.resample(np.load(file), orig_sr=24_000, target_sr=16_000)
                    clips.append(clip)
                    segments, _ = listener.transcribe(clip, language="en", beam_size=5)
                    heard.append(plain(" ".join(segment.text for segment in segments)))
                errors = jiwer.wer([plain(sentence) for sentence in SENTENCES], heard)
                usual = heard_in_float32.setdefault(voice, heard)
                unlike = jiwer.wer(usual, heard)
                print(f"| {worker.way} | {voice} | {naturalness(clips):.3f} | {errors:.2%} "
                      f"| {unlike:.2%} |", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--isa", choices=("all", "avx2"), default="all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lengths", type=int, nargs="+", default=[55, 200])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--packages", type=Path, nargs="*", default=[])
    parser.add_argument("--q8", type=Path)
    parser.add_argument("--sound", action="store_true")
    parser.add_argument(
        "--models", type=Path, default=Path(__file__).resolve().parents[1] / "base_models"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given.worker, given.models / "kokoro" / "v1_0", given.q8, given.threads)
        return
    workers = []
    for way in dict.fromkeys(["package", *given.ways]):
        worker = Worker(way, given)
        if "skipped" in worker.about:
            print(f"{way} is skipped: {worker.about['skipped']}", flush=True)
        else:
            workers.append(worker)
    compare_speed(workers, given.lengths, given.rounds)
    if given.sound:
        compare_sound(workers, given.models)
    for worker in workers:
        worker.close()


if __name__ == "__main__":
    main()
