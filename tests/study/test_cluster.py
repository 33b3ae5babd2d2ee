"""Who is who in a study of several processes."""

import socket
import time

import grpc
import pytest

from tf_darts.errors import UserError
from tf_darts.study import cluster
from tf_darts.study.cluster import Role, check_address, lost_chief, role, wait_for_chief


def variables(name, port="4321"):
    return {
        "KERASTUNER_TUNER_ID": name,
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": port,
    }


def test_roles():
    assert role({}) is Role.SINGLE_REPLICA
    assert role(variables("chief")) is Role.CHIEF
    assert role(variables("tuner3")) is Role.WORKER


def test_half_a_cluster_is_none():
    given = variables("chief")
    del given["KERASTUNER_ORACLE_PORT"]
    with pytest.raises(UserError, match="but not KERASTUNER_ORACLE_PORT; set all"):
        role(given)
    with pytest.raises(UserError, match="KERASTUNER_ORACLE_PORT=http is no port"):
        role(variables("chief", "http"))


def test_a_chief_that_listens_is_found_and_its_port_taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = variables("worker", str(server.getsockname()[1]))
        wait_for_chief(1.0, given)
        with pytest.raises(UserError, match=r"cannot listen at 127\.0\.0\.1"):
            check_address(given)
    check_address(given)


def test_a_chief_that_does_not_is_waited_for_and_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    start = time.monotonic()
    with pytest.raises(UserError, match=f"chief at 127.0.0.1:{port} cannot be reached"):
        wait_for_chief(0.7, variables("worker", port))
    assert 0.7 < time.monotonic() - start < 10


def test_a_long_wait_is_announced_once(monkeypatch, capsys):
    monkeypatch.setattr(cluster, "_SILENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    with pytest.raises(UserError, match="cannot be reached"):
        wait_for_chief(1.6, variables("worker", port))
    assert capsys.readouterr().out == (
        f"Waiting for the chief at 127.0.0.1:{port}, for 1.6 s at most (--chief_patience) …\n"
    )


def test_a_chief_that_went_is_named_with_the_first_line_of_why():
    class Gone(grpc.RpcError):
        def details(self):
            return "Socket closed\nDebug string: a long one"

    assert str(lost_chief(Gone(), variables("worker"))) == (
        "the chief at 127.0.0.1:4321 does not answer (Socket closed); look at what it says, start"
        " it again, then this worker."
    )
    assert "does not answer (RpcError);" in str(lost_chief(grpc.RpcError(), variables("worker")))
