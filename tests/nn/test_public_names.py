"""``help(tinyformer.nn)`` lists every layer: ``__all__`` of ``nn`` and ``optim`` has all classes of their files."""

import importlib
import inspect
import pkgutil
import pydoc

import pytest

from tinyformer import nn, optim


def defined(package):
    """The public classes that the modules of ``package`` define."""
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        yield from (name for name, value in vars(module).items()
                    if inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_"))


@pytest.mark.parametrize("package", [nn, optim], ids=["nn", "optim"])
def test_every_class_is_public_and_in_help(package):
    names = set(defined(package))
    assert len(names) > 10 and names <= set(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)
    text = pydoc.plain(pydoc.render_doc(package))
    assert all(f"class {name}(" in text for name in names)
