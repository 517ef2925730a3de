"""What ``jit_compile="auto"`` compiles on a CPU, where Keras itself compiles nothing.

The rules come from measurements on two cores (``benchmarks/step_time.py``). XLA fuses the
operations around the matrix products of attention and of an LSTM's loop: the adversarial
step at the words then takes three quarters of its time in graph mode. XLA's convolutions
take half as long again as TensorFlow's. There only the update of the weights is compiled:
an optimizer's formulas pass over all weights a dozen times in graph mode and once in XLA.

XLA compiles for every shape separately, which takes seconds, and it does not support all
of TensorFlow's operations. So the step is first traced without XLA:

- If the trace holds an operation that XLA does not support, the step stays in graph mode.
  So it does if the trace holds an assertion, which XLA would drop. (The package's own
  assertions have other checks under XLA.)
- Batches of the shape of the first batch of a ``fit`` run compiled. All others run by the
  same trace in graph mode, so that a smaller last batch costs no second compilation. So
  do batches with ids outside an embedding's table: their lookup fails there, as in Keras.
- If a dimension other than the batch's is unknown, nothing that depends on it is
  compiled.
- Evaluation and prediction stay in graph mode, as in Keras: they usually have few
  batches, so that a compilation would cost more than it saves.
"""

import functools
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import tree
from tensorflow.python.framework import kernels, op_def_registry  # public nowhere

from keras_amp.graph import keras_compat
from keras_amp.training.tensorflow import traced_graph
from keras_amp.typing import Tensor

OWN_ASSERTION = "keras_amp_assertion"  # the name of an operation
_COMPILED = (keras.layers.MultiHeadAttention, keras.layers.LSTM)


def on_cpu() -> bool:
    """Whether there is no accelerator, for which Keras' own rules hold."""
    return not any(keras.distribution.list_devices(kind) for kind in ("gpu", "tpu"))


def step_pays(model: keras.Model) -> bool:
    """Whether the whole training step can be compiled and is then faster on a CPU.

    Args:
        model: The ``MixupAMPModel`` that is trained.
    """
    pays = any(isinstance(layer, _COMPILED) for layer in keras_compat.layers_of(model))
    inputs = tree.flatten(model.classifier.inputs)
    return pays and all(map(_is_fixed, inputs)) and keras_compat.supports_jit(model)


