"""Cells as other programs write them, made into the JSON types of ours; nothing is evaluated.

The official release and most that followed it print `Genotype(normal=[...], ...)`; NNI writes JSON
of its own; other forms are their space's (`Space.text_form`). docs/own_cell.md shows all.
"""

import ast
import re
import warnings
from collections.abc import Mapping
from typing import Any

from tf_darts.cells.space import Space, resolved, spaces
from tf_darts.errors import UserError
from tf_darts.runtime.files import shown

MOST_NODES = 1000  # of a cell; a longer range is a mistake

# Other programs' names of our operations.
_OPERATIONS = {
    "maxpool": "max_pool_3x3",
    "avgpool": "avg_pool_3x3",
    "maxpool3x3": "max_pool_3x3",
    "avgpool3x3": "avg_pool_3x3",
    "skipconnect": "skip_connect",
    "identity": "skip_connect",
    "sepconv3x3": "sep_conv_3x3",
    "sepconv5x5": "sep_conv_5x5",
    "sepconv7x7": "sep_conv_7x7",
    "dilconv3x3": "dil_conv_3x3",
    "dilconv5x5": "dil_conv_5x5",
}
_TEXT = re.compile(r"\s*(\w+\s*=\s*)?[\w.]*Genotype\s*\(|\s*\{")
_EDGE = re.compile(r"(normal|reduce)_n(\d+)_(?:p(\d+)|switch)")
_NUMBERED_EDGE = re.compile(r"(normal|reduce)/(op|input)_(\d+)_(\d+)")


def forms(space: str | None = None) -> str:
    """What a cell may be, as the end of a sentence that refuses something else.

    Args:
      space: the one whose cells are asked for; None where it may be any.
    """
    known = spaces()
    own = [known[space]] if space in known else [s for s in known.values() if s.default]
    texts = " or ".join(_text_of_cell(record, whole=len(own) == 1) for record in own)
    return (
        f"give RUN/genotype.json of a search or the text {texts}; docs/own_cell.md shows all forms"
    )


def _text_of_cell(space: Space, *, whole: bool) -> str:
    """How a text has the cells of a space: all fields, or the first one."""
    fields, edges = [], ""
    for kind, topology in space.topologies.items():
        names = space.fields_of(kind, topology)
        operation = next((name for name in topology.operations_of(0) if name != "none"), "none")
        edges = "..." if edges else f"({operation!r}, 0), ..."
        first = topology.inputs
        joined = f"range({first}, {first + topology.nodes})"
        fields += [f"{name}={v}" for name, v in zip(names, (f"[{edges}]", joined), strict=False)]
    return f"Genotype({', '.join(fields if whole else [fields[0], '...'])})"


def is_text(reference: str) -> bool:
    """Whether this is a cell itself, and not a file's or a published cell's name."""
    return bool(_TEXT.match(reference)) or _space_of_text(reference) is not None


def _space_of_text(text: str) -> Space | None:
    """The space that has a form of its own, if this is in it."""
    forms = (space for space in spaces().values() if space.text_form)
    return next((space for space in forms if re.match(space.text_form[0], text)), None)


def from_python(
    text: str, name: str | None = None, source: str = "FILE", space: str | None = None
) -> dict[str, Any]:
    """The fields of the cell in the text of a Python program.

    Args:
      text: `Genotype(...)`, or lines `NAME = Genotype(...)`; all else in it is passed over. Or
        one cell in a form of its space's.
      name: which of several is meant.
      source: the file, for the sentence that asks for a name.
      space: the one whose cells are asked for, for sentences.

    Raises:
      UserError: it is no such text, or has no such cell, or several and `name` is None.
    """
    own = _space_of_text(text)
    if own is not None:
        if name is not None:
            raise UserError(
                f"it is one cell, in which nothing is named {shown(name)}; leave that out."
            )
        return dict(resolved(own.text_form[1])(text))
    cells = _calls(text, space)
    if not cells:
        raise UserError(f"it has no cell; {forms(space)}.")
    names = [label for label in cells if label]
    if name is not None and name not in cells:
        have = f"the cells {shown(', '.join(names))}" if names else "one cell without a name"
        raise UserError(f"it has no cell named {shown(name)}, but {have}; give one of these.")
    if name is None and len({id(node) for node in cells.values()}) > 1:
        raise UserError(
            f"it has several cells, {shown(', '.join(names))}; say which one, as in"
            f" {source}:{names[-1]}."
        )
    return _fields(cells[name] if name is not None else next(iter(cells.values())), space)


