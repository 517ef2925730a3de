"""Checks of inputs against the classifier's, before they fail deep inside a step."""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from keras_amp.graph import keras_compat

# What to do about single examples, by where they come from.
BATCH = {
    "array": "Put it into a batch of one: `x[None]`.",
    "data set": "Batch the data set: `dataset.batch(32)`.",
    "batch": "Yield batches, each tensor with the examples along its first axis.",
}

NUMBERS = (bool, int, float, np.number, np.bool_)
TEXTS = (str, bytes)
# Their shapes are not those of what Keras makes of them.
SPARSE = (tf.RaggedTensor, tf.SparseTensor, tf.RaggedTensorSpec, tf.SparseTensorSpec)


def check_inputs(
    classifier: keras.Model,
    x: Any,
    argument: str = "`x`",
    source: str = "array",
    y: Any = None,
) -> None:
    """Checks inputs, or what is known of them, against those of the classifier.

    What Keras would take is let through: unknown shapes, a last axis of size 1 too many
    or too few, other structures.

    Args:
        classifier: A functional model or a built Sequential.
        x: A structure of arrays, tensors or their specs. Leaves of other kinds, such as
            generators, are not looked into.
        argument: What the user called the inputs.
        source: Whether these are an ``"array"`` that was passed, the elements of a
            ``"data set"`` or a ``"batch"`` that something else yields.
        y: The labels, or their spec, to see whether the two were swapped.

    Raises:
        ValueError: If there is none, if they are texts where numbers are taken, lists of
            numbers, single examples, or of a shape that the classifier does not take.
    """
    takes_text = _takes_text(classifier)
    first = first_of(x)
    if isinstance(first, TEXTS):
        raise ValueError(_about_texts(classifier, argument, f"texts, such as {first!r}"))
    check_no_list(x, argument)
    leaves = tree.flatten(x)
    if all(leaf is None for leaf in leaves):
        raise ValueError(
            f"Expected {argument} to hold inputs for {_takes(classifier)}. Received: "
            "None."
        )
    texts = [] if takes_text else [leaf for leaf in leaves if _is_text(leaf)]
    if texts:
        raise ValueError(_about_texts(classifier, argument, _texts(texts[0])))
    _check_number(classifier, x, argument)
    for name, expected, leaf in _matched(classifier, x):
        if not isinstance(leaf, SPARSE):
            shape = getattr(leaf, "shape", None)
            called = argument if name is None else f"{name!r} of {argument}"
            _check_shape(classifier, expected, shape, called, source, y)


def check_elements(
    classifier: keras.Model, dataset: tf.data.Dataset, argument: str
) -> None:
    """Checks the elements of a ``tf.data.Dataset`` as ``check_inputs`` does.

    Args:
        classifier: A functional model or a built Sequential.
        dataset: The data set, of inputs or of tuples that begin with them.
        argument: What the user called it.

    Raises:
        ValueError: As ``check_inputs``, and if it holds single numbers.
    """
    spec = dataset.element_spec
    x, y = (*spec, None)[:2] if isinstance(spec, tuple) else (spec, None)
    check_inputs(classifier, x, f"the elements of {argument}", "data set", y)
    for leaf in tree.flatten(spec):
        if isinstance(leaf, tf.TensorSpec) and leaf.shape.rank == 0:
            raise ValueError(
                f"Expected {argument} to be a data set of batches, for "
                f"{_takes(classifier)}. Received: single examples, {spec}. "
                f"{BATCH['data set']}"
            )


def ids_check(classifier: keras.Model) -> Callable[[Any], bool]:
    """Makes a check of the ids that are looked up in an embedding as they come.

    TensorFlow's lookup fails where an id is no row of the table, XLA's takes another row.
    Keras counts negative ids from the table's end.

    Args:
        classifier: A functional model or a built Sequential.

    Returns:
        A function from its inputs, eager tensors as Keras takes them, to whether all of
        these ids are rows.
    """
    rows = _rows_of_tables(classifier)

    def are_rows(ids: Any, number: int) -> bool:
        ids = tf.cast(ids, "int64")
        return bool(tf.reduce_all((ids >= -number) & (ids < number)))

    def ids_fit(x: Any) -> bool:
        return all(
            are_rows(ids, rows[id(tensor)])
            for _, tensor, ids in _matched(classifier, x)
            if id(tensor) in rows and ids is not None
        )

    return ids_fit


def _rows_of_tables(classifier: keras.Model) -> dict[int, int]:
    """Rows of the smallest table in which an input is looked up, by the input's id."""
    rows: dict[int, int] = {}
    for tensor, number in _tables(classifier, {id(x): id(x) for x in classifier.inputs}):
        rows[tensor] = min(rows.get(tensor, number), number)
    return rows


