"""What all streams of server-sent events have in common (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from configsvc.domain import strict_json
from configsvc.errors import RequestError

#: A line without meaning, so that nobody between takes the connection for dead, and a client that is gone is noticed.
HEARTBEAT_S = 15.0
HEARTBEAT = ": nothing new\n\n"
#: When a browser comes back after the end, in milliseconds.
RETRY = "retry: 2000\n"


def end(error: RequestError) -> str:
    """Return the last event of a stream, which says why it ends."""
    return f"event: end\ndata: {strict_json.dumps({'code': error.code, 'detail': error.detail})}\n\n"
