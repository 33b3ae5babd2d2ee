"""The devices that `--distribution` asks for, and what is wrong with it."""

import pytest

from tf_darts.errors import UserError
from tf_darts.runtime import distribution
from tf_darts.runtime.distribution import open_replicas


@pytest.fixture(autouse=True)
def forgotten():
    distribution._strategy.cache_clear()
    yield
    distribution._strategy.cache_clear()


@pytest.mark.parametrize("name", ["auto", "one_device"])
def test_without_gpus_there_is_one(name):
    assert open_replicas(name).count == 1


def test_auto_takes_one_of_several_gpus(monkeypatch):
    monkeypatch.setattr(
        distribution.tf.config, "list_physical_devices", lambda kind: ["GPU:0", "GPU:1"]
    )
    assert open_replicas("auto").count == 1


def test_mirrored_on_the_cpu():
    replicas = open_replicas("mirrored", cpu_replicas=2)
    assert replicas.count == 2


def test_devices_cannot_be_made_later():
    with pytest.raises(UserError, match="--cpu_replicas=3: TensorFlow has been used"):
        open_replicas("mirrored", cpu_replicas=3)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "worker 0 of 2",
        "{}",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
        '{"cluster": {"chief": [], "worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_cluster_that_is_none(monkeypatch, value):
    monkeypatch.setenv("TF_CONFIG", value)
    with pytest.raises(UserError, match="TF_CONFIG must say which workers"):
        open_replicas("multi_worker")
