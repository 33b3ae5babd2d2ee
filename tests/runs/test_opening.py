"""A batch that cannot be cut: refused, or rounded, said and recorded."""

import pytest

from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.runs.opening import on_devices, settings_of

SEARCH = {"mode": "search", "dataset": "digits", "micro_batches": 4}


def test_a_batch_is_rounded_and_recorded(capsys):
    config, replicas = on_devices(configure(SEARCH | {"batch_size": 63, "global_batch": "round"}))
    assert config.batch_size == 64
    said = capsys.readouterr().out
    assert "rounded from 63 to 64 examples, the nearest multiple of its 4 parts" in said
    # What is recorded is what is computed: with the batch itself the run goes on.
    same, _ = on_devices(configure(SEARCH | {"batch_size": 64}))
    assert settings_of(config, replicas)["batch_size"] == 64
    assert settings_of(config, replicas) == settings_of(same, replicas)
    assert not capsys.readouterr().out


def test_by_default_it_is_refused_and_the_advice_works():
    with pytest.raises(UserError, match=r"or --global_batch=round, which takes the nearest"):
        on_devices(configure(SEARCH | {"batch_size": 63}))
