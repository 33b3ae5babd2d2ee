# tf_darts with its dependencies. On a machine without a GPU:
#   docker build -t tf_darts . && docker run --rm -v "$PWD/runs:/work/runs" tf_darts --mode=search --dataset=digits
# With NVIDIA GPUs (the container toolkit must be on the host):
#   docker build --build-arg EXTRA=cuda -t tf_darts:gpu . && docker run --gpus all ... tf_darts:gpu ...
FROM python:3.12-slim

ARG EXTRA=""

WORKDIR /opt/tf_darts
COPY requirements.txt pyproject.toml README.md LICENSE ./
COPY tf_darts ./tf_darts
COPY flags ./flags
# The bounds are in requirements.txt; requirements_lock.txt has versions that were tested together.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir ".${EXTRA:+[$EXTRA]}"

RUN useradd --create-home --uid 1000 darts && mkdir /work && chown darts /work
USER 1000
WORKDIR /work
ENTRYPOINT ["python", "-m", "tf_darts.main"]
CMD ["--help"]
