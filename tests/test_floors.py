"""The floors of the house: a room of ``tinyformer`` imports only from rooms below its own, inside functions too.

Imports under ``if TYPE_CHECKING:`` are free: they exist for annotations and never run.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tinyformer

HOUSE = Path(tinyformer.__file__).parent

# From the ground up; rooms of one line do not know each other. Wings (text, data, optim, viz, interop, generate,
# gradcheck …) stand on the lowest line that they can.
FLOORS = """
    rng environment memory files writes names number_checks option_checks packages sandbox _native
    arrays graph resampling
    protocols
    kernels data
    autograd text fairness
    ops optim typing creation
    nn
    viz interop generate similar explain
    models gradcheck saving privacy
    distributed
    train
    (tinyformer)
    learn book serve
    cli
    __main__
"""
LEVEL = {room: level for level, line in enumerate(FLOORS.strip().splitlines()) for room in line.split()}


def room_of(path, house):
    """The room that the file ``path`` is in."""
    first = path.relative_to(house).parts[0].removesuffix(".py")
    return "(tinyformer)" if first == "__init__" else first


def imports(path, house):
    """Yield (line, room) of all that the file ``path`` imports from the package in the folder ``house``."""
    package = (house.name, *path.relative_to(house).parts[:-1])
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unseen = {id(node) for block in ast.walk(tree) if isinstance(block, ast.If)
              and ast.unparse(block.test) == "TYPE_CHECKING"
              for statement in block.body for node in ast.walk(statement)}
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            modules = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*package[:len(package) + 1 - node.level]] if node.level else []
            base += node.module.split(".") if node.module else []
            modules = [base] if len(base) > 1 else [[*base, alias.name] for alias in node.names]
        else:
            continue
        for name, *inner in modules:
            if name == house.name:
                known = inner and ((house / inner[0]).exists() or (house / f"{inner[0]}.py").exists()
                                   or inner[0] == "_native")
                yield node.lineno, inner[0] if known else "(tinyformer)"


@pytest.mark.parametrize("room", sorted({room_of(path, HOUSE) for path in HOUSE.rglob("*.py")}))
def test_a_room_imports_only_from_below(room):
    assert room in LEVEL, f"{room}: a new room; say in FLOORS where it stands"
    upward = [f"{path.relative_to(HOUSE)}:{line} imports {other}"
              for path in HOUSE.rglob("*.py") if room_of(path, HOUSE) == room
              for line, other in imports(path, HOUSE)
              if other != room and LEVEL[other] >= LEVEL[room]]
    assert not upward


def test_every_way_of_importing_is_seen(tmp_path):
    for room in ("cli", "train", "nn"):
        (tmp_path / "house" / room).mkdir(parents=True)
    for room in ("rng", "files", "autograd", "ops"):
        (tmp_path / "house" / f"{room}.py").touch()
    path = tmp_path / "house" / "nn" / "layer.py"
    path.write_text("from . import other\nfrom .. import rng, seed\nfrom ..files import replace\n"
                    "import house.autograd as a, numpy\nfrom house.ops import add\nfrom house import nn\n"
                    "def f():\n    from ..train.run import train\n"
                    "    import house.cli.main\n"
                    "if TYPE_CHECKING:\n    from ..train import run\nelse:\n    from .. import files\n",
                    encoding="utf-8")
    assert sorted(imports(path, tmp_path / "house")) == [
        (1, "nn"), (2, "(tinyformer)"), (2, "rng"), (3, "files"), (4, "autograd"), (5, "ops"), (6, "nn"), (8, "train"),
        (9, "cli"), (13, "files")]
