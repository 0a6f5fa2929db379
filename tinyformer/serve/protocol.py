"""uvicorn's HTTP/1.1, with the server's own answer to bytes that are no HTTP request."""

from __future__ import annotations

import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .errors import ApiError
from .shell import HEADERS


class Protocol(H11Protocol):
    """A connection. Requests without a Host, headers of more than 64 KiB and other protocols get a JSON error."""

    def send_400_response(self, msg: str) -> None:
        """Answer 400 as every route does, and close. uvicorn calls this before there is a request for the app."""
        body = json.dumps(ApiError(400, msg.rstrip('.'), code="bad_request").body).encode()
        headers = {**HEADERS, "Content-Type": "application/json", "Content-Length": str(len(body)),
                   "Connection": "close"}
        for event in (h11.Response(status_code=400, headers=list(headers.items()), reason=b"Bad Request"),
                      h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
