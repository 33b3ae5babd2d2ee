"""The test score of a finished training, taken once."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.config import legacy_settings
from tf_darts.configuration.training import TrainingConfig
from tf_darts.errors import UserError
from tf_darts.optimization.averaging import WeightAverage
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.spaces.network import Network
from tf_darts.training.evaluator import Evaluator, weights_of


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
        if not file.exists():
            done, epochs = len(run.read_history()), settings.get("epochs")
            raise UserError(
                f"--run_dir={path}: this training has finished {done} of {epochs} epochs; go on"
                " with the same --mode=train command first."
            )
        return cls(run, settings, json.loads(file.read_text(encoding="utf-8")))

    def config(self, kind: type[TrainingConfig], **operational: Any) -> TrainingConfig:
        """The configuration that the training had."""
        names = {field.name for field in dataclasses.fields(kind)}
        recorded = legacy_settings() | self.settings
        known = {name: value for name, value in recorded.items() if name in names}
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
        """What the training measured of its data."""
        return self._read("data.json") or {}

    @property
    def tested(self) -> dict[str, Any] | None:
        """What the test found, if it was taken."""
        return self._read("test.json")

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

    def _read(self, name: str) -> dict[str, Any] | None:
        file = self.run.path / name
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