def from_nni(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of a cell that NNI wrote, or None where the JSON is something else.

    Keys are `normal_n2_p0` (the operation that node 2 applies to node 0) and `normal_n2_switch`
    (the keys of the two that are kept); or `normal/op_2_0` and `normal/input_2_0`, in newer ones.

    Raises:
      UserError: it is NNI's, but no whole cell.
    """
    if document and all(_EDGE.fullmatch(key) for key in document):
        edges_by_node = _edges_by_switches(document)
    elif document and all(_NUMBERED_EDGE.fullmatch(key) for key in document):
        edges_by_node = _edges_by_number(document)
    else:
        return None
    fields: dict[str, Any] = {}
    for cell in ("normal", "reduce"):
        nodes = sorted(node for kind, node in edges_by_node if kind == cell)
        if not nodes or nodes != list(range(2, 2 + len(nodes))):
            raise UserError(
                f"NNI's JSON has nodes {shown(nodes)} of the {cell} cell; a cell has 2, 3 and so"
                " on without a gap, so give the whole file that NNI exported."
            )
        fields[cell] = [edges_by_node[cell, node] for node in nodes]
        fields[f"{cell}_concat"] = list(range(2, 2 + len(nodes)))
    return fields


def from_fields(fields: Mapping[str, Any], wanted: str | None = None) -> tuple[str, dict[str, Any]]:
    """Space and fields of a cell given by name, as in a named tuple; raises `UserError`.

    `wanted` is the space whose cells are asked for, which goes before others with these fields.
    """
    fields = {"recurrent" if name == "edges" else name: v for name, v in fields.items()}
    space = space_with(fields, wanted)
    if space is not None:
        return space, _renamed(fields) if space == "convolutional" else dict(fields)
    present = shown(", ".join(map(str, fields)) or "none", 120)
    known = fields_by_space()
    asked = [known[wanted]] if wanted in known else known.values()
    expected = " or ".join(", ".join(names) for names in asked)
    raise UserError(f"a cell has the fields {expected}, and these are {present}; {forms(wanted)}.")


def fields_by_space() -> dict[str, tuple[str, ...]]:
    """The fields of a cell by its space, in the order of the official named tuples."""
    return {name: space.all_fields for name, space in spaces().items()}


def space_with(fields: Mapping[str, Any], wanted: str | None = None) -> str | None:
    """The first space whose cells have just these fields, `wanted` before others, or None."""
    having = [name for name, own in fields_by_space().items() if fields.keys() == set(own)]
    return wanted if wanted in having else next(iter(having), None)


def _calls(text: str, space: str | None) -> dict[str, ast.Call | ast.Dict]:
    """The cells in a Python text by the names that they are assigned to; "" for none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the text's own escapes
            statements = ast.parse(text).body
    except SyntaxError as error:
        reason = shown(f"line {error.lineno}: {error.msg}" if error.lineno else error.msg)
        raise UserError(
            f"it is neither JSON nor a line of Python ({reason}); {forms(space)}."
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"it is neither JSON nor a line of Python; {forms(space)}.") from error
    cells: dict[str, ast.Call | ast.Dict] = {}
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(name), value=value):
                pass
            case ast.Expr(value=value):
                name = ""
            case _:
                continue
        if isinstance(value, ast.Name) and value.id in cells:  # DARTS = DARTS_V2
            value = cells[value.id]
        if not _is_cell(value):
            continue
        if name in cells:
            duplicate = f"the cell {shown(name)}" if name else "a cell without a name"
            raise UserError(f"it has {duplicate} twice; keep one, or give each a name: NAME = ....")
        cells[name] = value
    return cells


