import pytest

from tests.support.toy_study import ToyStudy
from tf_darts.study.cluster import VARIABLES


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Nobody's cluster variables reach these tests."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def toy(monkeypatch):
    """Runs studies whose candidates cost nothing."""
    return ToyStudy(monkeypatch)


@pytest.fixture
def as_chief(monkeypatch):
    """This process is the chief of a cluster."""
    for name, value in zip(VARIABLES, ("chief", "127.0.0.1", "4321"), strict=True):
        monkeypatch.setenv(name, value)
