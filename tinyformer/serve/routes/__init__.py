"""The routes of the server, a file each. A file in this folder with ``ROUTES``, a list, adds its routes.

A route is a coroutine that takes Starlette's request; ``request.app.state.service`` is the ``Service``.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from ...packages import import_files

ROUTES: list[BaseRoute] = [route for module in import_files(__name__) for route in module.ROUTES]
