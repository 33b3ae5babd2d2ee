"""The workers of a run on several machines: how long one waits for the others, and who is missing.

TensorFlow itself would wait for ever. Its own limit for a sum (`timeout_seconds`) keeps two threads
for each sum and replica until it has passed, which with thousands of sums is no way.
"""

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence

from tf_darts.errors import UserError

_PAUSE = 0.2  # seconds between two looks for a worker


def meet(addresses: Sequence[str], index: int, seconds: float) -> None:
    """Waits until all workers are there: each listens at its address until TensorFlow does.

    Args:
      addresses: HOST:PORT of each worker.
      index: of this one among them.
      seconds: how long it waits.

    Raises:
      UserError: a worker was not there in time, or this one cannot listen at its port.
    """
    if len(addresses) == 1:
        return
    deadline = time.monotonic() + seconds
    missing = [i for i in range(len(addresses)) if i != index]
    with _listening(addresses[index], index):
        while missing := [i for i in missing if silent_addresses([addresses[i]], _PAUSE)]:
            if time.monotonic() > deadline:
                who = in_words(addresses, missing)
                raise UserError(
                    f"{who} did not start within {seconds:g} seconds; start it with the same"
                    " command and its own index in TF_CONFIG, and the others again, or let them"
                    " wait longer by --worker_timeout=N."
                )
            time.sleep(_PAUSE)


def in_words(addresses: Sequence[str], numbers: Sequence[int]) -> str:
    """Workers as people name them: "worker 1 (10.0.0.2:2222)"."""
    return " and ".join(f"worker {i} ({addresses[i]})" for i in numbers)


def silent_addresses(addresses: Sequence[str], seconds: float = 2.0) -> list[str]:
    """Those of some addresses HOST:PORT at which nobody listens.

    Args:
      addresses: of workers.
      seconds: how long each is waited for.
    """
    silent = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), seconds).close()
        except (OSError, ValueError, OverflowError):
            silent.append(address)
    return silent


@contextlib.contextmanager
def _listening(address: str, index: int) -> Iterator[None]:
    """Inside, whoever asks at this worker's port sees that it is there."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        port = int(address.rpartition(":")[2])
        if not 0 < port < 2**16:
            raise ValueError("no such port")
        server = socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(
            f"worker {index} cannot listen at its address {address} in TF_CONFIG ({error}); give it"
            " a port that is free, in the TF_CONFIG of all workers."
        ) from error
    with server:
        yield
