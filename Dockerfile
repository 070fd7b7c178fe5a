# Voice Clone Studio in a container: `docker build -t voice-clone-studio .`, and for NVIDIA GPUs
# `docker build --target cuda -t voice-clone-studio:cuda .`. No model is inside: what is chosen
# is downloaded into the volume /data. How it is started is in start-container.sh.
FROM python:3.11-slim-bookworm AS base
# FFmpeg reads recordings in unusual formats. Debian's own version gets security updates; a pinned
# one would vanish from the mirror.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*
# The folders that get volumes of their own (compose.yaml) belong to the studio's user too.
RUN useradd --create-home --uid 1000 studio \
    && install --directory --owner studio --group studio \
        /data /data/samples /data/base_models /data/output /data/datasets
WORKDIR /app
# What the installation needs comes first: it is made anew only when one of these files changes.
COPY requirements.txt requirements-cuda.txt requirements-cluster.txt smart_install.py ./
COPY installer ./installer
ENV STUDIO_DATA=/data
VOLUME /data
EXPOSE 7860
HEALTHCHECK --start-period=120s CMD ["bash", "/app/start-container.sh", "--health"]
ENTRYPOINT ["bash", "/app/start-container.sh"]

FROM base AS cuda
# PyTorch with CUDA; the driver is the host's, by NVIDIA's container toolkit.
RUN python smart_install.py --cuda --no-models && rm -rf /root/.cache
COPY . .
USER 1000

# The last target is what a build without --target makes.
FROM base AS cpu
RUN python smart_install.py --cpu --no-models && rm -rf /root/.cache
COPY . .
USER 1000
