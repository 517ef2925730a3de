"""Modules of the package by their former names, which can be imported and warn."""

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

PACKAGE = __name__.partition(".")[0]

# From a former name to the modules that hold what it held.
FORMER = {
    "experimental": ["paper"],
    "figures": ["analysis.figures"],
    "grid": ["experiments"],
    "policy": ["policies"],
    "report": ["experiments.pages"],
    "sampling": ["policies.random"],
    "significance": ["analysis.significance"],
    "tables": ["experiments.pages", "paper"],
}
RENAMED = {"policy": {"harder": "adversarial_mask"}}  # names that changed besides


class FormerModules(MetaPathFinder, Loader):
    """Finds what Python finds nowhere else: modules that have moved."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return how to load a module by its former name; None for any other."""
        package, _, name = fullname.rpartition(".")
        moved = package == PACKAGE and name in FORMER
        return ModuleSpec(fullname, self) if moved else None

    def exec_module(self, module: ModuleType) -> None:
        """Give a module the public names of those that replace it."""
        name = module.__name__.rpartition(".")[2]
        for new in _new_names(name):
            found = importlib.import_module(new)
            public = getattr(found, "__all__", None) or [
                key for key in vars(found) if not key.startswith("_")
            ]
            vars(module).update({key: getattr(found, key) for key in public})
        for former, new in RENAMED.get(name, {}).items():
            vars(module)[former] = vars(module)[new]
        warn(name, stacklevel=3)


def install() -> None:
    """Let former names be imported; does nothing the second time."""
    if not any(isinstance(finder, FormerModules) for finder in sys.meta_path):
        sys.meta_path.append(FormerModules())


def by_former_name(name: str) -> ModuleType:
    """Return the module that an attribute of the package stood for, and warn.

    Raises:
        AttributeError: If there was no such module.
    """
    if name not in FORMER:
        raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")
    warn(name, stacklevel=4)
    return importlib.import_module(_new_names(name)[0])


def warn(name: str, stacklevel: int) -> None:
    """Warn that a module has moved."""
    new = " and ".join(f"`{new}`" for new in _new_names(name))
    warnings.warn(
        f"`{PACKAGE}.{name}` is now {new}.", DeprecationWarning, stacklevel=stacklevel
    )


def _new_names(name: str) -> list[str]:
    return [f"{PACKAGE}.{new}" for new in FORMER[name]]
