"""Checks of labels of all outputs: before training, and of batches in the step."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops, tree

from keras_amp.graph import keras_compat
from keras_amp.training import backend, input_check
from keras_amp.training.label_check import LabelCheck, no_numbers
from keras_amp.training.output_losses import Leaves, Target, leaves_of, targets_of
from keras_amp.training.tensorflow import assertions
from keras_amp.typing import Size, Structure


class LabelChecks:
    """What labels must look like, by the classifier's outputs and the losses.

    Args:
        classifier: The classifier.
        outputs: Its outputs (``output_losses.outputs_of``).
        container: The compiled losses (``keras_compat.loss_container``), or None.
        loss: The loss as it was passed to ``compile``.
    """

    def __init__(
        self, classifier: keras.Model, outputs: Structure, container: Any, loss: Any
    ) -> None:
        self.classifier, self.outputs = classifier, outputs
        self.container, self.loss = container, loss
        self._several = len(classifier.outputs) > 1

    def check_arrays(self, x: Any, y: Any, argument: str = "`y`") -> None:
        """Checks the labels that ``fit`` is given as arrays or tensors.

        Args:
            x: As ``LabelCheck.check_arrays``.
            y: Labels in a structure that Keras takes for the outputs, or None where ``x``
                is a data set.
            argument: What the user called the labels.

        Raises:
            ValueError: As ``LabelCheck.check_arrays``; if there are not labels for all
                outputs that have a loss.
        """
        if not self._several:
            LabelCheck(self.classifier, self.loss).check_arrays(x, y, argument)
            return
        if y is None:
            return
        input_check.check_no_list(y, argument)
        labels = leaves_of(y).y
        for check, place, called in self._by_output(y, argument):
            check.check_arrays(x, labels[place], called)

    def check_dataset(self, dataset: tf.data.Dataset, argument: str) -> tf.data.Dataset:
        """Returns the data set with its labels checked as they are read.

        The check runs in the input pipeline, where it works under XLA too. A data set
        that Keras divides between processes is left as it is: Keras reads off it how
        large its batches are, which is not seen through a check.

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
        if not all(isinstance(leaf, tf.TensorSpec) for leaf in leaves):
            return dataset
        if not self._several and len(leaves) != 1:
            return dataset
        by_output = self._by_output(spec[1], f"the labels of {argument}")
        for check, place, called in by_output:
            if leaves[place].dtype == tf.string:
                raise no_numbers(called, "texts (dtype string)")
            check.check_shape(leaves[place], called)
        asked = any(check.asks_of_values(leaves[i]) for check, i, _ in by_output)
        if not asked or backend.divides_data_sets():
            return dataset

        # What AutoGraph would find nothing to convert in, for longer than tracing takes.
        @tf.autograph.experimental.do_not_convert
        def checked(x: Any, y: Any, *weight: Any) -> tuple[Any, ...]:
            labels = tree.flatten(y)
            hold = [check.assertion(labels[i], called) for check, i, called in by_output]
            y = tree.map_structure(lambda leaf: assertions.once(hold, leaf), y)
            return x, y, *weight

        return dataset.map(checked)

    def check_batch(
        self, x: Structure, leaves: Leaves, targets: list[Target]
    ) -> tuple[Leaves, Size]:
        """Checks one batch inside a training step.

        What the shapes tell is raised while the step is traced; values are asserted while
        it runs.

        Args:
            x: The classifier's inputs.
            leaves: The labels and weights.
            targets: Which of them each loss is given.

        Returns:
            The labels and weights, and the batch size, an integer where it is static,
            else a scalar tensor. Using these labels implies that the assertions hold.

        Raises:
            ValueError: If their shape is wrong or the static batch sizes differ; in
                eager mode also if a label is no class.
        """
        inputs = next(v for v in tree.flatten(x) if v is not None)
        expected = inputs.shape[0]
        for y in leaves.y:
            received = y.shape[0]
            if None not in (expected, received) and expected != received:
                raise ValueError(
                    "Expected `y` to hold one label for each example of the batch. "
                    f"Received: {received} labels for {expected} examples."
                )
        checked = []
        for target in targets:
            check, called = self._check_of(target), self._called("`y`", target.output)
            y, weight = target.of(leaves)
            check.check_shape(y, called)
            check.check_weight(weight)
            checked.append((check, y, called))
        for check, y, called in checked:
            values = backend.values_of(y)
            if values is not None:
                check.check_values(values, called)
        batch_size = expected if expected is not None else ops.shape(inputs)[0]
        return leaves._replace(y=backend.asserted(leaves.y, batch_size, checked)), (
            batch_size
        )

    def _by_output(
        self, y: Structure, argument: str
    ) -> list[tuple[LabelCheck, int, str]]:
        """The check of each loss, the place of its labels, and what these are called."""
        if not self._several:
            return [(LabelCheck(self.classifier, self.loss), 0, argument)]
        # Another one, so that no wrong label decides what the model's losses are.
        container = keras_compat.losses_like(self.container)
        return [
            (self._check_of(each), each.label, self._called(argument, each.output))
            for each in targets_of(container, self.outputs, y)
        ]

    def _check_of(self, target: Target) -> LabelCheck:
        if not self._several:
            return LabelCheck(self.classifier, self.loss)
        return LabelCheck(self.classifier, target.loss, target.output)

    def _called(self, argument: str, output: int) -> str:
        """What the labels of an output are called."""
        if not self._several:
            return argument
        names = self.classifier.output_names
        return f"{argument} for the output '{names[output]}'"
