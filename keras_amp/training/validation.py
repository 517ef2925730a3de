"""Checks of what a user hands in, before it can fail deep inside a training step."""

import math
import numbers
import re
import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from keras_amp.graph import keras_compat
from keras_amp.graph.lookup import as_function
from keras_amp.policies import Mixup
from keras_amp.training import input_check, label_values
from keras_amp.training.tensorflow import compilation

JOINED = "one_loss_per_example"  # an operation's name, found in TensorFlow's errors
ONE_EACH = (
    "Expected the compiled loss to return one loss per example before its reduction, "
    "shape (batch_size,): mixup weighs every example's losses by its own lambda."
)


def check_backend():
    """Raises unless Keras runs on TensorFlow, whose gradient tape the step uses."""
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "Expected Keras to run on TensorFlow. Received: the backend "
            f"{keras.backend.backend()!r}. Set the environment variable "
            "KERAS_BACKEND=tensorflow before Keras is imported."
        )


def check_classifier(classifier):
    """Raises unless the classifier is a graph with one output."""
    function = as_function(classifier, "classifier")
    if len(function.outputs) != 1:
        names = getattr(classifier, "output_names", None)
        raise ValueError(
            "Expected `classifier` to have one output; several are not supported. "
            f"Received: '{classifier.name}' with {len(function.outputs)} outputs "
            f"({names}). Wrap the part that leads to one of them, "
            "`keras.Model(classifier.inputs, classifier.outputs[0])`."
        )


def check_mix_at(mix_at):
    """Returns ``mix_at``, names in tuples and lists or None; raises if it is neither."""
    if mix_at is None or isinstance(mix_at, str):
        return mix_at
    points = list(mix_at) if isinstance(mix_at, (list, tuple)) else [mix_at]
    names = [n for p in points for n in (p if isinstance(p, tuple) else (p,))]
    if isinstance(mix_at, (list, tuple)) and all(isinstance(n, str) for n in names):
        return mix_at if isinstance(mix_at, tuple) else points
    layers = [name for name in names if isinstance(name, keras.layers.Layer)]
    hint = f" Pass the layer's name, {layers[0].name!r}." if layers else ""
    raise TypeError(
        "Expected `mix_at` to be a layer's name, a tuple of names that are mixed "
        "together, a list of both, or None when the classifier holds MixLayers. "
        f"Received: mix_at={mix_at!r}.{hint}"
    )


def check_policy(policy):
    """Raises unless ``policy`` is one."""
    if isinstance(policy, Mixup):
        return
    hint = ""
    if isinstance(policy, type) and issubclass(policy, Mixup):
        hint = f" That is the class; pass an instance, {policy.__name__}()."
    raise TypeError(
        "Expected `policy` to be a keras_amp.Mixup, keras_amp.AdversarialMixing or a "
        f"subclass. Received: policy={policy!r}.{hint}"
    )


def check_seed(seed):
    """Returns ``seed`` as a Python integer or None; raises if it is neither."""
    if seed is None:
        return None
    if isinstance(seed, numbers.Integral) and not isinstance(seed, bool):
        return int(seed)
    raise TypeError(
        f"Expected `seed` to be an integer or None. Received: seed={seed!r} (of type "
        f"{type(seed)})"
    )


def check_draw(lam, permutation, batch_size, policy):
    """Returns a policy's draw as float32 and int32; raises if a shape is wrong."""
    lam, permutation = tf.cast(lam, "float32"), tf.cast(permutation, "int32")
    for name, value in (("lam", lam), ("permutation", permutation)):
        static = batch_size if isinstance(batch_size, int) else None
        if not value.shape.is_compatible_with([static]):
            size = "batch_size" if static is None else static
            raise ValueError(
                f"Expected `policy.draw` to return `{name}` of shape ({size},). "
                f"Received: shape {tuple(value.shape)} from {policy!r}"
            )
    return lam, permutation


