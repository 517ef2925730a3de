"""Scopes that hold what a pure function reads and changes of Keras' variables."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from keras_amp.graph import keras_compat
from keras_amp.typing import Tensor


class Scope(keras.StatelessScope):
    """A scope that begins with the values of the scope around it.

    Attributes:
        updated: Dict from the ids of the variables that were assigned to, to these.
    """

    def __init__(self) -> None:
        super().__init__(collect_losses=True, initialize_variables=False)
        self.outer = keras_compat.stateless_scope()
        self.state_mapping: dict[int, Tensor] = {}
        if self.outer is not None:
            self.state_mapping.update(self.outer.state_mapping)
        self.updated: dict[int, keras.Variable] = {}

    def add_update(self, update: tuple[keras.Variable, Tensor]) -> None:
        """Keeps an update, and which variable it is of."""
        super().add_update(update)
        self.updated[id(update[0])] = update[0]

    def updates(self) -> dict[int, Tensor]:
        """Returns the values of those variables that the scope around knows."""
        known = {} if self.outer is None else self.outer.state_mapping
        return {i: self.state_mapping[i] for i in known}


def hand_over(values: dict[int, Tensor]) -> None:
    """Makes values those of the present scope, by the ids of their variables."""
    scope = keras_compat.stateless_scope()
    if scope is not None:
        scope.state_mapping.update(values)


@contextlib.contextmanager
def with_values(
    variables: Sequence[keras.Variable], values: Sequence[Tensor]
) -> Iterator[Scope]:
    """Runs a block in which variables have other values."""
    with Scope() as scope:
        pairs = zip(variables, values, strict=True)
        scope.state_mapping.update({id(variable): value for variable, value in pairs})
        yield scope


@contextlib.contextmanager
def outside_scopes() -> Iterator[None]:
    """Runs a block as if no scope were open."""
    left = []
    while (scope := keras_compat.stateless_scope()) is not None:
        scope.__exit__(None, None, None)
        left.append(scope)
    try:
        yield
    finally:
        for scope in reversed(left):
            scope.__enter__()


def current(variables: Sequence[keras.Variable]) -> list[Tensor]:
    """Returns the values of variables, in a scope or outside."""
    return [variable.value for variable in variables]


def without_masks(structure: Any) -> tuple[Any, list[Any]]:
    """Returns a structure, and the masks that Keras has put on its tensors, or None.

    JAX hands on values, and no attributes of them.
    """
    return structure, [
        None if leaf is None else keras_compat.mask_of(leaf)
        for leaf in keras.tree.flatten(structure)
    ]


def with_masks(structure: Any, masks: list[Any]) -> Any:
    """Puts masks back on the tensors of a structure; see ``without_masks``."""
    for leaf, mask in zip(keras.tree.flatten(structure), masks, strict=True):
        if mask is not None:
            keras_compat.put_mask(leaf, mask)
    return structure
