"""Was this mail written by a machine, and may an automatic answer go to it? RFC 3834 and what systems really send.

Each rule is one small function with a sayable name; the first that fires names the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from channels.email.addresses import MailAddress, fold, without_plus
from channels.email.headers import Headers
from channels.email.record import Machine, MachineKind

_DAEMON = re.compile(
    r"^(?:mailer-daemon|mail-daemon|maildaemon|postmaster|mdaemon|mail\.daemon|mailerdaemon|"
    r"mail delivery (?:sub)?system)"
    r"(?:[+@._-]|$)",
    re.IGNORECASE,
)
_NO_REPLY = re.compile(
    r"^(?:no|do|donot|dont|don-t|nao|ne|non|no_|nicht)[-_.]?(?:reply|not[-_.]?reply|respond|antworten|responder|repondre|"
    r"rispondere|svara)|^(?:noreply|nobody|bounces?|return|listserv|majordomo|owner-|auto[-_.]?(?:reply|confirm|mailer))"
    r"(?:[+@=._-]|$)|^[^@]{1,100}(?:-bounces?|-request|-owner|[-_.]noreply|[-_.]no-reply)[+@=]|^ei[-_.]?vasta|"
    r"^yanitlama|^ne[-_.]?valaszolj",
    re.IGNORECASE,
)
_VACATION = re.compile(
    r"^\s*(?:(?:re|sv|vs|aw|rv|ynt|vá|вс|fwd?)\s*:\s*){0,5}\[?(?:"
    # English
    r"automatic reply|auto[- ]?reply|auto(?:matic|mated)?[- ]?(?:response|answer)|out of (?:the )?office|ooo\b|"
    r"away from (?:the |my )?(?:office|desk|e-?mail)|vacation (?:reply|message|notice)|absence note|"
    # Finnish, Estonian
    r"automaattinen (?:vastaus|poissaolo)|automaattivastaus|poissa (?:toimistolta|töistä)|poissaolo(?:viesti|ilmoitus)|"
    r"lomavastaus|lomailmoitus|automaatvastus|automaatne vastus|kontorist (?:väljas|eemal)|"
    # Turkish, Hungarian, Georgian
    r"otomatik (?:yanıt|cevap)|ofis dışında|automatikus válasz|házon kívül|irodán kívül|"
    r"távolléti|ავტომატური პასუხი|ოფისში არ ვარ|"
    # German, Dutch, Swedish, Danish, Norwegian, Icelandic
    r"automatische (?:antwort|rückantwort|e-?mail-?antwort)|nicht im büro\b|"
    r"abwesenheits?(?:notiz|meldung|nachricht|assistent)|"
    r"automatisch (?:antwoord|bericht)|afwezig|niet op kantoor|autosvar|automatiskt svar|automatisk svar|frånvaro|"
    r"ej på kontoret|fravær|ikke på kontoret|sjálfvirkt svar|"
    # French, Spanish, Portuguese, Catalan, Italian, Romanian
    r"réponse automatique|absen(?:ce|t) du bureau|message d.absence|respuesta automática|fuera de (?:la )?oficina|"
    r"ausente de la oficina|resposta automática|fora do escritório|ausência do escritório|resposta automàtica|"
    r"risposta automatica|fuori (?:sede|ufficio)|assenza dall|răspuns automat|în afara biroului|"
    # Slavic and Baltic languages, Greek
    r"автоматический ответ|автоответ|вне офиса|автоматична відповідь|автоматичен отговор|"
    r"аутоматски одговор|automatski odgovor|samodejni odgovor|odpowiedź automatyczna|automatyczna odpowiedź|"
    r"poza biurem|automatická odpově[ďd]|mimo kancelář|nepřítomnost|automatinis atsakymas|automātiskā atbilde|"
    r"αυτόματη απάντηση|εκτός γραφείου|"
    # Hebrew, Arabic, Persian, Japanese, Chinese, Korean, Vietnamese, Thai
    r"מענה אוטומטי|תשובה אוטומטית|رد تلقائي|الرد التلقائي|پاسخ خودکار|"
    r"自動返信|自動応答|不在通知|自动回复|自動回覆|自动答复|자동 ?회신|자동 ?응답|부재중|trả lời tự động|ตอบกลับอัตโนมัติ)",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"^\s*(?:(?:re|sv|vs|aw|rv|ynt|vá|вс|fwd?)\s*:\s*){0,5}\[?(?:"
    r"(?:i am |i'm )?on (?:vacation|annual leave|holiday|leave)|"
    r"olen lomalla|lomalla|puhkusel|izindeyim|izinde|szabadságon|შვებულებაში|(?:ich bin )?im urlaub|urlaub|abwesen|"
    r"(?:je suis )?en (?:congés?|vacances)|de vacaciones|em férias|in (?:ferie|vacanza)|på semester|semester|på ferie|"
    r"met vakantie|op vakantie|в отпуске|я в отпуске|нет на месте|на отпуске|у відпустці|na urlopie|urlop|dovolená|"
    r"na dovolené|în concediu|休暇|休假|휴가)\b",
    re.IGNORECASE,
)
"""What people also write about: such a mail gets no automatic answer, but it is not taken for a machine's."""
_AWAY_BY_NAME = re.compile(
    r"^\s*(?:auto: )?[^:]{1,60}\b(?:is|are) (?:currently )?(?:out of (?:the )?office|away from (?:the )?office)\b",
    re.IGNORECASE,
)
"""Domino puts the person's name before it."""
_BOUNCE = re.compile(
    r"^\s*(?:undeliver(?:able|ed)|non-?deliver|delivery (?:failure|notification|status notification|has failed|report)|"
    r"(?:mail|message) (?:delivery|could not be delivered|status|undeliverable)|failure notice|"
    r"returned (?:mail|to sender)|"
    r"(?:mail )?delivery (?:failed|problem|error)|warning: (?:could not send|message)|failed mail|"
    r"unzustellbar|nicht zustellbar|non remis|échec de|no se (?:ha )?pud?o entregar|no entregado|"
    r"toimittaminen epäonnistui|ei voitu toimittaa|kézbesíthetetlen|teslim edilemedi|iletilemedi|"
    r"недоставленное|не доставлено|не удалось доставить|kunde inte levereras|olevererat|ei õnnestunud toimetada|"
    r"ვერ მიწოდებული)",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"^\s*(?:re:\s*)?(?:\[?(?:please confirm your message|verify your e-?mail|challenge[- ]response|"
    r"your (?:e-?mail|message) (?:requires|needs) verification))",
    re.IGNORECASE,
)
_AUTOREPLY_FIELDS = (
    "x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-auto-respond", "x-mail-autoreply",
    "x-yahoo-vacationresponse", "x-vacation", "x-autoreply-from", "x-autogenerated-reply",
)  # fmt: skip
_NO = ("", "no", "false", "0")
_WANTED_FIELDS = frozenset({"x-auto-response-suppress"})  # of the X-Auto… family: looked at by a rule of its own
_BULK_WORDS = frozenset({"bulk", "list", "junk", "auto_reply", "auto-reply"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at."""

    headers: Headers
    kind: str  # of the whole mail, lower case
    report_type: str
    author: MailAddress
    reply_to: tuple[MailAddress, ...]
    subject: str
    return_path: str | None
    is_report: bool
    own_addresses: Collection[str]  # folded
    named: Collection[str] = ()  # everybody in To and Cc, folded


Rule = Callable[[Facts], str | None]


def written_by(facts: Facts) -> Machine | None:
    """The machine that wrote it; None when it may well be a person."""
    for kind, rule in _WRITTEN:
        reason = rule(facts)
        if reason is not None:
            return Machine(kind, reason)
    return None


def why_silent(facts: Facts, machine: Machine | None) -> str | None:
    """Why no automatic answer may go out; None when one may."""
    if machine is not None:
        return machine.reason
    for rule in _SILENT:
        reason = rule(facts)
        if reason is not None:
            return reason
    return None


def is_delivery_report(facts: Facts) -> str | None:
    if facts.report_type in ("delivery-status", "global-delivery-status") or facts.is_report:
        return "delivery_report"
    if "x-failed-recipients" in facts.headers:
        return "failed_recipients_field"
    local = facts.author.address or facts.author.name
    if local[:10].lower() == "postmaster" and facts.return_path != "" and not _is_auto(facts):
        # Behind this one people sit, too.
        return "bounce_subject" if _BOUNCE.match(facts.subject) else None
    if _DAEMON.match(local) and (not facts.return_path or _is_auto(facts) or _DAEMON.match(facts.return_path)):
        return "mail_daemon"
    # Some servers report under an ordinary name and in free form; an empty sender never carries a person's words.
    if facts.return_path == "" and _BOUNCE.match(facts.subject):
        return "bounce_subject"
    return None


def is_read_receipt(facts: Facts) -> str | None:
    return "read_receipt" if facts.report_type == "disposition-notification" else None


def is_complaint(facts: Facts) -> str | None:
    return "feedback_report" if facts.report_type == "feedback-report" else None


def is_own_mail(facts: Facts) -> str | None:
    """Without a plus-part: those are our reply tokens and no sender has them."""
    return "own_address" if without_plus(facts.author.folded) in facts.own_addresses else None


def is_automatic_reply(facts: Facts) -> str | None:
    """RFC 3834, 5: any value but "no" was not written by a person; "auto-replied" answers another mail."""
    if _auto_word(facts).startswith("auto-replied"):
        return "auto_replied"
    if facts.headers.plain("precedence").lower() in ("auto_reply", "auto-reply"):
        return "precedence_auto_reply"
    for name in _AUTOREPLY_FIELDS:
        if facts.headers.plain(name).lower() not in ("", "no", "false"):
            return "autoreply_field"
    return "vacation_subject" if _VACATION.match(facts.subject) or _AWAY_BY_NAME.match(facts.subject) else None


def is_challenge(facts: Facts) -> str | None:
    return "challenge" if _CHALLENGE.match(facts.subject) else None


def is_bulk(facts: Facts) -> str | None:
    if "feedback-id" in facts.headers:
        return "feedback_id"
    if "list-unsubscribe-post" in facts.headers:
        return "one_click_unsubscribe"
    precedence = facts.headers.plain("precedence").lower()
    if precedence in ("bulk", "junk") and "list-post" not in facts.headers:
        return f"precedence_{precedence}"
    if "list-unsubscribe" in facts.headers and "list-post" not in facts.headers and "list-id" not in facts.headers:
        return "list_unsubscribe"
    return None


def is_notification(facts: Facts) -> str | None:
    if _is_auto(facts):
        return "auto_generated"
    if _NO_REPLY.match(facts.author.address):
        return "no_reply_sender"
    if "x-auto-response-suppress" in facts.headers and facts.return_path == "":
        return "empty_return_path"
    return None


def has_empty_return_path(facts: Facts) -> str | None:
    return "empty_return_path" if facts.return_path == "" else None


def is_list_mail(facts: Facts) -> str | None:
    if any(name.startswith("list-") for name in facts.headers.names()):
        return "mailing_list"
    return "mailing_list" if "mailing-list" in facts.headers else None


def has_bulk_precedence(facts: Facts) -> str | None:
    word = facts.headers.plain("precedence").lower()
    return f"precedence_{word}" if word in _BULK_WORDS else None


def suppresses_answers(facts: Facts) -> str | None:
    words = {word.strip().lower() for word in facts.headers.plain("x-auto-response-suppress").split(",")}
    return "response_suppressed" if words & {"all", "oof", "autoreply"} else None


def is_report_of_any_kind(facts: Facts) -> str | None:
    return "report_of_a_program" if facts.kind == "multipart/report" else None


def has_automatic_fields(facts: Facts) -> str | None:
    """The X-Auto… family, which every responder spells in its own way."""
    for name in facts.headers.names():
        if name.startswith("x-auto") and name not in _WANTED_FIELDS and facts.headers.plain(name).lower() not in _NO:
            return "autoreply_field"
    return None


def comes_from_a_daemon(facts: Facts) -> str | None:
    if _DAEMON.match(facts.author.address) or (facts.return_path and _DAEMON.match(facts.return_path)):
        return "mail_daemon"
    return None


def may_be_a_vacation_notice(facts: Facts) -> str | None:
    return "vacation_subject" if _AWAY.match(facts.subject) else None


def wants_no_answer(facts: Facts) -> str | None:
    return "no_reply_sender" if any(_NO_REPLY.match(one.address) for one in facts.reply_to) else None


def has_loop_marks(facts: Facts) -> str | None:
    return "loop_field" if "x-loop" in facts.headers else None


def has_no_author(facts: Facts) -> str | None:
    return None if facts.author.address else "no_author"


def does_not_name_us(facts: Facts) -> str | None:
    """We were in Bcc, or a list or a rule brought it here: whoever wrote it did not ask us."""
    if facts.own_addresses and not any(without_plus(one) in facts.own_addresses for one in facts.named):
        return "not_named"
    return None


def answers_go_astray(facts: Facts) -> str | None:
    """Reply-To to ourselves would loop; to several people it is a lever for spreading mail."""
    if len(facts.reply_to) > 1:
        return "several_reply_to"
    if any(without_plus(one.folded) in facts.own_addresses for one in facts.reply_to):
        return "reply_to_ourselves"
    return None


def is_spam(facts: Facts) -> str | None:
    flag = facts.headers.plain("x-spam-flag").lower() or facts.headers.plain("x-spam").lower()
    status = facts.headers.plain("x-spam-status").lower()
    return "spam" if flag in ("yes", "true") or status.startswith("yes") else None


def _auto_word(facts: Facts) -> str:
    return facts.headers.plain("auto-submitted").partition(";")[0].partition("(")[0].strip().lower()


def _is_auto(facts: Facts) -> bool:
    return _auto_word(facts) not in ("", "no")


_WRITTEN: tuple[tuple[MachineKind, Rule], ...] = (
    (MachineKind.COMPLAINT, is_complaint),
    (MachineKind.READ_RECEIPT, is_read_receipt),
    (MachineKind.DELIVERY_REPORT, is_delivery_report),
    (MachineKind.OWN, is_own_mail),
    (MachineKind.AUTOMATIC_REPLY, is_automatic_reply),
    (MachineKind.CHALLENGE, is_challenge),
    (MachineKind.BULK, is_bulk),
    (MachineKind.NOTIFICATION, is_notification),
)

_SILENT: tuple[Rule, ...] = (
    has_no_author,
    has_empty_return_path,
    is_report_of_any_kind,
    comes_from_a_daemon,
    may_be_a_vacation_notice,
    wants_no_answer,
    has_automatic_fields,
    is_list_mail,
    has_bulk_precedence,
    suppresses_answers,
    has_loop_marks,
    answers_go_astray,
    does_not_name_us,
    is_spam,
)


def fold_own(addresses: Collection[str]) -> frozenset[str]:
    return frozenset(without_plus(fold(one)) for one in addresses)