class LabelCheck:
    """What the labels must look like, by the classifier's output and the loss.

    Args:
        classifier: A classifier with one output.
        loss: The loss as compiled. Of losses that Keras does not bring nothing is known,
            so that only the number of labels is checked.
    """

    def __init__(self, classifier, loss):
        self.output_shape = tuple(tree.flatten(classifier.outputs)[0].shape)
        self.classes = self.output_shape[-1]
        self.loss = _loss_name(loss)
        self.ignored = _ignored_class(loss)

    def check_arrays(self, x, y, argument="`y`"):
        """Checks the labels that ``fit`` is given as arrays or tensors.

        The values of an array are looked through once, however often it is passed; of one
        seen before only the ends are, so that an array changed as a whole is noticed.

        Args:
            x: Arrays or tensors; anything else, such as a data set, is not looked into.
            y: Labels, or None where ``x`` is a data set.
            argument: What the user called the labels.

        Raises:
            ValueError: If the numbers differ, there is none, or a label has the wrong
                shape or lies outside the classes.
        """
        sizes = {len(v) for v in tree.flatten(x) if _is_array(v) and len(v.shape)}
        if 0 in sizes:
            raise ValueError(
                f"Expected at least one example beside {argument}. Received: inputs of "
                "length 0."
            )
        first = input_check.first_of(y)
        if isinstance(first, (str, bytes)):
            raise _no_numbers(argument, f"texts, such as {first!r}")
        input_check.check_no_list(y, argument)
        leaves = tree.flatten(y)
        if len(leaves) != 1 or not _is_array(leaves[0]):
            return
        labels = leaves[0]
        number = len(labels) if len(labels.shape) else 1
        if sizes and sizes != {number}:
            raise ValueError(
                f"Expected {argument} to hold one label for each example. Received: "
                f"{number} labels for {', '.join(map(str, sorted(sizes)))} examples."
            )
        self.check_shape(labels, argument)
        values = np.asarray(labels)
        rules = (self._kind(values), self.classes, self.ignored)
        seen = label_values.known_right(labels, rules)
        if seen and not any(map(self._first_wrong, label_values.ends(values))):
            return
        self.check_values(values, argument)
        label_values.remember_right(labels, rules)

    def check_shape(self, y, argument="`y`"):
        """Raises if the labels' shape, as far as it is known, does not suit the loss."""
        received = tf.TensorShape(y.shape)
        if received.rank is None or self._kind(y) is None:
            return
        expected = self.output_shape[1:]
        if self._kind(y) == "index":
            fitting = [expected[:-1], (*expected[:-1], 1)]
        else:
            fitting = [expected, expected[:-1]] if self.classes == 1 else [expected]
        if not any(received[1:].is_compatible_with(shape) for shape in fitting):
            shapes = " or ".join(_shape(("batch_size", *shape)) for shape in fitting)
            raise ValueError(
                f"Expected {argument} to have the shape {shapes}: the classifier has "
                f"the output shape {_shape(self.output_shape)} and the loss is "
                f"{self.loss!r}. Received: shape {_shape(tuple(y.shape))}."
            )

    def check_weight(self, weight):
        """Raises if weights do not go with the examples' losses, as far as is known."""
        received = tf.TensorShape(None if weight is None else weight.shape)
        if received.rank is None or self.loss is None:
            return
        losses, shape = self.output_shape[1:-1], tuple(received)[1:]
        if len(shape) > len(losses) and shape[-1] == 1:
            shape = shape[:-1]
        sizes = zip(shape, losses, strict=False)
        if len(shape) != len(losses) or any(
            a not in (b, 1, None) and b for a, b in sizes
        ):
            raise ValueError(
                "Expected `sample_weight` to have the shape "
                f"{_shape(('batch_size', *losses))}: one weight for each loss of "
                f"{self.loss!r}. Received: shape {_shape(tuple(received))}."
            )

    def check_values(self, y, argument="`y`"):
        """Raises if an array holds a label that is no class."""
        if y.dtype.kind in "OSUTMm":
            raise _no_numbers(argument, f"dtype {y.dtype}")
        if self._kind(y) is None:
            return
        wrong = self._first_wrong(y)
        if wrong is not None:
            place, value, number = wrong
            value = str(value) if value.dtype.kind in "iu" else f"{value:g}"
            raise ValueError(
                f"{self._expectation(y, argument)} Received: {value} (label {place}), "
                f"{number} such of {y.size}."
            )

    def _first_wrong(self, y):
        kind = self._kind(y)
        if kind is None:
            return None
        return label_values.first_wrong(
            y,
            lambda chunk: self._allowed(chunk, kind, np.floor),
            (0, 1 if kind == "share" else self.classes - 1),
        )

    def assertion(self, y, argument="`y`"):
        """Returns an operation that fails where ``check_values`` raises.

        XLA drops assertions; there a class index out of range makes the loss NaN.
        """
        if self._kind(y) is None:
            return tf.no_op()
        kind, labels = self._kind(y), tf.cast(y, "float32")
        received = (tf.reduce_min(labels), "to", tf.reduce_max(labels))
        return tf.debugging.Assert(
            tf.reduce_all(self._allowed(labels, kind, tf.floor)),
            [f"{self._expectation(y, argument)} Received: values from", *received],
            name=compilation.OWN_ASSERTION,
        )

    def check_dataset(self, dataset, argument):
        """Returns the data set with its labels checked as they are read.

        The check runs in the input pipeline, where it works under XLA too.

        Raises:
            ValueError: If the data set is known to be empty, or its labels' shape to be
                wrong.
        """
        if tf.get_static_value(dataset.cardinality()) == 0:
            raise ValueError(
                f"Expected {argument} to hold at least one batch. Received: a data set "
                "of length 0."
            )
        spec = dataset.element_spec
        if not isinstance(spec, tuple) or len(spec) not in (2, 3):
            return dataset
        leaves = tree.flatten(spec[1])
        if len(leaves) != 1 or not isinstance(leaves[0], tf.TensorSpec):
            return dataset
        labels = f"the labels of {argument}"
        if leaves[0].dtype == tf.string:
            raise _no_numbers(labels, "texts (dtype string)")
        self.check_shape(leaves[0], labels)
        if self._kind(leaves[0]) is None:
            return dataset

        def checked(x, y, *weight):
            with tf.control_dependencies([self.assertion(tree.flatten(y)[0], labels)]):
                return x, tree.map_structure(tf.identity, y), *weight

        return dataset.map(checked)

    def _kind(self, y):
        """``"index"`` or ``"share"`` (of a class), or None where nothing is known."""
        if self.loss in ("crossentropy", "ce"):  # Keras resolves these by shape
            if self.classes == 1:
                return "share"
            rank = len(y.shape)
            column = y.shape[-1] == 1
            return "index" if rank < len(self.output_shape) or column else "share"
        return {
            "sparse_categorical_crossentropy": "index",
            "categorical_crossentropy": "share",
            "categorical_focal_crossentropy": "share",
            "binary_crossentropy": "share",
            "binary_focal_crossentropy": "share",
        }.get(self.loss)

    def _allowed(self, labels, kind, floor):
        if kind == "share":
            return (labels >= 0) & (labels <= 1)
        inside = (labels >= 0) & (labels < self.classes) & (labels == floor(labels))
        return inside if self.ignored is None else inside | (labels == self.ignored)

    def _expectation(self, y, argument):
        if self._kind(y) == "share":
            return f"Expected {argument} to lie between 0 and 1, as {self.loss!r} asks."
        return (
            f"Expected {argument} to hold class indices from 0 to {self.classes - 1}, as "
            f"the classifier has {self.classes} classes."
        )


