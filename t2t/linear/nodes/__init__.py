"""The nodes of the target language, one file each: every module of this folder is loaded, and its nodes register."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
