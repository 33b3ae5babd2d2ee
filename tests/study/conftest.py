import pytest

from tf_darts.study.cluster import VARIABLES


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Nobody's cluster variables reach these tests."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
