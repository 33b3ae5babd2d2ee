"""Fixtures of finished trainings."""

from tests.support.finished_training import finished, opened  # noqa: F401, fixtures
