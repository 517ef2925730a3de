"""MixLayer: the place in a network where examples are mixed."""

from typing import Any

import keras

from keras_amp.policies.operators import mix_hidden
from keras_amp.typing import Tensor
from keras_amp.validation import check_meanings


@keras.saving.register_keras_serializable(package="keras_amp")
class MixLayer(keras.layers.Layer):
    """Marks where a network mixes the hidden states of two examples.

    Called on one tensor it is the identity, in training and at inference: a network with
    a ``MixLayer`` predicts exactly what it predicts without one. During a training step
    ``MixupAMPModel`` also passes it the partners' hidden states and lambda (Eq. 11). It
    has no weights, and it passes the mask of ``inputs`` on.

    Put one into a network of your own, or let ``insert_mix_layer`` do it. If there are
    several, each is a mix point of its own. Those that one tuple of ``mix_at`` names
    share a draw: ``MixupAMPModel(classifier, mix_at=("mix_words", "mix_numbers"))``.

    Args:
        name: Optional name. Further keyword arguments are Keras' own (``dtype``, ...).
        masks: Dict from the names of layers or inputs whose masks bypass this layer to
            what True means in them: ``"keep"``, ``"hide"`` or ``"select"``; see
            ``MixupAMPModel``. None lets the model find out.

    Call arguments:
        inputs: Floating-point tensor ``(batch_size, ...)``.
        partner: Tensor of the same shape, or None for the identity.
        lam: Float32 tensor ``(batch_size,)``, the share of ``inputs`` in the result, or
            of the shape of ``inputs``, a share for each dimension. Needed exactly when
            ``partner`` is given.

    Raises:
        ValueError: If only one of ``partner`` and ``lam`` is given, or a meaning in
            ``masks`` is unknown.
        TypeError: If ``masks`` is no dict.

    Example:
    >>> layer = keras_amp.MixLayer()
    >>> layer(np.ones((2, 3))).shape
    TensorShape([2, 3])
    >>> a, b = np.zeros((2, 1), "float32"), np.ones((2, 1), "float32")
    >>> layer(a, partner=b, lam=np.array([0.25, 1.0], "float32")).numpy()
    array([[0.75],
           [0.  ]], dtype=float32)
    """

    def __init__(
        self,
        name: str | None = None,
        masks: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        # Without autocast lambda stays in float32 where the network computes in less.
        super().__init__(name=name, autocast=False, **kwargs)
        self.masks = check_meanings(masks)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Tensor, partner: Tensor = None, lam: Tensor = None) -> Tensor:
        """Return ``inputs``, or their mixture with ``partner``."""
        if partner is None and lam is None:
            return inputs
        if partner is None or lam is None:
            given, missing = ("lam", "partner") if partner is None else ("partner", "lam")
            raise ValueError(
                f"Expected MixLayer '{self.name}' to be called with both `partner` and "
                f"`lam`, or with neither (the identity). Received: `{given}` without "
                f"`{missing}`."
            )
        return mix_hidden(inputs, partner, lam)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        config: dict[str, Any] = super().get_config()
        return config if self.masks is None else {**config, "masks": dict(self.masks)}
