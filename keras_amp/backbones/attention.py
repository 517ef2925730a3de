"""Attention that pools the states of a text into one vector."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_amp")
class AttentionPooling(keras.layers.Layer):
    """Pools states by attention with a single vector (Zhou et al., ACL 2016).

    With the states ``H``, one for each word, and the layer's only weight ``w``::

        M = tanh(H)             (Eq. 9)
        a = softmax(w^T M)      (Eq. 10)
        r = H a^T               (Eq. 11)

    A masked word receives attention of exactly zero, and what its state holds does not
    matter as long as it is finite. Where all words are masked, so is the result: zeros.
    The softmax is computed in float32, whatever the layer's precision.

    Args:
        initializer: Initializer of ``w``.
        regularizer: Regularizer of ``w``, or None.
        **kwargs: Keras' own arguments, such as ``name``.

    Call arguments:
        inputs: Floating-point tensor ``(batch_size, length, dim)``.
        mask: Boolean tensor ``(batch_size, length)``, True where a word counts, or None
            if all do. Usually implicit, from ``Embedding(mask_zero=True)``.

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

    def __init__(self, initializer="glorot_uniform", regularizer=None, **kwargs):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.supports_masking = True

    def build(self, input_shape):
        """Creates ``w``, of shape ``(dim, 1)``."""
        self.w = self.add_weight(
            (input_shape[-1], 1),
            initializer=self.initializer,
            regularizer=self.regularizer,
            name="w",
        )

    def attention(self, inputs, mask=None):
        """How much each word counts: float32 ``(batch_size, length)``, of sum 1 or 0."""
        states = ops.cast(inputs, self.compute_dtype)
        # Not left to the dtype policy: outside `call`, nothing casts a weight.
        w = ops.cast(self.w, self.compute_dtype)
        scores = ops.squeeze(ops.matmul(ops.tanh(states), w), axis=-1)
        scores = ops.cast(scores, "float32")  # (batch_size, length)
        if mask is None:
            return ops.softmax(scores, axis=-1)
        # A finite number keeps a row without any word from NaN; its softmax is undone.
        scores = ops.where(mask, scores, -1e9)
        return ops.softmax(scores, axis=-1) * ops.cast(mask, "float32")

    def call(self, inputs, mask=None):
        """The states' mean, weighted by attention."""
        weights = ops.cast(self.attention(inputs, mask), inputs.dtype)
        return ops.squeeze(ops.matmul(weights[:, None, :], inputs), axis=1)

    def compute_mask(self, inputs, mask=None):
        """There are no words left to be masked."""
        return

    def compute_output_shape(self, input_shape):
        """From ``(batch_size, length, dim)`` to ``(batch_size, dim)``."""
        return (input_shape[0], input_shape[-1])

    def get_config(self):
        """Returns the arguments that rebuild this layer."""
        return {
            **super().get_config(),
            "initializer": keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
        }
