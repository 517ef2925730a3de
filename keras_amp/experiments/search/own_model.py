"""The trials of a user's own Keras model, as cells that run in this process."""

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from keras_amp.experiments.arguments import Relatives
from keras_amp.experiments.cells import key_of, policy_arguments
from keras_amp.experiments.search.arrays import divided
from keras_amp.experiments.search.own_training import fit_and_test, recipe_of
from keras_amp.experiments.search.recommendation import lines_of_method
from keras_amp.experiments.search.space import (
    POLICIES,
    WORDS_ALONE,
    Range,
    middle,
    space_of,
    within,
)
from keras_amp.experiments.search.texts import CONFIRMING, SEEDS, policy_of
from keras_amp.experiments.search.trials import RUNGS, RUNGS_OF_FEW
from keras_amp.experiments.settings import POLICIES as NAMES
from keras_amp.experiments.settings import Method
from keras_amp.experiments.store import OWN
from keras_amp.experiments.worker import recorded
from keras_amp.graph import keras_compat
from keras_amp.graph.lookup import as_function
from keras_amp.policies import AdversarialMixing

TRAINING = {"learning_rate": (1e-4, 1e-2, "log"), "dropout": (0.0, 0.6)}
ABLATIONS = ("maxop", "random", "program")  # tried where they are named
LEARNING_RATE = "learning_rate"


@dataclass(frozen=True)
class OwnMethod(Method):
    """A policy at a layer of the user's model; see ``Method``."""

    @property
    def name(self):
        """What tables call it, such as ``"AMP at embedding"``."""
        if self.mix == "none":
            return "none"
        return f"{NAMES[self.policy]} at {self.mix}"


@dataclass(frozen=True, eq=False)
class OwnCell:
    """One run of a user's model; see ``Cell``.

    Attributes:
        about: Dict, what all cells of the search share.
        how: ``OwnMethod``.
        values: Dict from names to what is tried.
        seed: Integer.
        fold: Integer, the part of the training data that it develops on, and is tested
            on; None to be tested on the test split.
    """

    about: Mapping[str, Any]
    how: OwnMethod
    values: Mapping[str, Any]
    seed: int
    fold: int | None = None

    @property
    def method(self):
        """The method's name."""
        return self.how.name

    @cached_property
    def config(self):
        """All that the result depends on, as JSON has it."""
        own = () if self.how.policy is None else POLICIES[self.how.policy]
        return {
            **self.about,
            "values": {n: v for n, v in self.values.items() if n not in own},
            "mix": self.how.mix,
            "policy": self.how.policy,
            "policy_arguments": policy_arguments(policy_of(self.how, self.values)),
            "seed": self.seed,
            "fold": self.fold,
        }

    @cached_property
    def key(self):
        """16 hexadecimal digits that name the cell."""
        return key_of(self.config)


