"""Words by which mail programs announce quoted history, for each language. All matching is done on short lines."""

from __future__ import annotations

import re

_VERBS = (
    r"(?:\b(?:wrote|writes|kirjoitti|schrieb|hat geschrieben|geschrieben|a écrit|escribió|escribi[oó]|skrev|kirjutas|"
    r"ha scritto|escreveu|schreef|napisał(?:\(a\)|a)?|napsal(?:\(a\)|a)?|napísal(?:\(a\))?|a scris|написал(?:\(а\)|а)?|"
    r"пишет|пише|написав(?:\(ла\))?|yazdı|yazmış|írta|írt|rašė|rakstīja|je napisao|έγραψε)(?!\w)|"
    r"წერდა|დაწერა|მოგწერათ|写道|寫道|のメール|さんは書きました)"
)
WROTE = re.compile(_VERBS, re.IGNORECASE)
WROTE_LAST = re.compile(_VERBS + r"\s{0,3}[:：]\s*$", re.IGNORECASE)
"""The verb of an attribution line."""

OPENER = re.compile(
    r"^\s*(?:On|Am|Le|El|Den|Il|Op|Em|Dne|Dňa|W dniu|Dnia|Pe|På|Kontakt|Στις|ma|ti|ke|to|pe|la|su)\b.{0,120}\d"
)
"""How an attribution that was wrapped over several lines begins."""

WHEN = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[:.]\d{2}\b|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
BY_ADDRESS = re.compile(r"[<(\[][^\s<>()]{1,100}@[^\s<>()]{1,100}[>)\]]\s{0,3}:\s*$")
"""Russian Gmail names no verb: a date, a name, an address, a colon."""

SEPARATOR = re.compile(
    r"^\s*(?:[-_*=]{2,}|>{1,3})?\s*(?:original message|reply message|alkuperäinen viesti|orijinal ileti|özgün ileti|"
    r"orijinal mesaj|özgün mesaj|eredeti üzenet|eredeti levél|თავდაპირველი შეტყობინება|ორიგინალური შეტყობინება|"
    r"ორიგინალი წერილი|ursprüngliche nachricht|original-?nachricht|message d[’']origine|message original|"
    r"mensaje original|ursprungligt meddelande|originalmeddelande|исходное сообщение|оригинальное сообщение|"
    r"algne kiri|algkiri|algne sõnum|messaggio originale|mensagem original|oorspronkelijk bericht|"
    r"oprindelig meddelelse|opprinnelig melding|původní zpráva|wiadomość oryginalna|oryginalna wiadomość|"
    r"mesajul original|оригінальне повідомлення|原始邮件|元のメッセージ)\s*[-_*=]{2,}\s*$",
    re.IGNORECASE,
)

FORWARD = re.compile(
    r"^\s*[-_*=]{2,}\s*(?:forwarded message|begin forwarded message|välitetty viesti|iletilmiş ileti|iletilen mesaj|"
    r"iletilen ileti|yönlendirilen ileti|továbbított üzenet|továbbított levél|გადაგზავნილი შეტყობინება|"
    r"weitergeleitete nachricht|message transféré|mensaje reenviado|vidarebefordrat meddelande|"
    r"пересланное сообщение|пересылаемое сообщение|edastatud kiri|messaggio inoltrato|mensagem encaminhada|"
    r"doorgestuurd bericht|videresendt meddelelse)|^\s*begin forwarded message:",
    re.IGNORECASE,
)

_FROM = (
    "From|Lähettäjä|Kimden|Gönderen|Feladó|გამომგზავნი|ვისგან|გამგზავნი|Von|De|Från|От|От кого|Отправитель|Saatja|"
    "Kellelt|Da|Van|Fra|Od|Expéditeur|Remitente|Від"
)
_OTHER = (
    "Sent|Date|To|Subject|Cc|Bcc|Reply-To|Lähetetty|Päiväys|Päivämäärä|Vastaanottaja|Kopio|Aihe|Gönderildi|"
    "Gönderme Tarihi|Gönderilme zamanı|Tarih|Kime|Bilgi|Konu|Elküldve|Küldve|Dátum|Címzett|Másolatot kap|Tárgy|"
    "გაგზავნილია|გაგზავნის თარიღი|თარიღი|მიმღები|ვის|თემა|სათაური|Gesendet|Datum|An|Betreff|Envoyé|Envoyé le|À|Objet|"
    "Date d[’']envoi|Enviado|Enviado el|Fecha|Para|CC|Asunto|Skickat|Till|Kopia|Ämne|Отправлено|Дата|Кому|Копия|Тема|"
    "Saadetud|Kuupäev|Adressaat|Kellele|Koopia|Teema|Inviato|Data|A|Oggetto|Enviada em|Assunto|Verzonden|Aan|Onderwerp|"
    "Sendt|Dato|Til|Emne|Wysłano|Do|Temat|Odesláno|Komu|Předmět|Надіслано"
)
HEADER_FROM = re.compile(rf"^[>\s*]{{0,4}}(?:{_FROM})\s?\*?\s?:\s?\*?\s*\S", re.IGNORECASE)
HEADER_OTHER = re.compile(rf"^[>\s*]{{0,4}}(?:{_OTHER})\s?\*?\s?:", re.IGNORECASE)

DEVICE = re.compile(
    r"^\s*(?:Sent from (?:my |Mail|Yahoo|Outlook|Samsung|the )|Sent with |Sent via |Get Outlook for |Hanki Outlook|"
    r"Lähetetty \w+(?:sta|stä|stani|lta|ltä)\b|Lähetetty (?:Outlook|Samsung|Yahoo)|"
    r"\S+(?:dan|den|tan|ten|umdan|imden|ımdan) gönderildi|Samsung cihazımdan|Outlook for \S+ (?:edinin|indirin)|"
    r"Elküldve (?:az?|iPhone)|Küldve (?:az?|iPhone)|Az? \S+ küldve|"
    r"\S+[- ]?ról küldve|Az? (?:iOS|Android)|გამოგზავნილია|Von meinem \S+ gesendet|Gesendet (?:von|mit) |Outlook für |"
    r"Envoyé (?:de|depuis|à partir) |Obtenir Outlook|Téléchargez Outlook|Enviado desde |Obtener Outlook|Skickat från |"
    r"Skaffa Outlook|Hämta Outlook|Отправлено (?:с|из) |Скачать Outlook|Saadetud (?:minu|iPhone|Outlook|Samsung)|"
    r"Hankige Outlook|Inviato da |Enviado do |Verstuurd vanaf |Sendt fra )",
    re.IGNORECASE,
)
"""Lines a telephone puts under everything."""
