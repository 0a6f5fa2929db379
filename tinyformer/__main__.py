"""``python -m tinyformer`` is the command ``tinyformer``."""

from .cli import main

main()
