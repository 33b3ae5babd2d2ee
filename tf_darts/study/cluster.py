"""Several processes at one study, by keras-tuner's variables.

`KERASTUNER_TUNER_ID` is "chief" for the one that proposes candidates and a name of its own for each
worker; `KERASTUNER_ORACLE_IP` and `KERASTUNER_ORACLE_PORT` say where the chief listens. All run the
same command, with one run directory that all can write.
"""

import enum
import os
import socket
import time
from collections.abc import Mapping

import grpc

from tf_darts.errors import UserError
from tf_darts.runtime.console import say

VARIABLES = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
_SILENCE = 2.0  # seconds that a worker waits before it says so


class Role(enum.Enum):
    """What a process does in a study."""

    SINGLE_REPLICA = "alone"
    CHIEF = "chief"
    WORKER = "worker"


def role(environment: Mapping[str, str] = os.environ) -> Role:
    """This process's part; raises `UserError` where only some of the variables are set."""
    present = [name for name in VARIABLES if environment.get(name)]
    if not present:
        return Role.SINGLE_REPLICA
    missing = [name for name in VARIABLES if name not in present]
    if missing:
        raise UserError(
            f"{' and '.join(present)} set, but not {' and '.join(missing)}; set all of them, or"
            " none to work alone."
        )
    port = environment["KERASTUNER_ORACLE_PORT"]
    if not (port.isdigit() and 0 < int(port) < 65536):
        raise UserError(f"KERASTUNER_ORACLE_PORT={port} is no port; give a number up to 65535.")
    # As keras-tuner tells them apart.
    return Role.CHIEF if "chief" in environment["KERASTUNER_TUNER_ID"] else Role.WORKER


def chief_address(environment: Mapping[str, str] = os.environ) -> tuple[str, int]:
    """Where the chief listens."""
    return environment["KERASTUNER_ORACLE_IP"], int(environment["KERASTUNER_ORACLE_PORT"])


def wait_for_chief(patience: float, environment: Mapping[str, str] = os.environ) -> None:
    """Returns as soon as the chief listens.

    Raises:
      UserError: it did not within `patience` seconds.
    """
    address = chief_address(environment)
    start, told = time.monotonic(), False
    while True:
        try:
            socket.create_connection(address, timeout=5.0).close()
            return
        except OSError as error:
            waited = time.monotonic() - start
            if waited > patience:
                raise UserError(
                    f"the chief at {address[0]}:{address[1]} cannot be reached"
                    f" ({error.strerror or error}); start it with KERASTUNER_TUNER_ID=chief, or"
                    " wait longer with --chief_patience."
                ) from error
            if waited > _SILENCE and not told:
                say(
                    f"Waiting for the chief at {address[0]}:{address[1]}, for {patience:g} s at"
                    " most (--chief_patience) …"
                )
                told = True
        time.sleep(0.5)


def check_address(environment: Mapping[str, str] = os.environ) -> None:
    """Raises `UserError` where a chief cannot listen at its address: keras-tuner would not."""
    address = chief_address(environment)
    try:
        with socket.create_server(address):
            pass
    except OSError as error:
        raise UserError(
            f"the chief cannot listen at {address[0]}:{address[1]} ({error.strerror or error}); set"
            " KERASTUNER_ORACLE_IP to an address of this machine and KERASTUNER_ORACLE_PORT to a"
            " free port."
        ) from error


def lost_chief(error: grpc.RpcError, environment: Mapping[str, str] = os.environ) -> UserError:
    """What a worker says whose chief is gone, or could not do what it was asked."""
    address, port = chief_address(environment)
    details = getattr(error, "details", lambda: "")() or type(error).__name__
    return UserError(
        f"the chief at {address}:{port} does not answer ({details.splitlines()[0]}); look at what"
        " it says, start it again, then this worker."
    )
