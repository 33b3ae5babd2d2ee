"""How much memory a computation and its gradient take, by a count of the tensors of their graph.

Nothing is computed: the function is traced at known shapes, and its operations are gone through in
their order, forward and back, with what is alive at each of them.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from tf_darts.runtime.lean_graphs import backward_pass, lean

# Their result is their (first) argument's memory.
_VIEWS = frozenset(
    {"Identity", "IdentityN", "Reshape", "StopGradient", "ExpandDims", "Squeeze", "PreventGradient"}
)
# Their result takes the place of an argument of its size that nobody needs any more.
_IN_PLACE = frozenset(
    {
        *("Add", "AddV2", "AddN", "Sub", "Mul", "RealDiv", "Neg", "Square", "Sqrt", "Rsqrt", "Exp"),
        *("Log", "Tanh", "TanhGrad", "Sigmoid", "SigmoidGrad", "Relu", "ReluGrad", "BiasAdd"),
        *("Softmax", "Maximum", "Minimum"),
    }
)


@dataclasses.dataclass(frozen=True)
class TracedMemory:
    """The memory of a computation and its gradient.

    Attributes:
      retained: bytes that the backward pass reads of the forward pass.
      workspace: bytes that the backward pass has at its peak besides `retained`.
      operations: of the graph of both.
    """

    retained: int
    workspace: int = 0
    operations: int = 0

    @property
    def peak(self) -> int:
        """Bytes alive at once."""
        return self.retained + self.workspace

    def scaled(self, factor: float) -> "TracedMemory":
        """The same computation on so many times the numbers."""
        retained, workspace = round(self.retained * factor), round(self.workspace * factor)
        return TracedMemory(retained, workspace, self.operations)


def in_order(parts: Iterable[TracedMemory]) -> TracedMemory:
    """Computations one after another, whose gradients are taken in the reverse order."""
    retained = peak = operations = 0
    for part in parts:
        peak = max(peak, retained + part.peak)
        retained += part.retained
        operations += part.operations
    return TracedMemory(retained, peak - retained, operations)


def size_in_bytes(spec: Any) -> int:
    """Of a tensor of known shape, or of its `tf.TensorSpec`."""
    return math.prod(spec.shape) * tf.as_dtype(spec.dtype).size


def traced(function: Callable[..., tf.Tensor], *specs: Any, order: int = 1) -> TracedMemory:
    """The memory of a function of tensors and its gradient; its arguments are not counted.

    Args:
      function: what is differentiated by all of its arguments.
      *specs: structures of `tf.TensorSpec`s, of known shapes.
      order: 2 counts what ∇⟨∇f, v⟩ keeps of f and of ∇f.
    """
    forward_operations = 0

    def differentiated(*arguments: Any) -> Any:
        nonlocal forward_operations
        graph, flat = tf.compat.v1.get_default_graph(), tf.nest.flatten(arguments)
        tapes = [tf.GradientTape(watch_accessed_variables=False) for _ in range(order)]
        with contextlib.ExitStack() as recording:
            for tape in tapes:
                recording.enter_context(tape)
                tape.watch(flat)
            results: Any = function(*arguments)
            if order == 2:
                with tapes[1].stop_recording():
                    slopes = tapes[1].gradient(results, flat)
                results = [tf.convert_to_tensor(slope) for slope in slopes if slope is not None]
        forward_operations = len(graph.get_operations())
        with backward_pass():
            return tapes[0].gradient(results, flat)

    compiled = tf.function(lean(differentiated, closed=True), autograph=False)
    graph = compiled.get_concrete_function(*specs).graph
    return _counted(graph, forward_operations)


def _counted(graph: Any, forward_operations: int) -> TracedMemory:
    operations = graph.get_operations()
    place = {operation.name: i for i, operation in enumerate(operations)}
    needed = _needed(graph.outputs)
    roots: dict[str, str] = {}  # of every tensor's name, the tensor that owns its memory
    sizes: dict[str, int] = {}  # bytes by root
    last: dict[str, int] = {}  # by root, the place of the last operation that reads it
    input_names = {tensor.name for tensor in graph.inputs}
    for operation in operations:
        if operation.name not in needed:
            continue
        step = place[operation.name]
        for tensor in operation.inputs:
            last[roots[tensor.name]] = step
        for i, tensor in enumerate(operation.outputs):
            if operation.type in _VIEWS and len(operation.inputs) > i:
                roots[tensor.name] = roots[operation.inputs[i].name]
                continue
            roots[tensor.name] = tensor.name
            measurable = tensor.shape.is_fully_defined() and tensor.dtype.size
            free = operation.type in ("Const", "Placeholder") or tensor.name in input_names
            sizes[tensor.name] = 0 if free or not measurable else size_in_bytes(tensor)
    for tensor in graph.outputs:
        last[roots[tensor.name]] = len(operations)
    retained = sum(
        size
        for name, size in sizes.items()
        if place[name.split(":")[0]] < forward_operations <= last.get(name, -1)
    )
    peak = _peak(operations, needed, roots, sizes, last, forward_operations)
    return TracedMemory(retained, max(peak - retained, 0), len(needed))


def _needed(outputs: Sequence[tf.Tensor]) -> set[str]:
    """The names of the operations that outputs depend on."""
    needed: set[str] = set()
    waiting = [tensor.op for tensor in outputs]
    while waiting:
        operation = waiting.pop()
        if operation.name not in needed:
            needed.add(operation.name)
            waiting += [tensor.op for tensor in operation.inputs]
            waiting += operation.control_inputs
    return needed


def _peak(
    operations: Sequence[tf.Operation],
    needed: set[str],
    roots: dict[str, str],
    sizes: dict[str, int],
    last: dict[str, int],
    forward_operations: int,
) -> int:
    """The most bytes that are alive after the forward pass, one operation after another."""
    alive, peak, dying = 0, 0, {}
    for name, index in last.items():
        dying.setdefault(index, []).append(name)
    for index, operation in enumerate(operations):
        if operation.name not in needed:
            continue
        output_bytes = sum(sizes.get(tensor.name, 0) for tensor in operation.outputs)
        ends = [name for name in dying.get(index, []) if name in sizes]
        input_bytes = [sizes.get(roots[tensor.name], 0) for tensor in operation.inputs]
        ended = sum(sizes[name] for name in ends)
        alive += output_bytes
        if index >= forward_operations:
            in_place = operation.type in _IN_PLACE and any(
                sizes[name] == output_bytes and output_bytes in input_bytes for name in ends
            )
            peak = max(peak, alive - (output_bytes if in_place else 0))
        alive -= ended
        alive -= sum(sizes.get(t.name, 0) for t in operation.outputs if t.name not in last)
    return peak
