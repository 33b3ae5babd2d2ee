"""A traced function's graph as data: put into the graph of another function, or into a file.

Python takes half a millisecond for each operation that it traces; TensorFlow copies a graph that it
has at a tenth of that.
"""

import dataclasses
import hashlib
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

_OURS = "tf_darts."  # named tuples of other packages are not read from a file


@dataclasses.dataclass(frozen=True, eq=False)
class GraphCopy:
    """What computes some of a traced function's results, and no more.

    Attributes:
      graph: without the function's arguments.
      inputs: the names of the arguments' tensors, flat; also of those that lead to nothing.
      outputs: the results with the names of their tensors in place of the tensors.
      captured: the variables that it reads, by their handles; the last of `inputs` name them.
    """

    graph: Any
    inputs: tuple[str, ...]
    outputs: Any
    captured: tuple[Any, ...] = ()

    @classmethod
    def of(
        cls, concrete: Any, choose: Callable[[Any], Any] = lambda results: results
    ) -> "GraphCopy":
        """The copy of a `ConcreteFunction`.

        Args:
          concrete: it does nothing but compute.
          choose: of all results in their structure those that are wanted, in one of its own.

        Raises:
          ValueError: it has operations that do more.
        """
        if any(o.type != "ReadVariableOp" for o in concrete.graph.control_outputs):
            raise ValueError(f"{concrete.name} has operations that change something")
        outputs = tf.nest.map_structure(lambda t: t.name, choose(concrete.structured_outputs))
        inputs = tuple(tensor.name for tensor in concrete.inputs)
        graph = concrete.graph.as_graph_def()
        _prune(graph, map(_operation, tf.nest.flatten(outputs)), set(map(_operation, inputs)))
        return cls(graph, inputs, outputs, tuple(concrete.captured_inputs))

    def __call__(self, *arguments: Any) -> Any:
        """The results for these arguments, in the graph that is being made."""
        captured = map(tf.compat.v1.get_default_graph().capture, self.captured)
        given = (*tf.nest.flatten(arguments), *captured)
        tensors = dict(zip(self.inputs, given, strict=True))
        read = {name for node in self.graph.node for name in map(_tensor, node.input)}
        results = tf.graph_util.import_graph_def(
            self.graph,
            input_map={name: tensor for name, tensor in tensors.items() if name in read},
            return_elements=tf.nest.flatten(self.outputs),
            name="",
        )
        return tf.nest.pack_sequence_as(self.outputs, results)

    def to_bytes(self, variables: Sequence[tf.Variable] = ()) -> bytes:
        """What `from_bytes` makes the copy of.

        Args:
          variables: what it may read; another process has as many of the same shapes.

        Raises:
          ValueError: it reads another one.
        """
        handles = [variable.handle for variable in variables]
        read = [[h is one for h in handles] for one in self.captured]
        if not all(map(any, read)):
            raise ValueError("a graph that reads other variables is of no use to another process")
        head = {
            "inputs": self.inputs,
            "outputs": _written(self.outputs),
            "variables": [places.index(True) for places in read],
        }
        graph = _with_lasting_names(self.graph).SerializeToString(deterministic=True)
        content = json.dumps(head).encode() + b"\n" + graph
        return _digest(content) + b"\n" + content

    @classmethod
    def from_bytes(cls, content: bytes, variables: Sequence[tf.Variable] = ()) -> "GraphCopy":
        """The inverse of `to_bytes`; raises `ValueError` where it is something else.

        The functions that the graph calls are known to TensorFlow from then on.
        """
        digest, _, content = content.partition(b"\n")
        if digest != _digest(content):  # a damaged graph may well compute something
            raise ValueError("it holds no graph, or a damaged one")
        first, _, rest = content.partition(b"\n")
        try:
            head = json.loads(first)
            graph = tf.compat.v1.GraphDef.FromString(rest)
            captured = tuple(variables[place].handle for place in head["variables"])
            copy = cls(graph, tuple(head["inputs"]), _read(head["outputs"]), captured)
        except Exception as error:  # protobuf has errors of its own, by its version
            raise ValueError("it holds no graph") from error
        _define(graph.library.function)
        return copy


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _operation(name: str) -> str:
    return name.lstrip("^").partition(":")[0]


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def _prune(graph: Any, results: Any, arguments: set[str]) -> None:
    """Leaves what the results are computed of."""
    nodes = {node.name: node for node in graph.node}
    wanted, kept = list(results), set(arguments)
    while wanted:
        name = wanted.pop()
        if name not in kept:
            kept.add(name)
            wanted += map(_operation, nodes[name].input)
    left = kept - arguments
    smaller = type(graph)(node=[node for node in graph.node if node.name in left])
    for node in smaller.node:  # with what is not there nothing can share a device
        beside = node.attr["_class"].list.s if "_class" in node.attr else ()
        there = [place for place in beside if place.decode().removeprefix("loc:@") in left]
        if len(there) < len(beside):
            del node.attr["_class"]
            if there:
                node.attr["_class"].list.s.extend(there)
    del graph.node[:]
    graph.node.extend(smaller.node)


