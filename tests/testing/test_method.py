"""The check of methods finds one that is not the same when it is resumed."""

import pytest

from tests.support.registries import forget_members
from tf_darts.bilevel.step import BilevelStep
from tf_darts.config import methods
from tf_darts.testing import check_method


class Forgetful(BilevelStep):
    """Takes smaller steps the longer the process lives: no checkpoint has this."""

    taken = 0

    def __call__(self, train, validation, learning_rate):
        self.taken += 1
        return super().__call__(train, validation, learning_rate / self.taken)


def test_a_method_that_forgets(monkeypatch):
    forget_members(monkeypatch)
    step = f"{__name__}:Forgetful"
    monkeypatch.setattr(methods.Method, "step_class", property(lambda self: Forgetful))
    methods.register_method("forgetful", "loses count", step=step, hypergradient="first_order")
    with pytest.raises(AssertionError, match=r"killed after step [1-5] and resumed, its"):
        check_method("forgetful")
