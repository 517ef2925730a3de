"""The parts of Keras that are not public, each behind one function.

A new version of Keras may change any of them without notice. No other file of the
package touches them, so that this is the one file to mend; ``tests/graph/
test_keras_compat.py`` compares each function with what Keras does in public.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import keras
from keras.src.backend.common.masking import get_keras_mask as _get_keras_mask
from keras.src.backend.common.masking import set_keras_mask as _set_keras_mask
from keras.src.backend.common.stateless_scope import (
    get_stateless_scope as _get_stateless_scope,
)
from keras.src.losses.loss import apply_mask as _apply_mask
from keras.src.trainers.compile_utils import CompileLoss as _CompileLoss
from keras.src.trainers.trainer import model_supports_jit as _model_supports_jit

# Code of Keras.


def is_of_keras(thing: Any) -> bool:
    """Return whether Keras itself defines a class or function, or an object's class."""
    return str(thing.__module__).split(".")[0] == "keras"


def ops_name(operation: keras.Operation) -> str | None:
    """Return the class name of an operation of ``keras.ops``, such as ``"ExpandDims"``.

    None stands for layers, and for operations that others define.
    """
    if isinstance(operation, keras.layers.Layer) or not is_of_keras(operation):
        return None
    return type(operation).__name__


# Graphs. An operation is called at a node, which reads tensors and yields tensors.


class Arguments(Protocol):
    """The arguments of a call, symbolic tensors among them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Node(Protocol):
    """A call of an operation, of which a graph consists."""

    operation: keras.Operation
    arguments: Arguments
    input_tensors: list[keras.KerasTensor]
    outputs: list[keras.KerasTensor]
    is_input: bool


def nodes_of(function: keras.Function) -> list[Node]:
    """Return the graph's nodes, each behind those that it reads from."""
    by_depth = function._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def node_of(x: keras.KerasTensor) -> Node:
    """Return the node that yields a symbolic tensor."""
    operation, index, _ = x._keras_history
    node: Node = operation._inbound_nodes[index]
    return node


def calls_of(operation: keras.Operation) -> list[Node]:
    """Return the nodes of all calls of an operation, whichever graph they are in."""
    return list(operation._inbound_nodes)


def readers_of(x: keras.KerasTensor) -> list[Node]:
    """Return the nodes of all graphs that read a symbolic tensor."""
    behind = x._keras_history.operation._outbound_nodes
    return [node for node in behind if any(x is read for read in node.input_tensors)]


def run_graph(function: keras.Function, inputs: Any, call: Callable[..., Any]) -> Any:
    """Run a graph, with each of its operations called by a function.

    Args:
        function: The graph.
        inputs: Values in the structure of its inputs.
        call: Callable ``(operation, *args, **kwargs) -> outputs``.

    Returns:
        The outputs, in the graph's structure.
    """
    return function._run_through_graph(inputs, call_fn=call)


def takes_training(operation: keras.Operation) -> bool:
    """Return whether an operation is a layer whose ``call`` has a ``training``."""
    return bool(getattr(operation, "_call_has_training_arg", False))


def has_keras_lstm_loop(layer: keras.layers.LSTM) -> bool:
    """Return whether a layer, perhaps of a subclass, runs Keras' own loop of an LSTM."""
    loop: bool = type(layer).inner_loop is keras.layers.LSTM.inner_loop
    return loop


def layers_of(model: keras.Model, include_self: bool = True) -> list[keras.layers.Layer]:
    """Return a model and its layers at any depth, each once."""
    return list(model._flatten_layers(include_self=include_self))


# Masks, which travel as an attribute of the tensor that they belong to.


def mask_of(x: Any) -> Any:
    """Return the mask that Keras has put on a tensor, or None."""
    return _get_keras_mask(x)


def put_mask(x: Any, mask: Any) -> None:
    """Put a mask on a tensor, as a layer does that yields one."""
    _set_keras_mask(x, mask)


# Scopes.


def stateless_scope() -> Any:
    """Return the innermost ``keras.StatelessScope`` that is open, or None."""
    return _get_stateless_scope()


# What `compile` makes.

# The names of a model's attributes that `compile` sets.
_COMPILED = """
    compiled optimizer loss steps_per_execution _compile_loss _compile_metrics
    _loss_tracker _compile_config _jit_compile _run_eagerly
""".split()  # noqa: SIM905


def loss_container(model: keras.Model) -> Any:
    """Return the compiled losses, a callable with ``built``, or None without a loss."""
    return model._compile_loss


def metrics_container(model: keras.Model) -> Any:
    """Return the compiled metrics, with ``built`` and ``build``, or None without any."""
    return model._compile_metrics


def loss_tracker(model: keras.Model) -> Any:
    """Return the metric that is reported as ``loss``, or None before ``compile``."""
    return model._loss_tracker