def _is_cell(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        function = value.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return name.endswith("Genotype")
    return isinstance(value, ast.Dict) and any(
        isinstance(key, ast.Constant) and key.value in ("normal", "recurrent") for key in value.keys
    )


def _fields(cell: ast.Call | ast.Dict, space: str | None) -> dict[str, Any]:
    """A cell's fields by name, as JSON types."""
    try:
        if isinstance(cell, ast.Dict):
            items = zip(cell.keys, cell.values, strict=True)
            pairs = [(ast.literal_eval(key), value) for key, value in items]
        else:
            by_count = {len(names): names for names in [*fields_by_space().values()][::-1]}
            positional = by_count.get(len(cell.args) + len(cell.keywords), ())
            pairs = list(zip(positional[: len(cell.args)], cell.args, strict=True))
            pairs += [(keyword.arg, keyword.value) for keyword in cell.keywords]
        fields = {name: _value(value) for name, value in pairs}
    except (ValueError, TypeError, OverflowError, SyntaxError, RecursionError, MemoryError):
        fields = None
    if fields is None:
        raise UserError(
            "its cell has something other than names, numbers, lists and range(first, end); write"
            f" these out, since nothing is evaluated, or {forms(space)}."
        )
    if len(fields) < len(pairs):
        raise UserError("its cell has a field twice; keep one of them.")
    return fields


def _value(node: ast.expr) -> Any:
    """A literal, of which `range` and `list` are too; raises `ValueError` or as `literal_eval`."""
    match node:
        case ast.List(elements) | ast.Tuple(elements):
            return [_value(element) for element in elements]
        case ast.Call(ast.Name("range"), bounds, []):
            numbers = range(*(ast.literal_eval(bound) for bound in bounds))
            if len(numbers) > MOST_NODES:
                raise ValueError("no cell has so many nodes")
            return list(numbers)
        case ast.Call(ast.Name("list" | "tuple"), [value], []):
            return _value(value)
    return ast.literal_eval(node)


def _edges_by_switches(document: Mapping[str, Any]) -> dict[tuple[str, int], list[Any]]:
    """Edges by cell and node."""
    edges_by_node = {}
    for key in document:
        cell, node, _ = _EDGE.fullmatch(key).groups()
        if (cell, int(node)) in edges_by_node:
            continue
        start = f"{cell}_n{node}"
        chosen = document.get(f"{start}_switch")
        if chosen is None:  # no choice of inputs: whatever has an operation
            chosen = [k for k in document if k.startswith(f"{start}_p") and document[k]]
        edges = []
        for choice in chosen if isinstance(chosen, list) else [chosen]:
            match = _EDGE.fullmatch(choice) if isinstance(choice, str) else None
            operation = _single(document.get(choice)) if match else None
            if not (match and match[3] and choice.startswith(f"{start}_p") and operation):
                raise UserError(
                    f"NNI's JSON keeps {shown(repr(choice))} at {start}, and there is no operation"
                    " of that name; give the whole file that NNI exported."
                )
            edges.append([operation, int(match[3])])
        edges_by_node[cell, int(node)] = sorted(edges, key=lambda edge: edge[1])
    return edges_by_node


def _edges_by_number(document: Mapping[str, Any]) -> dict[tuple[str, int], list[Any]]:
    """Edges by cell and node."""
    edges_by_node: dict[tuple[str, int], list[Any]] = {}
    for key in sorted(document):
        cell, kind, node, number = _NUMBERED_EDGE.fullmatch(key).groups()
        if kind == "op":
            source = _single(document.get(f"{cell}/input_{node}_{number}"))
            edges_by_node.setdefault((cell, int(node)), []).append([_single(document[key]), source])
    return edges_by_node


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _renamed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with our names of operations in the edges of a convolutional cell."""

    def renamed(value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return _OPERATIONS.get(value.lower(), value)
        if depth == 3 or not isinstance(value, list | tuple):  # nodes, edges, pairs
            return value
        return [renamed(part, depth + 1) for part in value]

    return {
        name: renamed(value) if name in ("normal", "reduce") else value
        for name, value in fields.items()
    }
