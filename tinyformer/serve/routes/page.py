"""GET / and GET /page/NAME: the page in a browser, and the files that it consists of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import ApiError

FOLDER = Path(__file__).parents[1] / "page"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
         ".js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True)
class PageFile:
    """A file of the page in memory. A request names one of these: no path of the request reaches the disk."""

    content: bytes
    media_type: str

    def response(self, request: Request) -> Response:
        """The file, or 304 where the browser has it. A browser asks each time, so that an update is seen at once."""
        tag = f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
        if tag in known:
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


FILES = {path.name: PageFile(path.read_bytes(), TYPES[path.suffix])
         for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}


async def page(request: Request) -> Response:
    """The page."""
    return FILES["index.html"].response(request)


async def file(request: Request) -> Response:
    """A file of the page."""
    name = request.path_params["name"]
    if name not in FILES:
        raise ApiError(404, f"there is no {request.url.path}", code="not_found")
    return FILES[name].response(request)


ROUTES = [Route("/", page), Route("/page/{name}", file)]
