"""The step of each `--optimization`."""

from tf_darts.bilevel.step import BilevelStep
from tf_darts.methods.joint import SimultaneousStep

STEPS: dict[str, type[BilevelStep]] = {
    "bilevel": BilevelStep,
    "joint_alternating": BilevelStep,  # on other data
    "joint_simultaneous": SimultaneousStep,
}
