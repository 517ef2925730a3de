"""Noise that a layer or a loss draws in Python, by NumPy."""

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
from keras import tree

from keras_amp.graph.keras_compat import is_of_keras

Generator: TypeAlias = np.random.Generator | np.random.RandomState


@contextlib.contextmanager
def watched(parts: Iterable[Any]) -> Iterator[list[str]]:
    """Puts back NumPy's random states as they were, and tells which generators drew.

    What ``tf.numpy_function`` and the like draw while a graph runs is not seen.

    Args:
        parts: Users' layers, functions and other objects that are called. NumPy's
            generators are found among what they hold and what their methods refer to.

    Yields:
        A list, which holds at the end a string for each kind of generator that drew.

    Example:
    >>> from keras_amp.training.tensorflow import numpy_noise
    >>> with numpy_noise.watched([]) as drew:
    ...     noise = np.random.normal()
    >>> drew
    ['np.random']
    """
    generators = {id(g): g for part in parts for g in _generators(part)}.values()
    states: list[tuple[str, Callable[[], Any], Callable[[Any], None]]] = [
        ("np.random", np.random.get_state, np.random.set_state),
        *(("a NumPy generator", *_state_of(g)) for g in generators),
    ]
    before = [read() for _, read, _ in states]
    drew: list[str] = []
    try:
        yield drew
    finally:
        for (name, read, put_back), state in zip(states, before, strict=True):
            if not _same(state, read()):
                put_back(state)
                drew.extend([name] if name not in drew else [])


def _generators(part: Any) -> list[Generator]:
    """NumPy's generators in attributes, closures and globals of what is called."""
    attributes = list(getattr(part, "__dict__", {}).values())
    classes = [c for c in type(part).__mro__ if not is_of_keras(c)]
    methods = [f for c in classes for f in vars(c).values()]
    values = list(attributes)
    for function in filter(inspect.isfunction, [part, *methods, *attributes]):
        with contextlib.suppress(ValueError):  # of a name that stands for nothing yet
            found = inspect.getclosurevars(function)
            values += [*found.nonlocals.values(), *found.globals.values()]
    kinds = (np.random.Generator, np.random.RandomState)
    return [v for v in values if isinstance(v, kinds)]


def _state_of(generator: Generator) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """Functions that read and that set a generator's state."""
    if isinstance(generator, np.random.RandomState):
        return generator.get_state, generator.set_state
    bits = generator.bit_generator
    return lambda: bits.state, lambda state: setattr(bits, "state", state)


def _same(a: Any, b: Any) -> bool:
    return all(map(np.array_equal, tree.flatten(a), tree.flatten(b)))
