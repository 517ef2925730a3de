"""Weights files that a model and its classifier can both load.

Keras writes a model's variables under the names of its attributes: those of the
classifier under "classifier", those of the mixing model at the top. A classifier looks
for its own at the top. So those of the mixing model are moved into a group, and those of
the classifier get second names at the top, which takes no space.
"""

import os
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

OWN = "mixing"  # the group of the mixing model's own variables


def share_with_classifier(path: str | os.PathLike[str]) -> None:
    """Rename what is in the weights file of a model so that its classifier can load it.

    Args:
        path: Path of the file that ``keras.Model.save_weights`` has written. It is not
            changed unless it is a local ``.weights.h5`` file.
    """
    if not (str(path).endswith(".weights.h5") and os.path.isfile(path)):
        return
    with h5py.File(path, "a") as file:
        if "classifier" not in file:
            return
        file.move("vars", f"{OWN}/vars")
        classifier = file["classifier"]
        for name in classifier:
            if name not in file:
                file[name] = classifier[name]


def own_variables(store: Any) -> Mapping[str, Any]:
    """Return the part of a store that holds the mixing model's own variables.

    Args:
        store: The argument of ``load_own_variables``: the variables at the top.
    """
    file = getattr(store, "h5_file", None)
    if not file or OWN not in file:
        return store
    return {name: np.array(value) for name, value in file[OWN]["vars"].items()}


def check_no_classifiers(path: str | os.PathLike[str]) -> None:
    """Raise if a file holds the weights of a classifier alone.

    Args:
        path: Path of a weights file.

    Raises:
        ValueError: If a classifier, not a mixing model, has written a local
            ``.weights.h5`` file.
    """
    if not (str(path).endswith(".weights.h5") and os.path.isfile(path)):
        return
    with h5py.File(path, "r") as file:
        alone = "classifier" not in file and "layers" in file
    if alone:
        raise ValueError(
            "Expected a file that `MixupAMPModel.save_weights` has written. Received: "
            f"{str(path)!r}, which holds the weights of a classifier alone. Load it by "
            "`model.classifier.load_weights(path)`; the optimizer and the random states "
            "stay as they are."
        )
