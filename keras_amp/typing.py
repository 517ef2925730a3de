"""What annotations say of tensors and models, which Keras leaves untyped.

The names tell a reader what is meant; a type checker takes them for anything. Shapes and
dtypes stand in docstrings.
"""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any
"""A tensor, an array, or what ``keras.ops`` takes for one; symbolic ones, too."""

Structure: TypeAlias = Any
"""A tensor, or nested lists, tuples and dicts of tensors."""

Size: TypeAlias = Any
"""An integer, or a scalar integer tensor where it is known only while a step runs."""
