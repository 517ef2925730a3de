"""What is known of a compiled loss: Keras' name for it, and the label that it ignores."""

from typing import Any

import keras
from keras import tree

from keras_amp.graph import keras_compat

ONE_EACH = (
    "Expected the compiled loss to return one loss per example before its reduction, "
    "shape (batch_size,): mixup weighs every example's losses by its own lambda."
)


def loss_name(loss: Any) -> str | None:
    """The snake-case name of one of Keras' own losses, else None."""
    loss = _single_loss(loss)
    if isinstance(loss, str):
        if loss.lower() in ("crossentropy", "ce"):
            return loss.lower()
        try:
            loss = keras.losses.get(loss)
        except ValueError:  # a name that Keras will complain of itself
            return None
    if getattr(loss, "axis", -1) != -1:
        return None  # its classes stand elsewhere
    if isinstance(loss, keras.losses.Loss):
        owner = next(c for c in type(loss).__mro__ if "call" in vars(c))
        if not keras_compat.is_of_keras(owner):
            return None  # it may take other labels than what it is made from
    function = getattr(loss, "fn", loss)  # a loss object wraps its function
    name = getattr(function, "__name__", None)
    return name if function is getattr(keras.losses, str(name), None) else None


def ignored_class(loss: Any) -> int | None:
    """The label that one of Keras' own losses leaves out, else None."""
    ignored: int | None = loss_setting(_single_loss(loss), "ignore_class")
    return ignored


def loss_setting(loss: Any, name: str) -> Any:
    """A setting of a loss object, or of the function that it wraps; or None."""
    return getattr(loss, name, keras_compat.loss_settings(loss).get(name))


def _single_loss(loss: Any) -> Any:
    """The loss out of a structure of one."""
    leaves = tree.flatten(loss)
    return leaves[0] if len(leaves) == 1 else None