def update_pays(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the update of the weights can be compiled by itself.

    Args:
        optimizer: The optimizer. Only Keras' own are compiled: others may use operations
            that XLA does not support.
    """
    return keras_compat.is_of_keras(optimizer)


def is_fixed(data: Any) -> bool:
    """Whether all dimensions of all tensors are known but the first, the batch's.

    Args:
        data: A structure of tensors or of their specifications; entries may be None.
    """
    return all(_is_fixed(v) for v in tf.nest.flatten(data) if v is not None)


def _is_fixed(tensor: Any) -> bool:
    composite = isinstance(tensor, (tf.TypeSpec, tf.__internal__.CompositeTensor))
    if composite and not isinstance(tensor, tf.TensorSpec):
        return False  # sparse or ragged
    shape = tf.TensorShape(tensor.shape)
    return shape.rank is not None and shape[1:].is_fully_defined()


class UsualBatch:
    """The shapes of the first batch of a ``fit``, for which the step is compiled."""

    def __init__(self) -> None:
        self.shapes: list[tf.TensorShape] | None = None
        with tf.init_scope():
            self._rows = tf.Variable(0, trainable=False)

    def forget(self) -> None:
        """Makes the next batch the usual one."""
        self.shapes = None
        self._rows.assign(0)

    def has_shapes(self, data: Any) -> bool:
        """Whether a batch is shaped like the first one.

        Args:
            data: A structure of eager tensors; entries may be None.
        """
        shapes = [v.shape for v in tf.nest.flatten(data) if v is not None]
        self.shapes = self.shapes or shapes
        return self.shapes == shapes

    def has_rows(self, rows: Tensor) -> Tensor:
        """Returns whether gradients have as many rows as the first batch's, a tensor.

        Args:
            rows: Integer scalar tensor.
        """
        usual = tf.where(self._rows == 0, rows, self._rows)
        self._rows.assign(usual)
        return usual == rows


class Compilation:
    """What is compiled of a model's training.

    Args:
        model: The ``MixupAMPModel``.
        given: Dict of the arguments of ``compile``.

    Attributes:
        auto: Whether ``compile`` was given ``jit_compile="auto"``.
        step: Whether "auto" compiles the whole training step on a CPU.
        update: Whether it compiles the update of the weights alone.
        usual: The ``UsualBatch``; None if Keras' own rules hold.
    """

    def __init__(self, model: keras.Model, given: dict[str, Any]) -> None:
        self.auto = given.get("jit_compile", "auto") == "auto"
        distributed = keras_compat.made_under_a_strategy(model)
        alone = not (tf.distribute.has_strategy() or distributed)
        ours = self.auto and alone and on_cpu() and not given.get("run_eagerly")
        self.step = bool(ours and step_pays(model))
        self.update = ours and not self.step
        self.usual = UsualBatch() if ours else None

    def begin(self) -> None:
        """Begins a ``fit``, whose first batch is the usual one."""
        if self.usual is not None:
            self.usual.forget()

    def apply(
        self,
        optimizer: keras.optimizers.Optimizer,
        gradients: list[Tensor | None],
        weights: list[keras.Variable],
        fixed: bool,
    ) -> None:
        """Updates weights, compiled where that pays.

        Args:
            optimizer: A built ``keras.optimizers.Optimizer``.
            gradients: List of tensors, ``IndexedSlices`` or None.
            weights: The variables, as many.
            fixed: Whether the inputs' dimensions are known but for the batch's.
        """
        compiles = self.update and not tf.executing_eagerly()
        if self.usual is not None and compiles and update_pays(optimizer):
            compiled_update(optimizer, gradients, weights, self.usual, fixed)
        else:
            optimizer.apply(gradients, weights)


class TrainFunction:
    """A ``train_function`` for ``keras.Model.fit`` whose step is traced once.

    Batches of the usual shapes run compiled, all others by the same trace in graph mode.
    If the trace holds an operation that XLA does not support, all batches run in graph
    mode. If compiling fails nevertheless, that batch and all later ones run in graph
    mode, and a warning says so.

    Args:
        step: Function ``step(data)`` that returns a structure of tensors.
        steps_per_execution: How many batches a call takes.
        usual: The ``UsualBatch``.
        refused: Function that is called when compiling has been given up.
        fits: Function of a batch that returns whether XLA computes it as TensorFlow does.
    """

    def __init__(
        self,
        step: Callable[[Any], Any],
        steps_per_execution: int,
        usual: UsualBatch,
        refused: Callable[[], None],
        fits: Callable[[Any], bool],
    ) -> None:
        self._traced = tf.function(step, autograph=False, reduce_retracing=True)
        self._steps = steps_per_execution
        self._usual = usual
        self._refused, self._fits = refused, fits
        self._compiled: dict[Any, Callable[[Any], Any]] = {}  # by the traced step
        self._compiles = True

    def __call__(self, iterator: Iterable[Any]) -> Any:
        """Trains on the next batches; returns what the last step reports."""
        spec = getattr(iterator, "element_spec", None)  # of a `tf.data.Iterator`
        logs = None
        for data in itertools.islice(iterator, self._steps):
            logs = self._train(*_without_optionals(data, spec))
        if logs is None:
            raise StopIteration
        return logs

    def _train(self, data: Any, spec: Any) -> Any:
        if not self._compiles or tf.config.functions_run_eagerly() or not is_fixed(spec):
            return self._in_graph_mode(data, spec)
        step = self._traced.get_concrete_function(spec)
        if not self._usual.has_shapes(data) or not self._fits(data):
            return step(data)
        if step not in self._compiled:
            if unsupported(step.graph):
                self._refuse()
                return step(data)
            self._compiled[step] = _compiled(step, spec)
        try:
            return self._compiled[step](data)
        except tf.errors.OpError as error:
            # It was raised by the compiler: the step has not begun.
            logs = step(data)
            self._refuse()
            _warn("training step", error)
            return logs

    def _in_graph_mode(self, data: Any, spec: Any) -> Any:
        if tf.config.functions_run_eagerly():
            return self._traced(data)
        return self._traced.get_concrete_function(spec)(data)

    def _refuse(self) -> None:
        self._compiles = False
        self._compiled.clear()
        self._refused()


def compiled_update(
    optimizer: keras.optimizers.Optimizer,
    gradients: list[Tensor | None],
    weights: list[keras.Variable],
    usual: UsualBatch,
    fixed: bool,
) -> None:
    """Applies gradients as ``optimizer.apply`` does, compiled by XLA if it can be.

    Args:
        optimizer: A built ``keras.optimizers.Optimizer``.
        gradients: List of tensors, ``IndexedSlices`` or None, in a graph.
        weights: The variables, as many.
        usual: The ``UsualBatch``: gradients of an embedding have a row for every word,
            so that they are compiled for one size of the batch only.
        fixed: Whether the number of rows depends on the size of the batch alone.
    """

    @tf.function(autograph=False)
    def update(gradients: list[Tensor | None]) -> None:
        optimizer.apply(gradients, weights)

    spec = [g if g is None else tf.type_spec_from_value(g) for g in gradients]
    update = update.get_concrete_function(spec)
    rows = [tf.size(g.indices) for g in gradients if isinstance(g, tf.IndexedSlices)]
    if (rows and not fixed) or unsupported(update.graph):
        update(gradients)
        return
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    parts = [
        inner,
        keras_compat.given_learning_rate(inner),
        *(w.constraint for w in weights),
    ]
    error = None
    if not all(part is None or keras_compat.is_of_keras(part) for part in parts):
        error = _compiler_error(update, gradients, weights)
    if error is not None:
        _warn("update of the weights", error)
        update(gradients)
        return
    compiled = _compiled(update, spec)
    if rows:
        tf.cond(
            usual.has_rows(tf.add_n(rows)),
            lambda: _then_zero(compiled, gradients),
            lambda: _then_zero(update, gradients),
        )
    else:
        compiled(gradients)


def unsupported(graph: tf.Graph) -> list[str]:
    """Returns the sorted names of operations that XLA lacks on a CPU, or drops.

    Args:
        graph: A ``tf.Graph``.
    """
    _load_xla()
    return sorted({n.op for n in traced_graph.operations(graph) if not _has_kernel(n)})


@functools.cache
def _load_xla() -> None:
    """Makes XLA register its operations, which it does when it first compiles."""
    tf.function(lambda x: x + 1, autograph=False, jit_compile=True)(tf.constant(1))


def _has_kernel(node: Any) -> bool:
    if node.op == "Assert":
        return OWN_ASSERTION in node.name
    if node.op == "Placeholder" or op_def_registry.get(node.op) is None:
        return True  # an argument, a function
    return any(
        all(types.issuperset(_types(node.attr[name])) for name, types in kernel)
        for kernel in _kernels(node.op)
    )


def _types(value: Any) -> Sequence[int]:
    """The types that an attribute holds: one or a list."""
    return [value.type] if value.type else value.list.type


@functools.cache
def _kernels(op: str) -> list[list[tuple[str, set[int]]]]:
    """The types that each of XLA's kernels of an operation allows its attributes."""
    return [
        [(c.name, set(c.allowed_values.list.type)) for c in kernel.constraint]
        for kernel in kernels.get_registered_kernels_for_op(op).kernel
        if kernel.device_type == "XLA_CPU_JIT"
    ]


def _compiled(function: Callable[[Any], Any], spec: Any) -> Callable[[Any], Any]:
    """A traced function of one argument, compiled where it is called."""

    @tf.function(autograph=False, jit_compile=True)
    def compiled(argument: Any) -> Any:
        return function(argument)

    return compiled.get_concrete_function(spec)


def _compiler_error(
    update: Callable[[list[Tensor | None]], Any],
    gradients: list[Tensor | None],
    weights: list[keras.Variable],
) -> Exception | None:
    """Returns why XLA cannot compile an update, or None if it can.

    Within a graph it is too late to find out by calling the update. This runs XLA's first
    stage alone, without the variables' values. So an update that depends on these values
    fails as well, which XLA would compile again at every step.
    """

    def specs(gradient: Tensor | None, weight: keras.Variable) -> list[tf.TensorSpec]:
        if isinstance(gradient, tf.IndexedSlices):
            rows = gradient.indices.shape.num_elements() or 1
            values = tf.TensorSpec((rows, *weight.shape[1:]), gradient.dtype)
            return [values, tf.TensorSpec((rows,), gradient.indices.dtype)]
        return [] if gradient is None else [tf.TensorSpec(weight.shape, gradient.dtype)]

    def of_parts(
        gradient: Tensor | None, weight: keras.Variable, parts: Iterator[Tensor]
    ) -> Tensor | None:
        if isinstance(gradient, tf.IndexedSlices):
            shape = gradient.dense_shape
            shape = shape if shape is None else tf.constant([*weight.shape], shape.dtype)
            return tf.IndexedSlices(next(parts), next(parts), shape)
        return gradient if gradient is None else next(parts)

    pairs = list(zip(gradients, weights, strict=True))

    @tf.function(autograph=False, jit_compile=True)
    def compiled(*parts: Tensor) -> None:
        given = iter(parts)
        update([of_parts(*pair, given) for pair in pairs])

    parts = [spec for pair in pairs for spec in specs(*pair)]
    with tf.init_scope():
        try:
            compiled.experimental_get_compiler_ir(*parts)(stage="hlo")
        except (ValueError, tf.errors.OpError) as error:
            return error
    return None


def _then_zero(function: Callable[[Any], Any], argument: Any) -> Tensor:
    """Calls a function and returns a tensor, as each branch of a condition must."""
    function(argument)
    return tf.constant(0)


def _without_optionals(data: Any, spec: Any) -> tuple[Any, Any]:
    """Returns a batch and its specification, with None for each missing entry."""

    def tensor_or_none(value: Any) -> Any:
        if isinstance(value, (tf.experimental.Optional, tf.OptionalSpec)):
            return None
        return value if value is None or spec else tf.convert_to_tensor(value)

    data = tf.nest.map_structure(tensor_or_none, data)
    if spec is None:
        return data, tf.nest.map_structure(
            lambda v: v if v is None else tf.type_spec_from_value(v), data
        )
    return data, tf.nest.map_structure(tensor_or_none, spec)


def _warn(what: str, error: Exception) -> None:
    said = str(getattr(error, "message", error)).strip().partition("\n")[0][:200]
    warnings.warn(
        f"XLA cannot compile the {what}, which stays in graph mode. Pass "
        f"`jit_compile=False` to `compile` to leave it there without this warning. XLA "
        f"said: {said}",
        stacklevel=2,
    )
