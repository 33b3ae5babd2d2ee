"""What a run says that it computes on, with GPUs that are not there."""

import types

import pytest
import tensorflow as tf

from tf_darts.runtime import devices


@pytest.fixture
def gpus(monkeypatch):
    """Makes so many GPUs for `tf.config`; returns what is made visible of them."""
    visible = []

    def make(count):
        made = [f"GPU:{i}" for i in range(count)]
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: made)
        details = lambda gpu: {"device_name": f"card {gpu}"}  # noqa: E731
        monkeypatch.setattr(tf.config.experimental, "get_device_details", details)
        monkeypatch.setattr(
            tf.config, "set_visible_devices", lambda some, kind: visible.extend(some)
        )
        return visible

    return make


def test_the_cpu(gpus, monkeypatch):
    gpus(0)
    monkeypatch.setattr(devices, "cores", lambda: 2)
    assert devices.device_line() == "It computes on the CPU, 2 cores."
    assert devices.device_line("mirrored", 2) == "It computes on the CPU, 2 cores, in 2 replicas."
    monkeypatch.setattr(devices, "cores", lambda: 1)
    assert devices.device_line() == "It computes on the CPU, 1 core."


def test_modes_that_take_long_say_it(gpus, monkeypatch, capsys):
    gpus(0)
    monkeypatch.setattr(devices, "cores", lambda: 2)
    replicas = types.SimpleNamespace(mode="search", distribution="mirrored", cpu_replicas=2)
    devices.say_device(replicas)
    devices.say_device(types.SimpleNamespace(mode="test"))
    devices.say_device(types.SimpleNamespace(mode="report"))
    line = "It computes on the CPU, 2 cores"
    assert capsys.readouterr().out == f"{line}, in 2 replicas.\n{line}.\n"


def test_one_gpu(gpus):
    gpus(1)
    assert devices.device_line() == "It computes on the GPU, card GPU:0."


def test_several_gpus_say_what_else_could_be(gpus):
    gpus(8)
    line = devices.device_line("auto")
    assert line.startswith("It computes on one of 8 GPUs, card GPU:0; --distribution=mirrored")
    assert "CUDA_VISIBLE_DEVICES=N" in line
    assert devices.device_line("mirrored") == "It computes on 8 GPUs, the first of them card GPU:0."


@pytest.mark.parametrize(("name", "card"), [("worker0", 0), ("worker5", 1), ("w-11", 3)])
def test_a_worker_takes_its_own(gpus, name, card):
    visible = gpus(4)
    devices.take_own_gpu(name)
    assert visible == [f"GPU:{card}"]


def test_workers_without_numbers_take_one(gpus):
    visible = gpus(4)
    devices.take_own_gpu("left")
    assert len(visible) == 1


def test_one_card_is_left_as_it_is(gpus):
    visible = gpus(1)
    devices.take_own_gpu("worker1")
    assert not visible


@pytest.mark.parametrize(
    ("said", "free"), [("7000\n5000\n", 5000 * 2**20), ("[N/A]\n", None), ("", None)]
)
def test_memory_is_the_smallest_cards(gpus, monkeypatch, said, free):
    gpus(2)
    monkeypatch.setattr(devices.shutil, "which", lambda name: name)
    commands = []

    def run(command, **options):
        commands.append(command)
        return types.SimpleNamespace(stdout=said)

    monkeypatch.setattr(devices.subprocess, "run", run)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    assert devices.gpu_memory() == free
    assert "--id=1,2" in commands[0]


def test_no_gpu_has_no_memory(gpus):
    gpus(0)
    assert devices.gpu_memory() is None