def _tables(model: keras.Model, given: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Yields the inputs that are embedded, and the numbers of rows.

    Args:
        model: A functional model or a built Sequential, whose nested models are entered.
        given: Dict from the ids of its inputs to what is yielded for them.
    """
    for layer in model.layers:
        nested = (
            getattr(layer, "inputs", None) if isinstance(layer, keras.Model) else None
        )
        for node in keras_compat.calls_of(layer):
            tensors = node.input_tensors
            if isinstance(layer, keras.layers.Embedding):
                for tensor in tensors:
                    if id(tensor) in given:
                        yield given[id(tensor)], layer.input_dim
            elif nested and len(nested) == len(tensors):
                pairs = zip(nested, tensors, strict=True)
                inner = {id(i): given[id(t)] for i, t in pairs if id(t) in given}
                yield from _tables(layer, inner)


def check_weights(weight: Any, argument: str = "`sample_weight`") -> None:
    """Raises if weights are no array of numbers.

    Args:
        weight: What the user passed, or None.
        argument: What the user called it.

    Raises:
        ValueError: If it is a list or holds texts.
    """
    check_no_list(weight, argument)
    if weight is not None and _is_text(weight):
        raise ValueError(
            f"Expected {argument} to hold numbers. Received: {_texts(weight)}."
        )


def check_no_list(values: Any, argument: str) -> None:
    """Raises if a number, or a list of Python's values, stands where an array should.

    Args:
        values: What the user passed.
        argument: What the user called it.

    Raises:
        ValueError: If it is such a thing.
    """
    first = first_of(values)
    if isinstance(first, NUMBERS) or (isinstance(first, TEXTS) and first is not values):
        received = repr(first)
        if first is not values:
            received = f"a {type(values).__name__} that begins with {received}"
        raise ValueError(
            f"Expected {argument} to be an array or a tensor. Received: {received}. Make "
            "it an array of one value for each example, by `np.array(values)`."
        )


def first_of(values: Any) -> Any:
    """Returns the first thing in a nested list that is no list itself.

    Args:
        values: A list of any depth, or something else, which is returned.
    """
    while isinstance(values, (list, tuple)) and values:
        values = values[0]
    return values


@contextlib.contextmanager
def clearer_errors(classifier: keras.Model) -> Iterator[None]:
    """Says more clearly what Keras says of batches that it cannot take."""
    try:
        yield
    except ValueError as error:
        said = str(error)
        if "arrays must be at least rank 1" in said:
            raise ValueError(
                f"Expected batches for {_takes(classifier)}. Received: single examples, "
                f"of which a label is a single number. {BATCH['batch']}"
            ) from error
        if said == "Invalid dtype: object" and not _takes_text(classifier):
            raise ValueError(
                f"Expected arrays of numbers for {_takes(classifier)}. Received: an "
                'array of the dtype object. Convert it, by `x.astype("float32")`; where '
                "it holds lists of several lengths, by `keras.utils.pad_sequences`."
            ) from error
        found = re.match(r"Invalid dtype: ((str|bytes)\d*|object)$", said)
        if found:
            raise ValueError(
                _about_texts(classifier, "the batches", f"the dtype {found.group(1)}")
                + " Labels and weights have to be numbers."
            ) from error
        raise


def _check_number(classifier: keras.Model, x: Any, argument: str) -> None:
    """Raises where there are more inputs, or fewer, than the classifier takes."""
    leaves, expected = tree.flatten(x), len(classifier.inputs)
    if isinstance(x, dict) or len(leaves) == expected:
        return
    if all(leaf is None or hasattr(leaf, "shape") for leaf in leaves):
        raise ValueError(
            f"Expected {argument} to hold {expected} inputs, for {_takes(classifier)}. "
            f"Received: {len(leaves)}. Pass a list of them, or a dict by their names."
        )


def _check_shape(
    classifier: keras.Model,
    expected: keras.KerasTensor,
    shape: Any,
    argument: str,
    source: str,
    y: Any,
) -> None:
    """Raises where Keras would not take inputs of a shape."""
    shape, inner = _known(shape), tuple(expected.shape[1:])
    if _fits(shape, inner):
        return
    received = f"shape {shown(tuple(shape))}"
    labels = _known(getattr(y, "shape", None))
    known = labels.rank and labels[1:].is_fully_defined()
    if known and len(classifier.inputs) == 1 and _fits(labels, inner):
        received += (
            f", while that of the labels, {shown(tuple(labels))}, would do: are inputs "
            "and labels swapped?"
        )
    elif not shape.rank or shape.is_compatible_with(inner):
        received += f", that of a single example. {BATCH[source]}"
    elif shape.rank > 1 and shape[2:].is_compatible_with(inner):
        received += ", batches of batches. Batch the examples once."
    elif getattr(classifier, "preprocessor", None) is not None:
        received += f". {_preprocess('images or texts')}"
    else:
        received += "."
    raise ValueError(
        f"Expected {argument} to have the shape {shown(('batch_size', *inner))} that "
        f"the input '{expected.name}' of '{classifier.name}' takes. Received: {received}"
    )


def _fits(shape: tf.TensorShape, inner: tuple[int | None, ...]) -> bool:
    """Whether Keras takes a shape for batches of inputs: a last 1 may come or go."""
    if shape.rank is None:
        return True
    fitting = [inner, (*inner, 1)]
    if inner and inner[-1] == 1:
        fitting.append(inner[:-1])
    return shape.rank > 0 and any(shape[1:].is_compatible_with(f) for f in fitting)


def _takes_text(classifier: keras.Model) -> bool:
    return any(expected.dtype == "string" for expected in classifier.inputs)


def _known(shape: Any) -> tf.TensorShape:
    """A shape as TensorFlow has it; unknown where it is something else."""
    if isinstance(shape, (tuple, list)) and all(
        size is None or isinstance(size, (int, np.integer)) for size in shape
    ):
        return tf.TensorShape(shape)
    return shape if isinstance(shape, tf.TensorShape) else tf.TensorShape(None)


def _matched(
    classifier: keras.Model, x: Any
) -> list[tuple[str | None, keras.KerasTensor, Any]]:
    """Each of the classifier's inputs with what is given for it, where that is clear."""
    expected = tree.flatten(classifier.inputs)
    structure: Any = getattr(classifier, "input", None)
    if isinstance(x, dict):
        by_name = structure
        if not isinstance(structure, dict):
            by_name = {tensor.name: tensor for tensor in expected}
        return [
            (name, tensor, x[name])
            for name, tensor in by_name.items()
            if name in x and isinstance(tensor, keras.KerasTensor)
        ]
    leaves = tree.flatten(x)
    if len(leaves) != len(expected) or (isinstance(structure, dict) and len(leaves) > 1):
        return []
    names = [None] if len(expected) == 1 else [tensor.name for tensor in expected]
    return list(zip(names, expected, leaves, strict=True))


def _texts(leaf: Any) -> str:
    """What came, in words: the texts' dtype, or the columns of a table that hold them."""
    if isinstance(leaf, TEXTS):
        return f"texts, such as {leaf!r}"
    columns = _text_columns(leaf)
    if columns:
        return f"texts, in the columns {', '.join(map(repr, columns))}"
    dtype = getattr(leaf, "dtype", None)
    return f"texts (dtype {getattr(dtype, 'name', dtype)})"


def _is_text(leaf: Any) -> bool:
    """Whether an array, a tensor, a series, a table or the spec of one holds texts."""
    if isinstance(leaf, TEXTS) or _text_columns(leaf):
        return True
    dtype = getattr(leaf, "dtype", None)
    if isinstance(dtype, tf.DType):
        return dtype == tf.string
    kind = getattr(dtype, "kind", None)
    if kind != "O":
        return kind in ("U", "S", "T")
    if str(dtype) in ("str", "string"):  # of pandas
        return True
    first = np.asarray(leaf[:1], object) if len(np.shape(leaf)) else np.asarray(leaf)
    return first.size > 0 and isinstance(first.flat[0], TEXTS)


def _text_columns(leaf: Any) -> list[Any]:
    """The names of a table's columns that hold texts."""
    dtypes = getattr(leaf, "dtypes", None)
    if dtypes is None or not hasattr(dtypes, "items"):
        return []
    return [name for name, _ in dtypes.items() if _is_text(leaf[name])]


def _about_texts(classifier: keras.Model, argument: str, received: str) -> str:
    """What to tell who passes texts where numbers are taken, or not as a tensor."""
    expected = "numbers"
    if _takes_text(classifier):
        expected = "tensors"
        hint = "Pass texts for its inputs as a tensor, `tf.constant(texts)`."
    elif getattr(classifier, "preprocessor", None) is not None:
        hint = _preprocess("texts")
    else:
        hint = (
            "Turn texts into numbers before, by a `keras.layers.TextVectorization` or a "
            "tokenizer in the input pipeline: `dataset.map(lambda texts, labels: "
            "(vectorize(texts), labels))`."
        )
    return (
        f"Expected {argument} to hold {expected}, for {_takes(classifier)}. Received: "
        f"{received}. {hint}"
    )


def _preprocess(what: str) -> str:
    return (
        f"Preprocess {what} before, which a task's own `fit` does and MixupAMPModel does "
        "not: `dataset.map(task.preprocessor)`, or `task.preprocessor(x)` for arrays."
    )


def _takes(classifier: keras.Model) -> str:
    """What a classifier takes, in words."""
    inputs = [
        f"'{x.name}' of shape {shown(('batch_size', *x.shape[1:]))} and dtype {x.dtype}"
        for x in tree.flatten(classifier.inputs)
    ]
    return f"'{classifier.name}', which takes {', '.join(inputs)}"


def shown(shape: tuple[Any, ...]) -> str:
    """Returns a shape as messages write it: names and sizes in parentheses."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
