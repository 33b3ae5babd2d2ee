"""Workers that wait for one another, and one that never comes."""

import socket
import threading

import pytest

from tf_darts.errors import UserError
from tf_darts.runtime.workers import meet


def _addresses(count):
    """So many on this machine, where nobody listens."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return [f"localhost:{port}" for port in ports]


@pytest.mark.parametrize("index", [0, 2])
def test_who_never_starts_is_named(index):
    addresses = _addresses(3)
    # As a worker does that is further on: TensorFlow listens at its port already.
    with (
        socket.create_server(("localhost", int(addresses[2 - index].split(":")[1]))),
        pytest.raises(UserError) as missing,
    ):
        meet(addresses, index, 0.3)
    start = f"worker 1 ({addresses[1]}) did not start within 0.3 seconds; start it with the same"
    assert str(missing.value).startswith(start)


def test_workers_meet():
    addresses, met = _addresses(2), []

    def first():
        meet(addresses, 0, 10)
        # From now on TensorFlow listens here, on all interfaces, for the other one to see.
        with socket.create_server(("", int(addresses[0].split(":")[1]))):
            met.append(0)
            done.wait(10)

    done = threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    meet(addresses, 1, 10)
    met.append(1)
    with socket.create_server(("", int(addresses[1].split(":")[1]))):
        done.set()
        thread.join(10)
    assert sorted(met) == [0, 1]


def test_one_worker_has_nobody_to_wait_for():
    meet(["nowhere:1"], 0, 0.0)


@pytest.mark.parametrize("own", ["localhost:99999999", "localhost:port", "localhost"])
def test_a_port_that_is_none(own):
    with pytest.raises(UserError, match=r"worker 0 cannot listen at its address localhost"):
        meet([own, "localhost:1"], 0, 0.1)


def test_a_port_that_is_taken():
    with socket.create_server(("", 0)) as taken:
        address = f"localhost:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match="in use"):
            meet([address, "localhost:1"], 0, 0.1)
