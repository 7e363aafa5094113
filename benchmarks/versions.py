"""Device and versions, as every figure of RESULTS.md names them."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import torch

PACKAGES = ("torch", "transformers", "deepspeed", "tokenizers", "safetensors", "datasets", "peft")


def versions() -> dict[str, str]:
    """The version of each package, "absent" where it is not there."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def main() -> None:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    print(f"{device}; CUDA {torch.version.cuda}; Python {platform.python_version()}")
    print(", ".join(f"{name} {found}" for name, found in versions().items()))


if __name__ == "__main__":
    main()
