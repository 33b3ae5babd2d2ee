# tf_darts with its dependencies, for a machine without a GPU:
#   docker build -t tf_darts . && mkdir -p runs
#   docker run --rm -v "$PWD/runs:/home/darts/runs" tf_darts --mode=search --dataset=digits
# and for one with NVIDIA's driver and container toolkit (the libraries of CUDA are in the image):
#   docker build -t tf_darts:cuda --build-arg EXTRAS=[cuda] . && mkdir -p runs
#   docker run --rm --gpus=all -v "$PWD/runs:/home/darts/runs" tf_darts:cuda --mode=search --dataset=digits
FROM python:3.12.12-slim-bookworm

ARG EXTRAS=
WORKDIR /opt/tf_darts
COPY requirements.txt requirements_lock.txt pyproject.toml README.md LICENSE ./
COPY tf_darts ./tf_darts
COPY flags ./flags
RUN pip install --no-cache-dir --constraint=requirements_lock.txt ".${EXTRAS}" \
    && useradd --create-home --uid 1000 darts
# Who is not user 1000 outside adds --user="$(id -u)" -e HOME=/tmp, and may write to what is mounted.
USER 1000
WORKDIR /home/darts
ENTRYPOINT ["python", "-m", "tf_darts.main"]
CMD ["--help"]
