"""Methods of policies by their former names, which work and warn."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

FORMER_NAMES = {"memory": "create_state", "weigh": "example_weights"}


class FormerNames:
    """A base of classes whose methods may still be called and overridden by old names."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give a method that the class has by one of its names the other one, too."""
        super().__init_subclass__(**kwargs)
        for former, name in FORMER_NAMES.items():
            # The first class that defines either is the one that Python would take.
            owner = next(c for c in cls.__mro__ if {former, name} & vars(c).keys())
            if name not in vars(owner):
                warnings.warn(
                    f"`{owner.__name__}.{former}()` overrides a method that is now "
                    f"`{name}()`.",
                    DeprecationWarning,
                    stacklevel=2,
                )
                setattr(cls, name, vars(owner)[former])
            elif former not in vars(owner):
                setattr(owner, former, _warning(vars(owner)[name], former))


def _warning(method: Callable[..., Any], former: str) -> Callable[..., Any]:
    """Return a method that warns that it is called by its former name."""

    @functools.wraps(method)
    def warns(self: Any, *args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            f"`{type(self).__name__}.{former}()` is now `{method.__name__}()`.",
            DeprecationWarning,
            stacklevel=2,
        )
        return method(self, *args, **kwargs)

    return warns
