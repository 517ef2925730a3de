"""Attention that pools the hidden states of a text into one vector."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_amp")
class AttentionPooling(keras.layers.Layer):
    """Pools states by attention with a single vector (Zhou et al., ACL 2016).

    With the states ``H``, one for each word, and the layer's only weight ``w``::

        M = tanh(H)             (Eq. 9)
        a = softmax(w^T M)      (Eq. 10)
        r = H a^T               (Eq. 11)

    The attention on a masked word is exactly zero, so that its state, which must be
    finite, has no effect. If all words are masked, the result is zeros. The softmax is
    computed in float32, whatever the layer's precision.

    Args:
        initializer: Initializer of ``w``.
        regularizer: Regularizer of ``w``, or None.
        **kwargs: Keras' own arguments, such as ``name``.

    Call arguments:
        inputs: Floating-point tensor ``(batch_size, length, dim)``.
        mask: Boolean tensor ``(batch_size, length)``, False for masked words, or None if
            none is masked. Usually implicit, from ``Embedding(mask_zero=True)``.

    Returns:
        A tensor ``(batch_size, dim)``, without a mask.

    Example:
    >>> layer = keras_amp.backbones.AttentionPooling(initializer="zeros")
    >>> states = np.array([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]], "float32")
    >>> layer(states, mask=np.array([[True, True, False]])).numpy()
    array([[2., 3.]], dtype=float32)
    >>> layer.attention(states, mask=np.array([[True, True, False]])).numpy()
    array([[0.5, 0.5, 0. ]], dtype=float32)

    Reference:
        Zhou et al., *Attention-Based Bidirectional Long Short-Term Memory Networks for
        Relation Classification*, ACL 2016.
    """

    def __init__(
        self,
        initializer: Any = "glorot_uniform",
        regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create ``w``, of shape ``(dim, 1)``."""
        self.w = self.add_weight(
            (input_shape[-1], 1),
            initializer=self.initializer,
            regularizer=self.regularizer,
            name="w",
        )

    def attention(self, inputs: Any, mask: Any = None) -> Any:
        """Return the attention on each word.

        Args:
            inputs: Floating-point tensor ``(batch_size, length, dim)``.
            mask: Boolean tensor ``(batch_size, length)``, or None.

        Returns:
            A float32 tensor ``(batch_size, length)``. Its rows sum to 1, or to 0 if all
            words are masked.
        """
        states = ops.cast(inputs, self.compute_dtype)
        # Keras casts weights inside of `call` only; this method may be called by itself.
        w = ops.cast(self.w, self.compute_dtype)
        scores = ops.squeeze(ops.matmul(ops.tanh(states), w), axis=-1)
        scores = ops.cast(scores, "float32")  # (batch_size, length)
        if mask is None:
            return ops.softmax(scores, axis=-1)
        # Not -inf, which would make NaN of a row whose words are all masked. The mask
        # then makes zeros of the softmax of such a row.
        scores = ops.where(mask, scores, -1e9)
        return ops.softmax(scores, axis=-1) * ops.cast(mask, "float32")

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mean of the states, weighted by the attention."""
        weights = ops.cast(self.attention(inputs, mask), inputs.dtype)
        return ops.squeeze(ops.matmul(weights[:, None, :], inputs), axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the output has no words to be masked."""
        return

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return ``(batch_size, dim)`` for ``(batch_size, length, dim)``."""
        return (input_shape[0], input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {
            **super().get_config(),
            "initializer": keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
        }
