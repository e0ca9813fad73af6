"""A command line that reports a missed call, to try the webhook with."""

from __future__ import annotations

import json
import shlex

from channels.phone.settings import PhoneSource


def curl_line(desk_url: str, source: PhoneSource, number: str = "+358401234567") -> str:
    """For a shell: every time it is run it reports a new missed call of `number` that began 24 seconds before."""
    token = source.token.get_secret_value()
    body = json.dumps(
        {"version": 1, "type": "call.ended", "call_id": "CALL", "from": number, "started_at": 0, "ended_at": 1}
        | {"outcome": "abandoned_in_queue"},
        separators=(",", ":"),
    )
    before, _, rest = body.partition('"CALL"')
    started, _, after = rest.partition('"started_at":0,"ended_at":1')
    quoted = (
        f"'{before}\"demo-'$(date +%s%N)'\"{started}\"started_at\":'$(($(date +%s)-24))',"
        f"\"ended_at\":'$(date +%s)'{after}'"
    )
    address = shlex.quote(f"{desk_url.rstrip('/')}/hooks/phone/{source.name}")
    authorization = shlex.quote(f"Authorization: Bearer {token}")
    return f"curl -sS {address} -H {authorization} -H 'Content-Type: application/json' -d {quoted}"