class GivenLoss(NamedTuple):
    """One of the compiled losses, with what it is given of a batch.

    Attributes:
        loss: The loss.
        weight: Its weight (``compile(loss_weights=...)``), or None.
        y: The leaf of the labels.
        y_pred: The leaf of the predictions.
        sample_weight: The leaf of the sample weights, or None.
    """

    loss: keras.losses.Loss
    weight: float | None
    y: Any
    y_pred: Any
    sample_weight: Any


def given_losses(
    container: Any, y: Any, y_pred: Any, sample_weight: Any = None
) -> list[GivenLoss]:
    """Return what each loss of a ``loss_container`` is given; nothing is computed.

    Of several losses compiled for a single output Keras computes the first one alone.

    Args:
        container: The container; it is built if it was not, as its first call does.
        y: A structure of labels: tensors, arrays, or their specs.
        y_pred: A structure of predictions, which may be symbolic.
        sample_weight: A structure of weights, one for all outputs, or None.

    Raises:
        KeyError, ValueError: If Keras finds no label for a loss.
    """
    noting = _NotingLosses(container)
    noting.call(y, y_pred, sample_weight)
    single = not (keras.tree.is_nested(y) or keras.tree.is_nested(y_pred))
    return [
        GivenLoss(loss, weight, *given)
        for (_, loss, weight, _), given in zip(
            container._flat_losses,
            noting.given[:1] if single else noting.given,
            strict=False,
        )
    ]


def losses_like(container: Any) -> Any:
    """Return a ``loss_container`` of the same losses that is not built yet; or None."""
    if container is None:
        return None
    return _CompileLoss(
        container._user_loss,
        container._user_loss_weights,
        output_names=container.output_names,
    )


class _NotingLosses(_CompileLoss):
    """The losses of a container, which note what they are given and compute nothing."""

    def __init__(self, container: Any) -> None:
        super().__init__(None, output_names=container.output_names)
        self._container, self._user_loss = container, container._user_loss
        self.given: list[tuple[Any, Any, Any]] = []
        if container.built:
            self._follow()

    def build(self, y_true: Any, y_pred: Any) -> None:
        self._container.build(y_true, y_pred)
        self._follow()

    def _follow(self) -> None:
        """Take over what the container has found out as it was built."""
        self._y_pred_build_structure = self._container._y_pred_build_structure
        self._y_true_build_structure = self._container._y_true_build_structure
        self._flat_losses = [
            each._replace(loss=self._note, loss_weights=None)
            for each in self._container._flat_losses
        ]
        self._metrics = [None] * len(self._flat_losses)
        self.built = True

    def _note(self, y: Any, y_pred: Any, sample_weight: Any) -> float:
        self.given.append((y, y_pred, sample_weight))
        return 0.0


def compiled_state(
    model: keras.Model, wrap: Callable[[Any], Any] = lambda container: container
) -> dict[str, Any]:
    """Return what ``compile`` has set on a model, for ``put_compiled_state``.

    Args:
        model: The model.
        wrap: Callable that is given the ``loss_container``, if there is one, and returns
            what takes its place.
    """
    mine = vars(model)  # not through Keras' tracking of attributes
    state = {name: mine[name] for name in _COMPILED if name in mine}
    if state.get("_compile_loss") is not None:
        state["_compile_loss"] = wrap(state["_compile_loss"])
    return state


def put_compiled_state(model: keras.Model, state: dict[str, Any]) -> None:
    """Make a model be compiled as another one is; see ``compiled_state``."""
    mine = vars(model)
    for name in _COMPILED:
        mine.pop(name, None)
    mine.update(state)


def made_under_a_strategy(model: keras.Model) -> bool:
    """Return whether a model was made in the scope of a ``tf.distribute.Strategy``."""
    return getattr(model, "_distribute_strategy", None) is not None


def strategy_scope(model: keras.Model) -> contextlib.AbstractContextManager[Any]:
    """Return the scope of a model's ``tf.distribute.Strategy``; on JAX there is none."""
    strategy = getattr(model, "distribute_strategy", None)
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def supports_jit(model: keras.Model) -> bool:
    """Return whether XLA may compile a model, as ``jit_compile="auto"`` finds out."""
    return bool(_model_supports_jit(model))


def symbolic_build(model: keras.Model, batch: tuple[Any, ...]) -> None:
    """Make the variables of a compiled model that ``fit`` would make by a first batch."""
    model._symbolic_build(data_batch=batch)


@contextlib.contextmanager
def each_batch_laid_out() -> Iterator[None]:
    """Have Keras on JAX ask a distribution for a layout of each batch, not of the first.

    It puts all batches of an epoch on the devices as the first one, which may be larger.
    """
    from keras.src.backend.jax import trainer

    put = trainer._distribute_data
    trainer._distribute_data = lambda data, layouts=None: put(data)
    try:
        yield
    finally:
        trainer._distribute_data = put