def _define(functions: Any) -> None:
    """Makes functions known of which there are definitions; `ValueError` if that cannot be done."""
    try:  # nothing public does it
        from tensorflow.python.eager import context

        known = context.context()
        for function in functions:
            if not known.has_function(function.signature.name):
                known.add_function_def(function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"TensorFlow {tf.__version__} cannot take its functions") from error


def _with_lasting_names(graph: Any) -> Any:
    """The graph with functions that are named by what they compute.

    TensorFlow numbers them, and in another process the same name may be another function's. Of the
    same name they are one program of XLA, also where two graphs have them.
    """
    graph = tf.compat.v1.GraphDef.FromString(graph.SerializeToString())
    functions = {function.signature.name: function for function in graph.library.function}
    names: dict[str, str] = {}

    def rename(nodes: Any) -> None:
        for node in nodes:
            for attribute in node.attr.values():
                for called in (attribute.func, *attribute.list.func):
                    if called.name in functions:
                        called.name = lasting(called.name)

    def lasting(name: str) -> str:
        if name not in names:
            function = functions[name]
            rename(function.node_def)
            function.signature.name = ""
            content = function.SerializeToString(deterministic=True)
            names[name] = f"kept_{hashlib.sha256(content).hexdigest()[:32]}"
            function.signature.name = names[name]
        return names[name]

    rename(graph.node)
    # What is called by nobody, and what two names had.
    called = {names[name]: function for name, function in functions.items() if name in names}
    library = type(graph.library)()
    library.function.extend(called.values())
    graph.library.CopyFrom(library)
    return graph


def _written(structure: Any) -> Any:
    """A structure of texts as JSON types that say what it is made of."""
    if isinstance(structure, str):
        return structure
    if isinstance(structure, Mapping):
        return {"dict": {name: _written(part) for name, part in structure.items()}}
    parts = [_written(part) for part in structure]
    if hasattr(structure, "_fields"):
        kind = type(structure)
        return {"named": f"{kind.__module__}:{kind.__qualname__}", "parts": parts}
    return {"list" if isinstance(structure, list) else "tuple": parts}


def _read(document: Any) -> Any:
    """The inverse of `_written`."""
    if isinstance(document, str):
        return document
    if "dict" in document:
        return {name: _read(part) for name, part in document["dict"].items()}
    if "named" in document:
        module, _, name = document["named"].partition(":")
        if not module.startswith(_OURS):
            raise ValueError(f"{module} is not ours")
        kind = getattr(importlib.import_module(module), name)
        return kind(*map(_read, document["parts"]))
    kind = list if "list" in document else tuple
    return kind(map(_read, document["list" if kind is list else "tuple"]))
