"""RegMixup: mixup as a regulariser beside the loss of the examples as they are."""

from typing import Any, ClassVar, Literal

import keras
from keras import ops

from keras_amp.policies.adversarial_search import found
from keras_amp.policies.mixup import Mixup
from keras_amp.policies.needs import Needs
from keras_amp.policies.passes import Pass, Passes, Point, Searched


@keras.saving.register_keras_serializable(package="keras_amp")
class RegMixup(Mixup):
    """Train on the examples as they are, and on their mixtures.

        L(h) + weight * L_mix,    lambda ~ Beta(alpha, alpha)

    **When to use it.** Where mixup lowers the error and raises the calibration error, as
    it does where labels are few: the examples themselves are seen as well, so that the
    network stays certain of them. ``alpha`` is large: the mixtures lie near the middle,
    far from the examples.

    **What it costs.** Two passes above the mix point instead of one; no probe.

    **Traps.** The loss counts ``1 + weight`` times, so that a learning rate tuned
    without it may be too large. The two passes share their dropout masks. Metrics are
    those of the examples as they are.

    Args:
        alpha: Float > 0, as ``Mixup``.
        weight: Float >= 0, of the mixtures' loss; 0 is plain training.
        lam_per: As ``Mixup``.
        probability: As ``Mixup``.
        probability_per: As ``Mixup``.
        partners: As ``Mixup``.
        bandwidth: As ``Mixup``.

    Raises:
        ValueError: If an argument lies outside its range.

    Example:
    >>> keras_amp.RegMixup().alpha
    10.0

    Reference:
        Pinto et al., *RegMixup: Mixup as a Regularizer Can Surprisingly Improve Accuracy
        and Out Distribution Robustness*, NeurIPS 2022.
    """

    _ranges: ClassVar[dict[str, dict[str, float]]] = {
        **Mixup._ranges,
        "weight": {"at_least": 0},
    }

    def __init__(
        self,
        alpha: float = 10.0,
        weight: float = 1.0,
        lam_per: Literal["example", "batch"] = "example",
        probability: float = 1.0,
        probability_per: Literal["batch", "example"] = "batch",
        partners: Literal["any", "near"] = "any",
        bandwidth: float = 1.0,
    ):
        super().__init__(
            alpha, lam_per, probability, probability_per, partners, bandwidth
        )
        self.weight = weight

    @property
    def needs(self) -> Needs:
        """What a training step prepares for the policy, ``Needs``."""
        return Needs(trains_on="added")

    def search(self, passes: Passes, start: Point) -> Searched:
        """Train on the mixtures and on the examples; see the class."""
        mixed = passes.train_too(start)
        plain = passes.train(Point())
        return found(
            Pass(plain.y_pred, plain.loss + self.weight * mixed.loss),
            Point(),
            plain.loss,
            mixed.loss,
            ops.cast(mixed.loss > plain.loss, "float32"),
            lam=start.lam,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this policy."""
        weight = self.scheduled().get("weight", self.weight)
        return {**super().get_config(), "weight": weight}
