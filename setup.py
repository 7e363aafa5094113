"""The packages of a wheel: t2t, and in it the folders that are beside it in a clone (t2t.config.shipped_files)."""

from pathlib import Path

from setuptools import find_packages, setup

ENDINGS = {"task_templates": "*.yaml", "ds_configs": "*.json", "examples": "*.*"}
SHIPPED = {
    f"t2t.{'.'.join(path.parts)}": (str(path), ending)
    for folder, ending in ENDINGS.items()
    for path in (Path(folder), *(below for below in sorted(Path(folder).rglob("*")) if below.is_dir()))
}

setup(
    packages=[*find_packages(include=["t2t*"]), *SHIPPED],
    package_dir={name: folder for name, (folder, _) in SHIPPED.items()},
    package_data={
        "t2t": ["py.typed"],
        "t2t.report": ["templates/*.j2"],
        "t2t.explaining": ["templates/*.j2"],
        **{name: [ending] for name, (_, ending) in SHIPPED.items()},
    },
)
