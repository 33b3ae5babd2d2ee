# tf_darts with its dependencies, for a machine without a GPU:
#   docker build -t tf_darts . && docker run --rm -v "$PWD/runs:/home/darts/runs" tf_darts --mode=search --dataset=digits
FROM python:3.12-slim

WORKDIR /opt/tf_darts
COPY requirements.txt pyproject.toml README.md LICENSE ./
COPY tf_darts ./tf_darts
COPY flags ./flags
# The bounds are in requirements.txt; requirements_lock.txt has versions that were tested together.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir . \
    && useradd --create-home --uid 1000 darts
USER 1000
WORKDIR /home/darts
ENTRYPOINT ["python", "-m", "tf_darts.main"]
CMD ["--help"]