def check_batch(classifier, x, y, sample_weight, label_check):
    """Checks one batch inside a training step.

    What the shapes tell is raised while the step is traced; values are asserted while it
    runs.

    Args:
        classifier: The classifier.
        x: Its inputs.
        y: Labels, or None.
        sample_weight: Weights, or None.
        label_check: ``LabelCheck``.

    Returns:
        The labels and the batch size, an integer where it is static, else a scalar
        tensor. Using these labels implies that the assertions hold.

    Raises:
        ValueError: If there are no labels, their shape is wrong or the static batch
            sizes differ; in eager mode also if a label is no class.
    """
    input_check.check_inputs(classifier, x, "the inputs of a batch", "batch", y)
    inputs = next(v for v in tree.flatten(x) if v is not None)
    if y is None:
        raise ValueError(
            "Expected labels `y` to train on: mixup interpolates the losses of two "
            "labels. Received: y=None. A data set has to yield tuples, (x, y)."
        )
    expected, received = inputs.shape[0], y.shape[0]
    if None not in (expected, received) and expected != received:
        raise ValueError(
            "Expected `y` to hold one label for each example of the batch. Received: "
            f"{received} labels for {expected} examples."
        )
    label_check.check_shape(y)
    label_check.check_weight(sample_weight)
    if tf.executing_eagerly():
        label_check.check_values(np.asarray(y))
        return y, expected
    batch_size = expected if expected is not None else tf.shape(inputs)[0]
    assertions = [label_check.assertion(y)]
    if expected is None or received is None:
        assertions.append(
            tf.debugging.Assert(
                tf.equal(tf.shape(y)[0], batch_size),
                [
                    "Expected `y` to hold one label for each example of the batch. "
                    "Received:",
                    *(tf.shape(y)[0], "labels for", batch_size, "examples."),
                ],
                name=compilation.OWN_ASSERTION,
            )
        )
    with tf.control_dependencies(assertions):
        return tf.identity(y), batch_size


