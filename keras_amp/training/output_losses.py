"""The compiled losses of all outputs, and the label, weight and output of each.

Of several outputs the loss of an example is the sum of its losses, each times its weight
(``compile(loss_weights=...)``). So is the batch's loss, with each loss reduced as it was
compiled. Where some losses are averaged and others summed over the batch, the summed ones
count ``batch_size`` times in an example's loss, whose mean is then the batch's loss.
"""

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import ops, tree

from keras_amp.graph import keras_compat
from keras_amp.graph.lookup import as_function
from keras_amp.training import backend
from keras_amp.training.losses import ExampleLoss, averages
from keras_amp.typing import Structure, Tensor


class Leaves(NamedTuple):
    """The labels and the sample weights of a batch.

    Attributes:
        y: List of labels, each ``(batch_size, ...)``.
        weight: List of sample weights, each ``(batch_size, ...)``; empty for none.
    """

    y: list[Tensor]
    weight: list[Tensor]


class Target(NamedTuple):
    """A compiled loss, and which leaves of a batch it is given.

    Attributes:
        loss: The loss.
        factor: Its weight among several, or None for 1.
        output: The place of its predictions among the outputs.
        label: The place of its labels in ``Leaves.y``.
        weight: The place of its sample weights in ``Leaves.weight``, or None.
    """

    loss: keras.losses.Loss
    factor: float | None
    output: int
    label: int
    weight: int | None

    def of(self, leaves: Leaves) -> tuple[Tensor, Tensor | None]:
        """Returns the labels and sample weights of this loss."""
        weight = None if self.weight is None else leaves.weight[self.weight]
        return leaves.y[self.label], weight


def leaves_of(y: Structure, sample_weight: Structure = None) -> Leaves:
    """Returns the tensors of labels and sample weights, in the order of ``tree``."""
    return Leaves(
        *([v for v in tree.flatten(x) if v is not None] for x in (y, sample_weight))
    )


def outputs_of(classifier: keras.Model) -> Structure:
    """Returns a classifier's symbolic outputs, in the structure that a call returns."""
    outputs = as_function(classifier, "classifier").output
    if isinstance(outputs, (list, tuple)) and len(outputs) == 1:
        return outputs[0]
    return outputs


def in_structure_of(outputs: Structure, values: Structure) -> Structure:
    """Returns labels of a single output in its structure; those of several as they are.

    Raises:
        ValueError: If there is one output, and several tensors.
    """
    if len(tree.flatten(outputs)) > 1:
        return values
    leaves = [leaf for leaf in tree.flatten(values) if leaf is not None]
    if len(leaves) > 1:
        raise ValueError(
            "Expected one tensor of labels, and one of sample weights, as the classifier "
            f"has one output. Received: a structure of {len(leaves)}."
        )
    return tree.pack_sequence_as(outputs, leaves) if leaves else None


def targets_of(
    container: Any, outputs: Structure, y: Structure, sample_weight: Structure = None
) -> list[Target]:
    """Finds the label, the sample weight and the output of each compiled loss.

    Args:
        container: The compiled losses (``keras_compat.loss_container(model)``), or None.
        outputs: The classifier's outputs (``outputs_of``).
        y: Labels of a batch, in any structure that Keras takes.
        sample_weight: Weights in such a structure, one tensor for all outputs, or None.

    Returns:
        A list of ``Target``, one for each loss.

    Raises:
        ValueError: If there are no labels, the model was compiled without a loss, or
            labels do not go with the outputs.
    """
    leaves, flat = leaves_of(y, sample_weight), tree.flatten(outputs)
    if not leaves.y:
        raise ValueError(
            "Expected labels `y` to train on: mixup interpolates the losses of two "
            "labels. Received: y=None. A data set has to yield tuples, (x, y)."
        )
    if container is None:
        raise ValueError(
            "Expected `compile()` to receive a `loss`: mixup interpolates the losses "
            'of two labels. Received: loss=None. Pass, for instance, loss="sparse_'
            'categorical_crossentropy".'
        )
    y, sample_weight = (in_structure_of(outputs, each) for each in (y, sample_weight))
    making = contextlib.nullcontext() if container.built else backend.outside_the_step()
    try:
        with making:
            given = keras_compat.given_losses(container, y, outputs, sample_weight)
        return [_target(each, flat, leaves) for each in given]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        if len(flat) == 1:
            raise
        names = ", ".join(map(repr, container.output_names or []))
        raise ValueError(
            "Expected losses, labels and sample weights for the outputs: in lists of "
            f"their order ({names}), or in dicts by their names. Received: labels "
            f"{_shapes(y)}, sample weights {_shapes(sample_weight)}. What Keras says: "
            f"{error}"
        ) from error


