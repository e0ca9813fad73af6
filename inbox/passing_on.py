"""Passing a conversation on to another team: its hours and its target count from then on; the wait keeps its start."""

from __future__ import annotations

from datetime import datetime

from inbox.events import ConversationChanged
from inbox.people import teams
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import ConversationId, OperatorId, TeamId
from inbox.waits import ledger


def pass_on(
    tx: Transaction, conversation_id: ConversationId, team_id: TeamId | None, *, by: OperatorId | None, now: datetime
) -> None:
    """Give it to a team (None: to the desk as a whole). Raises NotFound."""
    name = "" if team_id is None else teams.get(tx.conn, team_id).name
    conversation = locked(tx, conversation_id)
    if conversation.team_id == team_id:
        return
    data = {"to": team_id, "name": name, "from": conversation.team_id}
    say(tx, conversation, "team", by=by, now=now, data=data, team_id=team_id)
    ledger.change_team(tx, conversation_id, team_id, at=now)
    tx.record(ConversationChanged(conversation_id))
