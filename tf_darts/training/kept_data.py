"""What a run keeps of its data, so that its network can be used without them."""

from tf_darts.runtime.files import write_atomically
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.training.engine import TrainingData
from tf_darts.training.kept_names import DATA_FILE, FILES, checksums


def keep_data(run: RunDirectory, data: TrainingData) -> None:
    """Writes the data's description, and the names of its classes or words, into the run."""
    assets = data.assets()
    run.write_json(DATA_FILE, data.description() | {FILES: checksums(assets)})
    for name, content in assets.items():
        write_atomically(run.path / name, content)