class OwnModel:
    """What a search tries on a user's model: ``Texts`` with another way to train.

    Args:
        build_classifier: As ``keras_amp.search``.
        data: As ``keras_amp.search``.
        policy: As ``keras_amp.search``.
        mix_at: As ``keras_amp.search``.
        space: As ``keras_amp.search``.
        loss: As ``keras_amp.search``.
        epochs: As ``keras_amp.search``.
        batch_size: As ``keras_amp.search``.
        patience: As ``keras_amp.search``.
    """

    in_this_process = True

    def __init__(
        self,
        build_classifier,
        data,
        policy=None,
        mix_at=None,
        space=None,
        loss=None,
        epochs=20,
        batch_size=32,
        patience=None,
    ):
        self.build, self.loss = build_classifier, loss
        self.epochs, self.batch_size, self.patience = epochs, batch_size, patience
        self.splits = divided(data)
        self.training = self._training(space)
        classifier = self.built(self.defaults(OwnMethod("none")), seed=0)
        self.recipe = recipe_of(classifier, loss)
        places = places_of(classifier) if mix_at is None else _listed(mix_at)
        self.methods = _methods(classifier, places, policy)
        few = self.splits.few
        self.rungs, self.short_rungs = RUNGS_OF_FEW if few else RUNGS
        name = getattr(build_classifier, "__name__", "classifier")
        self.title = f"{name} on {data_text(self.splits)}"
        self.notices = self.splits.notices()

    def about(self):
        """Returns what tells one search from another, as JSON has it."""
        space = {name: list(bounds) for name, bounds in self.training.items()}
        methods = [method.name for method in self.methods]
        return {**self._shared, "methods": methods, "space": space}

    @cached_property
    def _shared(self):
        name = getattr(self.build, "__qualname__", type(self.build).__name__)
        return {
            OWN: name,
            "data": self.splits.fingerprint(),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "patience": self.patience,
            "loss": hashlib.sha256(str(self.recipe).encode()).hexdigest()[:16],
        }

    def space(self, method):
        """Returns the ``Space`` of a method."""
        return space_of(method.policy, self.training)

    def defaults(self, method):
        """Returns the values that a method has where nothing is said."""
        known = {**Relatives(), **AdversarialMixing().get_config(), **self._usual()}
        space = self.space(method)
        usual = {name: known.get(name, middle(space[name])) for name in space}
        return within(space, usual)

    def cell(self, method, values, place, seed):
        """Returns a cell of a trial, tested on its development set."""
        return OwnCell(self._shared, method, values, SEEDS * seed + place, place)

    def confirming(self, method, values, place, seed):
        """Returns a cell of the confirmation, of a seed that no trial has."""
        own_seed = SEEDS * seed + CONFIRMING + place
        return OwnCell(self._shared, method, values, own_seed)

    def method_of(self, record):
        """Returns the name of the method that a record is of."""
        return OwnMethod(record["config"]["mix"], record["config"]["policy"]).name

    def run(self, cell, callbacks=()):
        """Runs a cell; returns its record."""

        def run():
            policy = policy_of(cell.how, cell.values)
            classifier = self.built(cell.values, cell.seed)
            return fit_and_test(self, cell, classifier, policy, callbacks)

        return recorded(cell, run)

    def built(self, values, seed):
        """Builds the user's model with values, its names and weights a seed's own."""
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        return self.build(**self._taken(values))

    def program(self, method, values, seed):
        """Returns the lines of Python that train a method with values."""
        del seed
        given = ", ".join(f"{n}={v!r}" for n, v in self._taken(values).items())
        name = getattr(self.build, "__name__", "build_classifier")
        lines = ["import keras", "import keras_amp", "", f"classifier = {name}({given})"]
        rate = values.get(LEARNING_RATE)
        optimizer = f"keras.optimizers.Adam({rate!r})"
        if self.recipe.compiled:
            optimizer = "classifier.optimizer"
            if rate is not None and not self._takes(LEARNING_RATE):
                lines.append(f"classifier.optimizer.learning_rate = {rate!r}")
        loss = "classifier.loss" if self.loss is None and self.recipe.compiled else None
        loss = loss or repr(self.recipe.loss)
        policy = policy_of(method, values)
        return "\n".join(
            [*lines, *lines_of_method(policy, repr(method.mix), optimizer, loss)]
        )

    def _training(self, space):
        if space is None:
            space = {n: b for n, b in TRAINING.items() if self._takes(n)}
            space = {LEARNING_RATE: TRAINING[LEARNING_RATE], **space}
        unknown = [n for n in space if n != LEARNING_RATE and not self._takes(n)]
        if unknown:
            raise ValueError(
                "Expected `space` to name arguments of `build_classifier`. Received: "
                f"{', '.join(unknown)}, which it does not take."
            )
        return {name: bounds_of(name, given) for name, given in space.items()}

    @cached_property
    def _parameters(self):
        return inspect.signature(self.build).parameters

    def _takes(self, name):
        kinds = [p.kind for p in self._parameters.values()]
        return name in self._parameters or inspect.Parameter.VAR_KEYWORD in kinds

    def _taken(self, values):
        """The values that are the user's function's own arguments."""
        return {n: v for n, v in values.items() if n in self.training and self._takes(n)}

    def _usual(self):
        """The defaults of the user's function."""
        return {
            name: parameter.default
            for name, parameter in self._parameters.items()
            if parameter.default is not inspect.Parameter.empty
        }


