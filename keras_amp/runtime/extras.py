"""Optional dependencies: how to install one that is missing."""

import importlib


def require(extra: str, *modules: str) -> None:
    """Raise an error that names the pip command if a module cannot be imported.

    Args:
        extra: The extra's name in the package's metadata.
        *modules: Names of the modules that the extra installs.

    Raises:
        ImportError: If one is not installed.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise ImportError(
                f"Expected {module} to be installed. Received: no such package. `pip "
                f'install "keras-amp[{extra}]"` brings it.'
            ) from error
