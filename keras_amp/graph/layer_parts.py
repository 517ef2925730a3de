"""Layers taken apart: what one layer computes, as two over the same weights."""

import keras


class LayerPart(keras.layers.Layer):
    """A part of what a layer computes, over its weights.

    Args:
        layer: The built layer.
    """

    def __init__(self, layer):
        name = f"{layer.name}_{type(self).__name__.lower()}"
        super().__init__(name=name, dtype=layer.dtype_policy, autocast=False)
        self.layer = layer
        self.supports_masking = layer.supports_masking
        self.built = True


class Preactivation(LayerPart):
    """A layer without its activation."""

    def call(self, inputs):
        """Computes the layer's affine part."""
        activation, self.layer.activation = self.layer.activation, None
        try:
            return self.layer(inputs)
        finally:
            self.layer.activation = activation

    def compute_mask(self, inputs, previous_mask):
        """The layer's own."""
        return self.layer.compute_mask(inputs, previous_mask)


class Activation(LayerPart):
    """A layer's activation alone."""

    def call(self, inputs):
        """Applies the activation."""
        return self.layer.activation(inputs)