def check_losses(values, lam, loss):
    """Checks that a loss has given one value for each example.

    Args:
        values: The losses, a tensor.
        lam: Tensor ``(batch_size,)``.
        loss: The loss, for the error.

    Returns:
        The losses; using them fails where their number shows while a step runs only.

    Raises:
        ValueError: If their number is known, and not that of the examples.
    """
    received, expected = values.shape[0], lam.shape[0]
    message = f"{ONE_EACH} Received: loss={loss!r}, which returns"
    hint = "A loss of some examples only, such as the hardest, can return 0 for others."
    if None not in (received, expected):
        if received != expected:
            raise ValueError(f"{message} {received} for {expected} examples. {hint}")
        return values
    if _loss_name(loss):  # Keras' own
        return values
    received, expected = tf.shape(values)[0], tf.shape(lam)[0]
    right = tf.equal(received, expected)
    asserted = tf.debugging.Assert(
        right,
        [message, received, "for", expected, f"examples. {hint}"],
        name=compilation.OWN_ASSERTION,
    )
    with tf.control_dependencies([asserted]):
        return _joined(values, lam, tf.identity(right))


def _joined(values, lam, right):
    """The values, by operations that fail if they are not as many as lambdas.

    Gradients wait for ``right``, or others' operations would fail first. XLA drops
    assertions; this fails there, too, as it is compiled. Where XLA knows the number only
    as it runs, all becomes NaN.
    """

    def where_right(tensor, like):
        # By places: of other operations TensorFlow may infer that both numbers are the
        # same, and drop the assertion.
        tensor = tf.gather(tensor, tf.range(tf.size(like)))
        return tf.where(right, tensor, tf.constant(math.nan, tensor.dtype))

    @tf.custom_gradient
    def join(values):
        joined = values
        if values.shape[0] is not None:
            rows = [values[None], tf.zeros_like(lam, values.dtype)[None]]
            joined = tf.reduce_sum(tf.concat(rows, 0, name=JOINED), axis=0)
        return where_right(joined, lam), lambda upstream: where_right(upstream, values)

    return join(values)


def as_value_error(error):
    """Returns the ValueError that a failed assertion of ours stands for, else None."""
    if JOINED in str(error):
        return ValueError(f"{ONE_EACH} Received: a loss that returns another number.")
    found = re.search(r"assertion failed: (\[Expected .*\])", str(error))
    if not found:
        return None
    parts = re.findall(r"\[(.*?)\](?= \[|$)", found.group(1))
    return ValueError(" ".join(parts).replace("\\'", "'"))


class NonFiniteLoss(keras.callbacks.Callback):
    """Warns, once a run, of a training loss that became NaN or infinite."""

    def on_train_begin(self, logs=None):
        """Forgets earlier warnings."""
        self._warned = False

    def on_epoch_end(self, epoch, logs=None):
        """Looks at the epoch's mean loss."""
        loss = float(np.sum((logs or {}).get("loss", 0.0)))
        if math.isfinite(loss) or self._warned:
            return
        self._warned = True
        warnings.warn(
            f"The training loss became {loss} in epoch {epoch + 1}; the weights are "
            "likely useless from here on. To stop at the first such batch pass "
            "`callbacks=[keras.callbacks.TerminateOnNaN()]` to `fit`: it needs nothing "
            "but the `loss` that every step reports. Common causes are a learning rate "
            "that is too large and labels outside the classes.",
            RuntimeWarning,
            stacklevel=2,
        )


def _no_numbers(argument, received):
    """The error about labels that are no numbers."""
    return ValueError(
        f"Expected {argument} to hold numbers. Received: {received}. Give every class an "
        "index, by `keras.layers.StringLookup` for instance."
    )


def _single_loss(loss):
    """The loss out of a structure of one."""
    leaves = tree.flatten(loss)
    return leaves[0] if len(leaves) == 1 else None


def _loss_name(loss):
    """The snake-case name of one of Keras' own losses, else None."""
    loss = _single_loss(loss)
    if isinstance(loss, str):
        if loss.lower() in ("crossentropy", "ce"):
            return loss.lower()
        try:
            loss = keras.losses.get(loss)
        except ValueError:  # a name that Keras will complain of itself
            return None
    if getattr(loss, "axis", -1) != -1:
        return None  # its classes stand elsewhere
    if isinstance(loss, keras.losses.Loss):
        owner = next(c for c in type(loss).__mro__ if "call" in vars(c))
        if not keras_compat.is_of_keras(owner):
            return None  # it may take other labels than what it is made from
    function = getattr(loss, "fn", loss)  # a loss object wraps its function
    name = getattr(function, "__name__", None)
    return name if function is getattr(keras.losses, str(name), None) else None


def _ignored_class(loss):
    """The label that one of Keras' own losses leaves out, else None."""
    loss = _single_loss(loss)
    given = keras_compat.loss_settings(loss).get("ignore_class")
    return getattr(loss, "ignore_class", given)


def _shape(shape):
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _is_array(value):
    return isinstance(value, np.ndarray) or (
        hasattr(value, "shape") and hasattr(value, "__array__")
    )