class OutputLosses:
    """The compiled losses of all outputs, by example.

    Args:
        targets: List of ``Target``.
        alone: As ``ExampleLoss``.

    Raises:
        ValueError: If some losses are reduced and others are not.
    """

    def __init__(self, targets: list[Target], alone: bool = False) -> None:
        self.targets, self.alone = targets, alone
        self._losses = [ExampleLoss(target.loss, alone) for target in targets]
        self._averages = [averages(target.loss) for target in targets]
        unreduced = [each.reduction in ("none", None) for each in self._losses]
        self._unreduced = all(unreduced)
        if any(unreduced) and not self._unreduced:
            raise ValueError(
                "Expected all losses of several outputs to be reduced, or none. "
                f"Received: the reductions {[each.reduction for each in self._losses]}"
            )

    @property
    def losses(self) -> list[keras.losses.Loss]:
        """The losses themselves."""
        return [target.loss for target in self.targets]

    def each(
        self,
        y_pred: Structure,
        own: Leaves,
        partner: Leaves | None = None,
        lam: Tensor | None = None,
    ) -> list[Tensor]:
        """Returns each example's losses, one tensor ``(batch_size,)`` for each target.

        Args:
            y_pred: The predictions, in the structure of the output.
            own: The labels and weights of the examples.
            partner: Those of the partners; None where nothing is mixed.
            lam: Float32 tensor ``(batch_size,)``, the share of ``own``.

        Raises:
            ValueError: As ``ExampleLoss.mixture``.
        """
        outputs = tree.flatten(y_pred)
        pairs = zip(self.targets, self._losses, strict=True)
        if partner is None or lam is None:
            return [
                each.plain(outputs[target.output], target.of(own))
                for target, each in pairs
            ]
        return [
            each.mixture(outputs[target.output], target.of(own), target.of(partner), lam)
            for target, each in pairs
        ]

    def total(self, values: Sequence[Tensor]) -> Tensor:
        """Returns each example's sum of a value for each target, ``(batch_size,)``."""
        mixed_kinds = len(set(self._averages)) > 1
        total: Any = None
        for target, is_averaged, value in zip(
            self.targets, self._averages, values, strict=True
        ):
            if target.factor is not None:
                value = value * target.factor
            if mixed_kinds and not is_averaged and not self.alone:
                number = ops.shape(value)[0] * backend.replicas()
                value = value * ops.cast(number, value.dtype)
            total = value if total is None else total + value
        return total

    def reduce(self, values: Tensor) -> Tensor:
        """Reduces the examples' total losses as the compiled losses do.

        Args:
            values: Float32 tensor ``(batch_size,)``, from ``total``.

        Returns:
            As ``ExampleLoss.reduce``.

        Raises:
            ValueError: If losses without reduction have several numbers of positions.
        """
        numbers = [each.positions for each in self._losses]
        if self._unreduced and len(set(numbers)) > 1:
            raise ValueError(
                "Expected losses without reduction to have one shape, to be added. "
                f"Received: losses of several outputs, with {numbers} for each example"
            )
        place = self._averages.index(any(self._averages))
        return self._losses[place].reduce(values)

    def reduce_each(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Reduces the losses of each target by itself, without their weights."""
        return [
            each.reduce(value) for each, value in zip(self._losses, values, strict=True)
        ]


def _target(given: keras_compat.GivenLoss, outputs: list[Tensor], own: Leaves) -> Target:
    weight = None
    if given.sample_weight is not None:
        weight = _place(given.sample_weight, own.weight)
    places = _place(given.y_pred, outputs), _place(given.y, own.y)
    return Target(given.loss, given.weight, *places, weight)


def _place(leaf: Any, leaves: Sequence[Any]) -> int:
    for i, each in enumerate(leaves):
        if each is leaf:
            return i
    raise ValueError("they are not arranged as the outputs are")


def _shapes(structure: Structure) -> Structure:
    """A structure with shapes in place of tensors, for messages."""
    return tree.map_structure(
        lambda v: None if v is None else tuple(getattr(v, "shape", ())), structure
    )
