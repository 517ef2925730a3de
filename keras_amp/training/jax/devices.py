"""What JAX computes on."""

import jax


def gpu() -> str | None:
    """Returns the name of the first GPU, or None."""
    devices = [each for each in jax.local_devices() if each.platform == "gpu"]
    return str(devices[0].device_kind) if devices else None
