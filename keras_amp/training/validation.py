"""Checks of a model's arguments, and of the loss that its training comes to."""

import math
import numbers
import warnings
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_amp.graph.lookup import as_function
from keras_amp.policies.policy import Policy

# A layer's name, names that are mixed together, or a list of both.
MixAt: TypeAlias = str | tuple[str, ...] | list[str | tuple[str, ...]] | None


def check_backend() -> None:
    """Raises unless Keras runs on TensorFlow or JAX, for which there is a step."""
    if keras.backend.backend() not in ("tensorflow", "jax"):
        raise RuntimeError(
            "Expected Keras to run on TensorFlow or JAX. Received: the backend "
            f"{keras.backend.backend()!r}. Set the environment variable "
            "KERAS_BACKEND=tensorflow, or KERAS_BACKEND=jax, before Keras is imported."
        )


def check_classifier(classifier: Any) -> None:
    """Raises unless the classifier is a graph."""
    as_function(classifier, "classifier")


def check_mix_at(mix_at: Any) -> MixAt:
    """Returns ``mix_at``, names in tuples and lists or None; raises if it is neither."""
    if mix_at is None or isinstance(mix_at, str):
        return mix_at
    points = list(mix_at) if isinstance(mix_at, (list, tuple)) else [mix_at]
    names = [n for p in points for n in (p if isinstance(p, tuple) else (p,))]
    if isinstance(mix_at, (list, tuple)) and all(isinstance(n, str) for n in names):
        return mix_at if isinstance(mix_at, tuple) else points
    layers = [name for name in names if isinstance(name, keras.layers.Layer)]
    hint = f" Pass the layer's name, {layers[0].name!r}." if layers else ""
    raise TypeError(
        "Expected `mix_at` to be a layer's name, a tuple of names that are mixed "
        "together, a list of both, or None when the classifier holds MixLayers. "
        f"Received: mix_at={mix_at!r}.{hint}"
    )


def check_policy(policy: Any) -> None:
    """Raises unless ``policy`` is one."""
    if isinstance(policy, Policy):
        return
    hint = ""
    if isinstance(policy, type) and issubclass(policy, Policy):
        hint = f" That is the class; pass an instance, {policy.__name__}()."
    raise TypeError(
        "Expected `policy` to be a keras_amp.Mixup, keras_amp.AdversarialMixing or "
        f"another policy. Received: policy={policy!r}.{hint}"
    )


def check_seed(seed: Any) -> int | None:
    """Returns ``seed`` as a Python integer or None; raises if it is neither."""
    if seed is None:
        return None
    if isinstance(seed, numbers.Integral) and not isinstance(seed, bool):
        return int(seed)
    raise TypeError(
        f"Expected `seed` to be an integer or None. Received: seed={seed!r} (of type "
        f"{type(seed)})"
    )


class NonFiniteLoss(keras.callbacks.Callback):
    """Warns, once a run, of a training loss that became NaN or infinite."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forgets earlier warnings."""
        self._warned = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the epoch's mean loss."""
        loss = float(np.sum((logs or {}).get("loss", 0.0)))
        if math.isfinite(loss) or self._warned:
            return
        self._warned = True
        warnings.warn(
            f"The training loss became {loss} in epoch {epoch + 1}; the weights are "
            "likely useless from here on. To stop at the first such batch pass "
            "`callbacks=[keras.callbacks.TerminateOnNaN()]` to `fit`: it needs nothing "
            "but the `loss` that every step reports. Common causes are a learning rate "
            "that is too large and labels outside the classes.",
            RuntimeWarning,
            stacklevel=2,
        )