# Losses.


def compute_loss(
    model: keras.Model, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool
) -> Any:
    """Call a model's ``compute_loss``, with ``training`` if its signature has it."""
    return model._compute_loss(x, y, y_pred, sample_weight, training=training)


def additional_loss(model: keras.Model, loss: Any) -> Any:
    """Return one of ``model.losses`` as it is added to the compiled loss."""
    return model._aggregate_additional_loss(loss)


@contextlib.contextmanager
def losses_replaced(model: keras.Model, losses: list[Any]) -> Iterator[None]:
    """Make ``model.losses`` be others for a while."""
    vars(model)["_losses_override"] = losses
    try:
        yield
    finally:
        vars(model)["_losses_override"] = []


def loss_settings(loss: Any) -> dict[str, Any]:
    """Return the arguments with which one of Keras' losses calls its function."""
    settings: dict[str, Any] = getattr(loss, "_fn_kwargs", {})
    return settings


def masked_weight(sample_weight: Any, mask: Any, dtype: Any, reduction: str) -> Any:
    """Return the weights by which Keras averages losses under a mask; None for equal."""
    return _apply_mask(sample_weight, mask, dtype, reduction)


# Optimizers and random generators.


def step_counter(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the variable that counts an optimizer's steps, accumulated ones too."""
    return optimizer._iterations


def given_learning_rate(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return an optimizer's learning rate as it was given: a schedule or a variable."""
    return optimizer._learning_rate


def is_seed_state(variable: keras.Variable) -> bool:
    """Return whether a variable is the state of a ``keras.random.SeedGenerator``."""
    return bool(variable.name == "seed_generator_state")


# Classes that Keras asks by private names. The names are public in these bases.


class ExportedByAnother:
    """A base of models that are exported with the signature of another model.

    Keras' ``ExportArchive``, ``tf.saved_model.save`` and
    ``tf.lite.TFLiteConverter.from_keras_model`` ask a model what it is called with.
    A subclass defines ``exported_model`` and ``exported_shapes``.
    """

    @property
    def exported_model(self) -> keras.Model:
        """The model that answers."""
        raise NotImplementedError

    @property
    def exported_shapes(self) -> Any:
        """The shapes of its inputs, in the structure of these."""
        raise NotImplementedError

    def _get_save_spec(self, dynamic_batch: bool = True) -> Any:
        return self.exported_model._get_save_spec(dynamic_batch)

    @property
    def _default_save_signature(self) -> Any:
        return self.exported_model._default_save_signature

    @property
    def _build_shapes_dict(self) -> dict[str, Any]:
        return {"input_shape": self.exported_shapes}

    @_build_shapes_dict.setter
    def _build_shapes_dict(self, value: Any) -> None:
        """Ignore Keras' own notes of what the model was built with."""


class TrainedOnJAX(keras.Model):
    """A base of models that Keras' trainer for JAX trains, without two of its faults.

    What does not fit in the first batch is an error of ``check_first``, which a subclass
    defines, rather than one of the losses that Keras builds by that batch. Where the
    first step of a ``fit`` raises, the variables keep what they held: Keras restores what
    a step has returned.
    """

    def check_first(self, batch: Any) -> None:
        """Raise if the first batch does not fit."""
        raise NotImplementedError

    def _symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        losses = loss_container(self)
        if losses is not None and not losses.built:
            if data_batch is None:
                _, _, batches = next(iter(iterator))
                several = isinstance(batches, (list, tuple))
                data_batch = batches[0] if several else next(batches)
            self.check_first(data_batch)
        super()._symbolic_build(iterator=iterator, data_batch=data_batch)

    def _get_jax_state(self, **wanted: bool) -> Any:
        state = super()._get_jax_state(**wanted)
        if wanted.pop("purge_model_variables", False):
            self._jax_state = dict(zip(wanted, state, strict=True))
        return state


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras' callback, with its writer and the steps that a subclass replaces."""

    @property
    def train_writer(self) -> Any:
        """The ``tf.summary`` writer of ``<log_dir>/train``."""
        return self._train_writer

    def configure_embeddings(self) -> None:
        """Write what the projector reads, with ``embeddings_freq``."""
        super()._configure_embeddings()

    def log_embeddings(self, epoch: int) -> None:
        """Write an epoch's embeddings, with ``embeddings_freq``."""
        super()._log_embeddings(epoch)

    def _configure_embeddings(self) -> None:
        self.configure_embeddings()

    def _log_embeddings(self, epoch: int) -> None:
        self.log_embeddings(epoch)
