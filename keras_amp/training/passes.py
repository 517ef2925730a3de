"""The passes of a step at one mix point, as a policy is handed them."""

from typing import Any

import keras
from keras import ops, tree

from keras_amp.graph import keras_compat
from keras_amp.graph.pairs import Pair, side_by_side
from keras_amp.graph.split import SplitModel
from keras_amp.policies import expand_like
from keras_amp.policies.passes import Draw, Moved, Objective, Pass, Point
from keras_amp.training import backend
from keras_amp.training.divergence import divergence
from keras_amp.training.labels import Labels
from keras_amp.training.output_losses import OutputLosses
from keras_amp.typing import Size, Structure, Tensor


class Upper:
    """What lies above a mix point, with the hidden states and labels of a batch.

    Args:
        split: The ``SplitModel``.
        inputs: The batch's inputs.
        labels: The batch's ``Labels``.
        losses_of: The compiled losses.
        drawn: The ``Draw``; None where nothing is mixed.
    """

    def __init__(
        self,
        split: SplitModel,
        inputs: Structure,
        labels: Labels,
        losses_of: OutputLosses,
        drawn: Draw | None,
    ) -> None:
        self.split, self.labels, self.losses_of = split, labels, losses_of
        self._hidden = split.run_below(inputs)
        self._drawn = drawn
        self._pair = self._pair_of(drawn)

    def start(self, per_dimension: bool) -> Point:
        """Returns the drawn point."""
        if self._drawn is None:
            return Point()
        lam = self._drawn.lam
        if per_dimension:
            lam = self.split.lam_per_dimension(self._pair, lam)
        return Point(self._drawn, lam)

    def evaluate(self, at: Point) -> Pass:
        """Makes a pass."""
        y_pred = self.split.run_above(self.pair(at), at.lam, delta=at.delta)
        return Pass(y_pred, self.losses_of.total(self.losses(y_pred, at.draw)))

    def losses(self, y_pred: Structure, draw: Draw | None) -> list[Tensor]:
        """Returns the losses of predictions, one tensor for each compiled loss."""
        return self.labels.losses(self.losses_of, y_pred, draw)

    def pair(self, at: Point) -> Pair:
        """Returns the hidden states of a point, with those of the partners."""
        return self._pair if at.draw is self._drawn else self._pair_of(at.draw)

    def _pair_of(self, draw: Draw | None) -> Pair:
        return self._hidden.alone() if draw is None else self._hidden.pair(*draw)


class Passes(backend.Recorder):
    """The passes of a step; see ``keras_amp.policies.passes.Passes``.

    Args:
        upper: The ``Upper``.
        batch_size: Integer or scalar integer tensor, the examples of all replicas.
        seed_generator: What a policy's further random numbers come from.
        *args: As ``backend.Recorder``.
    """

    def __init__(
        self,
        upper: Upper,
        batch_size: Size,
        seed_generator: keras.random.SeedGenerator,
        *args: Any,
    ) -> None:
        super().__init__(*args)
        self._upper, self.batch_size = upper, batch_size
        self.seed_generator = seed_generator

    def choose(self, mask: Tensor, second: Pass, first: Pass) -> Pass:
        """Returns each example's pass: the second where the mask ``(batch_size,)`` is."""
        return tree.map_structure(lambda *two: _where(mask, *two), second, first)

    def zeros(self, at: Point) -> Tensor:
        """Returns a ``delta`` of zeros."""
        return self._upper.split.zeros(self._upper.pair(at))

    def noise(self, at: Point) -> Tensor:
        """Returns a normal ``delta``, 0 at padding."""
        shape = ops.shape(self.zeros(at))
        noise = keras.random.normal(shape, dtype="float32", seed=self.seed_generator)
        return self._counted(at, noise)

    def counted(self, at: Point) -> list[Tensor]:
        """Returns ones in the shape of each hidden state, 0 at padding."""
        return self._upper.split.counted(self._upper.pair(at))

    def joined(self, values: list[Tensor]) -> Tensor:
        """Joins what there is for each hidden state, as a ``delta`` is joined."""
        return side_by_side(values)

    def probe_with_gradient(
        self, at: Point, of: Moved = "lam", objective: Objective | None = None
    ) -> tuple[Pass, Tensor]:
        """Makes a pass that is not trained on; its gradient is 0 at padding."""
        passed, gradient = super().probe_with_gradient(at, of, objective)
        return passed, self._counted(at, gradient, of)

    def train_with_gradient(self, at: Point, of: Moved = "lam") -> tuple[Pass, Tensor]:
        """Makes a pass that is trained on; its gradient is 0 at padding."""
        passed, gradient = super().train_with_gradient(at, of)
        return passed, self._counted(at, gradient, of)

    def divergence(self, first: Structure, second: Structure) -> Tensor:
        """Returns how far two predictions of each example are apart."""
        first, second = tree.flatten(first), tree.flatten(second)
        losses_of = self._upper.losses_of
        return losses_of.total(
            [
                divergence(each.loss, first[each.output], second[each.output])
                for each in losses_of.targets
            ]
        )

    def labeled(self, at: Point) -> Tensor:
        """Returns 1 for each example whose label counts, else 0; ``(batch_size,)``."""
        return self._upper.labels.labeled(at.draw)

    def _counted(self, at: Point, delta: Tensor, of: str = "delta") -> Tensor:
        """A delta, or its gradient, without what it has at padding."""
        if of != "delta":
            return delta
        return self._upper.split.without_padding(self._upper.pair(at), delta)


def _where(mask: Tensor, second: Tensor, first: Tensor) -> Tensor:
    """Picks examples by a mask ``(batch_size,)``; Keras' own mask is the second's."""
    picked = ops.where(expand_like(mask, second), second, first)
    if keras_compat.mask_of(second) is not None:
        keras_compat.put_mask(picked, keras_compat.mask_of(second))
    return picked
