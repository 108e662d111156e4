"""Print what pyproject.toml requires, for pip: the package's dependencies and those of the groups named.

    python tools/requirements.py build examples test

``build`` is the build system; the other names are extras. An extra may name others: ``rustgrad[examples]``.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def requirements(groups: list[str]) -> list[str]:
    """Requirements of the package and of ``groups``, each once, in the order of the file."""
    pyproject = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    project = pyproject["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    own_extras = re.compile(rf"{re.escape(project['name'])}\[([\w,-]+)\]")
    found: dict[str, None] = dict.fromkeys(project["dependencies"])
    waiting = list(groups)
    while waiting:
        group = waiting.pop(0)
        if group != "build" and group not in extras:
            raise SystemExit(f"requirements: there is no extra {group!r}; there are {', '.join(extras)} and build")
        for requirement in pyproject["build-system"]["requires"] if group == "build" else extras[group]:
            if own := own_extras.fullmatch(requirement):
                waiting.extend(own[1].split(","))
            else:
                found[requirement] = None
    return list(found)


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
