"""Functional models as graphs: where to mix, and what lies below and above.

A model takes this path. ``lookup`` finds the layer that a name denotes. ``insertion``
puts a ``MixLayer`` behind it, by replaying the graph. ``cuts`` does so for each place
that ``mix_at`` names, and splits the model there (``split``) into a part that is computed
once a step and a part that the search evaluates several times; between the two, ``pairs``
combines examples with their partners.

Before the split, ``placement`` checks the mix points and moves mixing as far up as that
changes no result: ``affine`` finds the layers that commute with mixing, ``batch_axis``
makes sure that they do not connect examples, and ``layer_parts`` divides layers of which
only a part is affine, LSTMs with the loop of ``lstm``. ``masks`` finds the masks that
bypass the mix point and unites those of two examples; ``mask_names`` and ``mask_trial``
find out what they mean. ``overrides`` says which of Keras' methods a user's class
overrides. ``keras_compat`` holds what is not public in Keras, for the whole package.

This folder imports ``keras_amp.layers``, ``policies`` and ``validation``, and no backend;
training, models and analysis import it.
"""
