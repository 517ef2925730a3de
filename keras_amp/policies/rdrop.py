"""RDrop: two passes with dropout masks of their own shall agree."""

from typing import Any, ClassVar

import keras

from keras_amp.policies.adversarial_search import found
from keras_amp.policies.needs import Needs
from keras_amp.policies.passes import Pass, Passes, Point, Searched
from keras_amp.policies.policy import Policy


@keras.saving.register_keras_serializable(package="keras_amp")
class RDrop(Policy):
    """R-Drop: make the predictions of two passes agree, whatever dropout leaves out.

        (L1 + L2) / 2 + weight * (KL(p1 || p2) + KL(p2 || p1)) / 2

    L1, p1 and L2, p2 are the losses and predictions of two passes with dropout masks of
    their own; nothing is held constant. KL is that of ``AdversarialTraining``.

    **When to use it.** Where dropout, or other noise, lies above the mix point: without
    any it is plain training. The lower the mix point, the more noise lies above it.

    **What it costs.** It doubles the step above the mix point; no probe.

    **Traps.** What lies below the mix point is computed once, with one mask. With few
    examples a large ``weight`` makes all predictions alike.

    Args:
        weight: Float >= 0, of the divergence.

    Raises:
        ValueError: If an argument lies outside its range; in training, if the compiled
            loss does not tell what the predictions are (classes, labels or numbers).

    Example:
    >>> keras_amp.RDrop().needs.noise
    'independent'

    Reference:
        Liang et al., *R-Drop: Regularized Dropout for Neural Networks*, NeurIPS 2021.
    """

    _ranges: ClassVar[dict[str, dict[str, float]]] = {"weight": {"at_least": 0}}

    def __init__(self, weight: float = 1.0):
        self.weight = weight

    @property
    def needs(self) -> Needs:
        """What a training step prepares for the policy, ``Needs``."""
        return Needs(noise="independent", trains_on="added", mixes=False)

    @property
    def measures(self) -> tuple[str, ...]:
        """The divergence."""
        return ("divergence",)

    def search(self, passes: Passes, start: Point) -> Searched:
        """Train on two passes and on how far they are apart; see the class."""
        first, second = passes.train_too(start), passes.train(start)
        there = passes.divergence(first.y_pred, second.y_pred)
        back = passes.divergence(second.y_pred, first.y_pred)
        apart = (there + back) / 2
        loss = (first.loss + second.loss) / 2 + self.weight * apart
        return found(
            Pass(second.y_pred, loss),
            start,
            first.loss,
            second.loss,
            measured={"divergence": apart},
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this policy."""
        return {"weight": self.weight, **self.scheduled()}
