"""What `check_supernet` and `check_objective` have in common: scores, batches, sums and memory."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.runtime.memory.estimate import sized
from tf_darts.runtime.memory.traced import TracedMemory
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.spaces.supernet import Evaluation, State, Supernet
from tf_darts.testing.comparison import differ, expect, expect_equal

Door = Supernet | TrainingObjective
LONGEST = 4  # of axes of no known size


def check_double(variables: Sequence[keras.Variable], name: str) -> None:
    """Raises `AssertionError` where a variable is not float64."""
    for variable in variables:
        expect(
            variable.dtype == "float64",
            f"{name}: {variable.path!r} is {variable.dtype}; make it inside"
            " `with tf_darts.testing.float64():`, because in less differences are rounding.",
        )


def tensors(door: Door, batch: Any, name: str) -> tuple[Any, int]:
    """The batch as tensors, and how many examples it has.

    Args:
      door: whose `batch_signature` the batch must fit.
      batch: arrays or tensors of its structure; at least two examples.
      name: of the door, for the sentence.
    """
    specs = tf.nest.flatten(door.batch_signature)
    parts = tf.nest.flatten(batch)
    expect(
        len(parts) == len(specs),
        f"{name}: the batch has {len(parts)} tensors, and batch_signature {len(specs)}.",
    )
    cast_parts = []
    for part, spec in zip(parts, specs, strict=True):
        tensor = tf.cast(part, spec.dtype)
        fits = spec.is_compatible_with(tensor)
        expect(fits, f"{name}: a tensor of the batch, {tensor.shape}, does not fit {spec}.")
        cast_parts.append(tensor)
    count = cast_parts[0].shape[door.batch_axis]
    expect(count > 1, f"{name}: the batch has {count} examples; give two or more.")
    return tf.nest.pack_sequence_as(door.batch_signature, cast_parts), count


def check_scores(door: Door, name: str) -> None:
    """Whether measures, scores and the score by which people judge fit together."""
    measures = door.measures
    expect(
        "loss" in measures and len(set(measures)) == len(measures),
        f"{name}: measures are {measures}; they are distinct, and 'loss' is one of them.",
    )
    mode = door.score_mode
    expect(mode in ("min", "max"), f"{name}: score_mode is {mode!r}, not 'min' or 'max'.")
    means = dict.fromkeys(measures, 0.5)
    scores = door.scores(means)
    expect(
        door.score in scores,
        f"{name}: scores has {', '.join(scores)}, and not the score {door.score!r}.",
    )
    for key, value in scores.items():
        expect(isinstance(value, float), f"{name}: the score {key!r} is {value!r}, no float.")
    higher = {key: door.scores(means | {key: 0.75})[door.score] for key in measures}
    moves = {key: value - scores[door.score] for key, value in higher.items()}
    expect(any(moves.values()), f"{name}: no measure moves the score {door.score!r}.")
    # The only measure of which it is known which way is better.
    expect(
        moves["loss"] == 0.0 or (moves["loss"] > 0.0) == (mode == "min"),
        f"{name}: with the loss {door.score!r} moves by {moves['loss']:+.3g}, so score_mode cannot"
        f" be {mode!r}.",
    )


def check_state(door: Door, state: State, after: State, count: int, name: str) -> None:
    """Whether states have an example in each row of the first axis, and keep their form."""
    for part in tf.nest.flatten(state):
        rows = part.shape[0] if part.shape.rank else None
        expect(rows == count, f"{name}: initial_state({count}) has {rows} rows.")
    forms = [
        [(tuple(part.shape), part.dtype.name) for part in tf.nest.flatten(value)]
        for value in (state, after)
    ]
    expect(forms[0] == forms[1], f"{name}: the state {forms[0]} becomes {forms[1]}.")


def check_means(door: Door, loss: tf.Tensor, means: Any, name: str) -> None:
    """Whether a loss is a finite scalar, with a mean for every measure."""
    finite = loss.shape.rank == 0 and bool(tf.math.is_finite(loss))
    expect(finite, f"{name}: the loss is {loss.numpy()}, no finite scalar.")
    expect(
        set(means) == set(door.measures),
        f"{name}: the loss measures {sorted(means)}, and measures are {sorted(door.measures)}.",
    )


def check_evaluation(
    door: Door,
    evaluate: Callable[[Any, State], Evaluation],
    batch: Any,
    state: State,
    name: str,
) -> None:
    """Whether the sums of two halves of a batch are those of the whole, and nothing is random.

    Args:
      door: whose.
      evaluate: of a batch and its state.
      batch: tensors.
      state: of the batch's examples.
      name: of the door, for the sentence.
    """
    sums = evaluate(batch, state)
    expect(
        set(sums.totals) == set(door.measures),
        f"{name}: evaluation_sums has {sorted(sums.totals)}, measures {sorted(door.measures)}.",
    )
    expect(sums.count > 0, f"{name}: evaluation_sums counts {sums.count} predictions.")
    expect_equal(
        evaluate(batch, state).totals, sums.totals, f"{name}: evaluation_sums, once more, has"
    )
    axis = door.batch_axis
    halves = [evaluate(_part(batch, axis, half), _part(state, 0, half)) for half in (True, False)]
    expect_equal(
        halves[0].count + halves[1].count,
        sums.count,
        f"{name}: evaluation_sums of two halves count",
    )
    for key in door.measures:
        expect_equal(
            halves[0].totals[key] + halves[1].totals[key],
            sums.totals[key],
            f"{name}: evaluation_sums of two halves add up in {key!r} to",
            tolerance=1e-9,
        )


def _part(values: Any, axis: int, first: bool) -> Any:
    """One example along an axis, or all the others."""

    def part(value: tf.Tensor) -> tf.Tensor:
        sizes = [1, value.shape[axis] - 1]
        return tf.split(value, sizes, axis=axis)[0 if first else 1]

    return tf.nest.map_structure(part, values)


def check_memory(door: Door, traced: Callable[[Any], TracedMemory | None], name: str) -> None:
    """Whether `traced_memory`, where there is one, grows with the batch."""
    small, large = (
        traced(sized(_any_size(door), door.batch_axis, examples, LONGEST)) for examples in (2, 8)
    )
    expect((small is None) == (large is None), f"{name}: traced_memory is known for some batches.")
    if small is None:
        return
    expect(
        0 < small.peak < large.peak,
        f"{name}: traced_memory says {small.peak} bytes for 2 examples, and {large.peak} for 8.",
    )


def _any_size(door: Door) -> Any:
    """The signature, with the number of examples left open where a batch size is fixed."""

    def opened(spec: tf.TensorSpec) -> tf.TensorSpec:
        shape = [None if i == door.batch_axis else size for i, size in enumerate(spec.shape)]
        return tf.TensorSpec(shape, spec.dtype)

    return tf.nest.map_structure(opened, door.batch_signature)


def check_seeds(
    compiled: Callable[[tf.Tensor], tf.Tensor],
    plain: Callable[[tf.Tensor], tf.Tensor],
    random: bool | None,
    name: str,
) -> None:
    """Whether a seed is all that decides on the masks, in a compiled function too.

    Args:
      compiled: the loss at a seed, traced at the first call.
      plain: the same, not compiled.
      random: whether there are masks; None where that is not known.
      name: of the door, for the sentence.
    """
    seeds = [tf.constant(seed, tf.int32) for seed in ([1, 2], [3, 4])]
    first, second = (plain(seed) for seed in seeds)
    expect_equal(plain(seeds[0]), first, f"{name}: at the same arguments, once more, the loss is")
    for seed, value in zip(seeds, (first, second), strict=True):
        expect_equal(
            compiled(seed),
            value,
            f"{name}: at seed {seed.numpy().tolist()} the compiled loss is",
            tolerance=1e-9,
        )
    if random is not None:
        varies = differ(first, second)
        expect(
            varies == random,
            f"{name}: at two seeds the loss is {first.numpy()} and {second.numpy()}; masks are said"
            f" to be {'there' if random else 'absent'}.",
        )
