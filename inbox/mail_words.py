"""What the stable words kept with a mail mean, for people: `words.say(language, explain(word))`.

They stand in `data["mail"]` of an entry ("notes", "machine_reason", "silence"), in `data["thread"]`, and as the reason
of an arrival that was set aside.
"""

from __future__ import annotations

from collections.abc import Mapping

from inbox.words import N_

_MEANINGS: Mapping[str, str] = {
    "forwarded": N_("An operator forwarded it: the customer did not write to the desk."),
    # What became of an arrival
    "copy": N_("A second copy of a mail the desk has already."),
    "own_copy": N_("A copy of a mail the desk has sent."),
    "unmatched_report": N_("A delivery report that names no mail of this desk."),
    "report": N_("A delivery report; shown at the mail it is about."),
    "old_report": N_("An old delivery report, taken in with old mail."),
    "dismissed": N_("Somebody has looked at it and put it away."),
    "not_fetched": N_("The mail server does not hand it out."),
    # Who wrote it
    "delivery_report": N_("A mail server's delivery report."),
    "read_receipt": N_("A read receipt."),
    "complaint": N_("A complaint about one of our mails."),
    "automatic_reply": N_("An automatic reply, such as a vacation notice."),
    "challenge": N_("A request to confirm that a person wrote."),
    "bulk": N_("A mail to many, such as a newsletter."),
    "notification": N_("Written by a program."),
    "own": N_("Sent from one of the desk's own addresses."),
    # Why no automatic answer goes out
    "failed_recipients_field": N_("It lists recipients that could not be reached."),
    "mail_daemon": N_("It comes from a mail server."),
    "feedback_report": N_("A complaint about one of our mails."),
    "own_address": N_("It comes from one of the desk's own addresses."),
    "auto_replied": N_("It says that it is an automatic reply."),
    "precedence_auto_reply": N_("It says that it is an automatic reply."),
    "autoreply_field": N_("It says that it is an automatic reply."),
    "vacation_subject": N_("Its subject is that of an automatic reply."),
    "feedback_id": N_("It was sent to many."),
    "one_click_unsubscribe": N_("It was sent to many."),
    "list_unsubscribe": N_("It was sent to many."),
    "precedence_bulk": N_("It was sent to many."),
    "precedence_list": N_("It came through a mailing list."),
    "precedence_junk": N_("It was sent to many."),
    "auto_generated": N_("It says that a program wrote it."),
    "no_reply_sender": N_("Its sender takes no answers."),
    "empty_return_path": N_("Its sender takes no answers."),
    "mailing_list": N_("It came through a mailing list."),
    "report_of_a_program": N_("It is a program's report."),
    "own_message_id": N_("It is one of the desk's own mails coming back."),
    "response_suppressed": N_("It asks not to be answered automatically."),
    "loop_field": N_("It carries a mark against loops."),
    "no_author": N_("It names no author."),
    "several_reply_to": N_("It wants answers to go to several addresses."),
    "reply_to_ourselves": N_("It wants answers to go to this desk."),
    "not_named": N_("It does not name this desk among its recipients."),
    "spam": N_("It was marked as spam."),
    "dmarc_fail": N_("Its sender could not be verified."),
    "lookalike": N_("Its sender's domain only looks like one the desk knows."),
    "new_reply_to": N_("It wants answers to go to a domain this conversation has not seen."),
    "unreadable": N_("It could not be read. The original is attached."),
    # What is odd about it
    "several_from": N_("It names several authors; the first is shown."),
    "no_from": N_("It names no author."),
    "no_message_id": N_("It has no identification of its own."),
    "headers_truncated": N_("Its header is too long and is shown in part."),
    "text_truncated": N_("It is very long; its beginning is shown. The original has the rest."),
    "truncated": N_("It is too large; only its beginning was fetched. The mail server has the whole."),
    "too_deep": N_("It is nested too deeply; the inner part is attached as a file."),
    "too_many_parts": N_("It has too many parts; not all are shown."),
    "too_many_attachments": N_("It has too many attachments; not all are kept apart. The original has them."),
    "attachment_too_large": N_("An attachment is too large to be kept apart. The original has it."),
    "html_not_shown": N_("Its layout is too heavy to be shown; its words are."),
    "recipients_truncated": N_("It has too many recipients; not all are shown."),
    "tnef": N_("Its files came inside a winmail.dat and were taken out."),
    # How it found its conversation
    "reply_token": N_("It was sent to this conversation's own address."),
    "our_id": N_("It answers a mail of this desk."),
    "known_id": N_("It answers a mail of this conversation."),
    "thread_index": N_("It belongs to the same thread in Outlook."),
    "awaited_parent": N_("Other mails of this conversation answer it."),
    "subject": N_("Its sender and its subject are those of this conversation."),
    "continues": N_("It answers a conversation that was closed long ago."),
    "new": N_("It began this conversation."),
}


def explain(word: str) -> str:
    """The English sentence for a stable word, as a key of the catalogue; "kind: reason" is explained by its kind."""
    return _MEANINGS.get(word) or _MEANINGS.get(word.partition(":")[0], word)