def bounds_of(name, given):
    """Returns a range of a user's space: ``(low, high)``, ``(low, high, "log")``, a list.

    Example:
    >>> from keras_amp.experiments.search.own_model import bounds_of
    >>> bounds_of("units", [16, 32]), bounds_of("dropout", (0.0, 0.5))
    ((16, 32), Range(low=0.0, high=0.5, log=False))
    """
    if isinstance(given, list) and given:
        return tuple(given)
    right = isinstance(given, tuple) and len(given) in (2, 3)
    numbers = right and all(isinstance(v, int | float) for v in given[:2])
    if not numbers or given[0] >= given[1] or given[2:] not in ((), ("log",), (True,)):
        if isinstance(given, Range):
            return given
        raise ValueError(
            "Expected `space` to hold ranges, (low, high) or (low, high, 'log'), or "
            f"lists of values. Received: {name}={given!r}"
        )
    return Range(given[0], given[1], bool(given[2:]))


def places_of(classifier):
    """Returns the layers at which policies are tried where none are named.

    Those are the first of the embeddings, or the inputs where there are none; and the
    layer that the last weights are applied to, without its dropout.

    Args:
        classifier: A functional ``keras.Model`` or a built ``keras.Sequential``.

    Example:
    >>> from keras_amp.experiments.search.own_model import places_of
    >>> places_of(keras.Sequential([
    ...     keras.Input((3,), name="numbers"), keras.layers.Dense(4, name="hidden"),
    ...     keras.layers.Dense(2)]))
    ['numbers', 'hidden']
    """
    layers = _graph(classifier).layers
    embeddings = [x for x in layers if isinstance(x, keras.layers.Embedding)]
    inputs = [x.name for x in layers if isinstance(x, keras.layers.InputLayer)]
    first = embeddings[0].name if embeddings else tuple(inputs)
    if isinstance(first, tuple) and len(first) == 1:
        first = first[0]
    with_weights = [layer for layer in layers if layer.weights]
    below = with_weights[-1].input if with_weights else None
    last = _below_dropout(below)
    return [first] + [last] * (last is not None and last != first and last not in inputs)


def _graph(classifier):
    """The graph in which mixing is put, with its inputs as layers."""
    return as_function(classifier, "build_classifier()")


def _below_dropout(tensor):
    """The name of the layer that yields a tensor, or what its dropout is applied to."""
    while isinstance(tensor, keras.KerasTensor):
        operation = keras_compat.node_of(tensor).operation
        if not isinstance(operation, keras.layers.Dropout):
            return operation.name
        tensor = operation.input
    return None


def data_text(splits):
    """Returns the sizes of the splits in words."""
    return ", ".join(f"{name}={size:,}" for name, size in splits.sizes.items())


def _listed(mix_at):
    return list(mix_at) if isinstance(mix_at, list) else [mix_at]


def _methods(classifier, places, policy):
    """No mixing, and the policies at the places where they have something to do."""
    asked = [n for n in POLICIES if n not in ABLATIONS] if policy is None else policy
    asked = [asked] if isinstance(asked, str) else list(asked)
    unknown = [name for name in asked if name not in POLICIES]
    if unknown:
        raise ValueError(
            f"Expected `policy` among {', '.join(POLICIES)}. Received: {unknown[0]!r}"
        )
    found = [
        OwnMethod(place, name)
        for name in POLICIES
        if name in asked
        for number, place in enumerate(places)
        if number == 0 or name not in WORDS_ALONE
        if name != "cutmix" or _is_long(classifier, place)
    ]
    if not found:
        raise ValueError(
            "Expected a policy that can be tried at a place; cutmix takes positions, of "
            f"words or pixels. Received: policy={asked}, mix_at={places}"
        )
    return [OwnMethod("none"), *found]


def _is_long(classifier, place):
    """Whether a place has positions, of which CutMix takes a span."""
    if not isinstance(place, str):
        return False
    known = {layer.name: layer for layer in _graph(classifier).layers}
    return place not in known or len(np.shape(known[place].output)) > 2
