"""Weights files that a model and its classifier can both load.

Keras writes a model's variables by the names of its attributes: the classifier's under
"classifier", ours at the top. A classifier by itself looks for its own at the top. So
ours are moved aside, and the classifier's get second names there, which takes no space.
"""

import os

import h5py
import numpy as np

OWN = "mixing"  # the group of our own variables


def share_with_classifier(path):
    """Rewrites names in the weights file of a model so that its classifier can load it.

    Args:
        path: Where ``keras.Model.save_weights`` has written the model's weights. Anything
            but one local ``.weights.h5`` file is left as it is.
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


def own_variables(store):
    """Returns the part of a store that holds our own variables.

    Args:
        store: What Keras hands to ``load_own_variables``: the variables at the top.
    """
    file = getattr(store, "h5_file", None)
    if not file or OWN not in file:
        return store
    return {name: np.array(value) for name, value in file[OWN]["vars"].items()}


def check_no_classifiers(path):
    """Raises if a file holds the weights of a classifier alone.

    Args:
        path: Path of a weights file.

    Raises:
        ValueError: If a local ``.weights.h5`` file was written by a bare classifier.
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
