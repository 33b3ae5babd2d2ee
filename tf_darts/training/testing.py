"""The test score of a finished training, taken once."""

import dataclasses
from collections.abc import Iterable
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.configuration.training import TrainingConfig
from tf_darts.errors import UserError
from tf_darts.optimization.averaging import WeightAverage
from tf_darts.runtime import files
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.spaces.network import Network
from tf_darts.training.evaluator import Evaluator, weights_of
from tf_darts.training.kept_names import read_description


class RunTest(NamedTuple):
    """A test.

    Attributes:
      network: what is tested; its weights are still random.
      batches: the test part, once.
      batch_size: of the network's state.
      baseline: name and test score of something trivial to compare with, or None.
    """

    network: Network
    batches: Iterable[Any]
    batch_size: int
    baseline: tuple[str, float] | None


@dataclasses.dataclass(frozen=True)
class FinishedTraining:
    """A training whose weights are chosen.

    Attributes:
      run: its directory.
      settings: what was computed, the cell among it.
      result: the record of the epoch whose weights count.
    """

    run: RunDirectory
    settings: dict[str, Any]
    result: dict[str, Any]

    @classmethod
    def open(cls, path: str) -> "FinishedTraining":
        """Opens a run directory.

        Raises:
          UserError: there is no run, or it is a search, or it has not finished.
        """
        run, settings = RunDirectory.open(path)
        if settings.get("mode") != "train":
            raise UserError(
                f"--run_dir={path}: holds a {settings.get('mode')}, with nothing to test; train"
                f" its cell first: --mode=train --dataset={settings.get('dataset')}"
                f" --genotype={run.path / 'genotype.json'}."
            )
        file = run.path / "result.json"
        if not files.exists(file):
            done, epochs = len(run.read_history()), settings.get("epochs")
            raise UserError(
                f"--run_dir={path}: this training has finished {done} of {epochs} epochs; go on"
                " with the same --mode=train command first."
            )
        return cls(run, settings, _read_result(run))

    def config(self, kind: type[TrainingConfig], **operational: Any) -> TrainingConfig:
        """The configuration that the training had."""
        names = {field.name for field in dataclasses.fields(kind)}
        known = {name: value for name, value in self.settings.items() if name in names}
        return kind(**known, **operational)

    def restore(self, network: Network) -> Evaluator:
        """Gives the network the weights that count; raises `UserError` where they are not its."""
        folder = self.run.path / self.result["checkpoint"]
        path = tf.train.latest_checkpoint(str(folder))
        variables: dict[str, Any] = weights_of(network)
        average = None
        if path and any("average/" in name for name, _ in tf.train.list_variables(path)):
            average = WeightAverage(network.weights)
            variables["average"] = average.variables
        try:
            if path is None:
                raise ValueError("there is none")
            reader = tf.train.Checkpoint(**variables).read(path)
            reader.assert_existing_objects_matched().expect_partial()
        except (AssertionError, IndexError, ValueError, tf.errors.OpError) as error:
            raise UserError(
                f"{folder}: the checkpoint is missing, broken or of another cell; train again in"
                " another --run_dir."
            ) from error
        return Evaluator(network, average)

    @property
    def data(self) -> dict[str, Any]:
        """What the training measured of its data; raises `UserError` where that is broken."""
        return read_description(self.run.path)

    @property
    def tested(self) -> dict[str, Any] | None:
        """What the test found, if it was taken; raises `UserError` where that is broken."""
        file = self.run.path / "test.json"
        advice = "put a copy of it back: the test is taken once"
        return files.read_json(file, advice) if files.exists(file) else None

    def test(self, task: RunTest) -> None:
        """Takes the test and writes `test.json`."""
        evaluator = self.restore(task.network)
        batches = list(task.batches) if evaluator.averaged else task.batches
        scores = evaluator.scores(batches, task.batch_size, averaged=evaluator.averaged)
        document = {"epoch": self.result.get("epoch"), "scores": scores}
        if evaluator.averaged:
            document["unaveraged"] = evaluator.scores(batches, task.batch_size, averaged=False)
        if task.baseline:
            document["baseline"], document["baseline_value"] = task.baseline
        self.run.write_json("test.json", document)


def _read_result(run: RunDirectory) -> dict[str, Any]:
    """What `result.json` holds; lets go of the run and raises `UserError` where it is broken."""
    file, advice = run.path / "result.json", "put a copy of it back, or train again elsewhere"
    try:
        result = files.read_json(file, advice)
        if not isinstance(result.get("checkpoint"), str):
            raise UserError(f"{file}: does not name the checkpoint that counts; {advice}.")
    except UserError:
        run.close()
        raise
    return result
