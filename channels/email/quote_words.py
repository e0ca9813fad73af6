"""Words by which mail programs announce quoted history, for each language. All matching is done on short lines."""

from __future__ import annotations

import re

_VERBS = (
    r"(?:\b(?:wrote|writes|kirjoitti|schrieb(?:en)?|hat geschrieben|geschrieben|a écrit|escribió|escribi[oó]|skrev|"
    r"kirjutas|ha scritto|escreveu|schreef|napisał(?:\(a\)|a)?|pisze|napsal(?:\(a\)|a)?|napísal(?:\(a\))?|a scris|"
    r"написал(?:\(а\)|а)?|пишет|пише|написав(?:\(ла\))?|yazdı|yazmış|írta|írt|ezt írta|rašė|rakstīja|je napisao|έγραψε|"
    r"sent)(?!\w)|წერდა|წერს|დაწერა|მოგწერათ|写道|寫道|のメール|のメッセージ|さんは書きました|작성)"
)
WROTE = re.compile(_VERBS, re.IGNORECASE)
WROTE_LAST = re.compile(_VERBS + r"\s{0,3}[:：]\s*$", re.IGNORECASE)
"""The verb of an attribution line."""
WROTE_THEN = re.compile(
    _VERBS + r"\b.{0,20}?\d{1,4}[./-]\s?\d{1,2}[./-].{0,12}?\d{1,2}[.:]\d{2}\S{0,4}.{0,12}[:：]\s*$", re.IGNORECASE
)
"""Only a date and a time follow the verb."""

OPENER = re.compile(
    r"^\s*(?:On|At|Am|Le|El|Den|Il|Op|Em|Dne|Dňa|W dniu|Dnia|Pe|På|Kontakt|Kirjutas|Στις|"
    r"(?:ma|ti|ke|to|pe|la|su)\.?|(?:E|T|K|N|R|L|P),)\s.{0,120}\d"
)
"""How an attribution begins, also one that was wrapped over several lines."""

WHEN = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[:.]\d{2}\b|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
DAY = re.compile(r"\b(?:19|20)\d\d\b|\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2,4}")
BY_ADDRESS = re.compile(r"[<(\[]\s?[^\s<>()]{1,100}@[^\s<>()]{1,100}[>)\]]{1,3}\s{0,3}:\s*$")
"""Russian Gmail names no verb: a date, a name, an address, a colon."""
DATE_AND_ADDRESS = re.compile(r"^[^:]{0,20}(?:19|20)\d\d.{0,120}<[^\s<>]{1,100}@[^\s<>]{1,100}>\s*$")
"""Old Gmail names neither verb nor colon; believed above quote marks only."""
RULED = re.compile(
    r"^\s*[-_=‐-―]{2,}\s*(?:On|Am|Le|El|Il|Op|Em|Den)\b.{6,300}" + _VERBS + r".{0,80}[-_=‐-―]{2,}\s*$", re.IGNORECASE
)
"""An attribution between rules: Zoho."""
SAME_LINE = re.compile(r"(?<=\S)[\s-]{1,8}(?=On (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}, .{8,160}\bwrote:\s*$)")
"""Some programs lose the line break above their attribution."""

SEPARATOR = re.compile(
    r"^\s*(?:[-_*=‐-―]{2,}|>{1,3})?\s*(?:original message|original appointment|reply message|"
    r"alkuperäinen viesti|alkuperäinen tapaaminen|orijinal ileti|özgün ileti|"
    r"orijinal mesaj|özgün mesaj|asıl ileti|eredeti üzenet|eredeti levél|თავდაპირველი შეტყობინება|"
    r"ორიგინალური შეტყობინება|ორიგინალი შეტყობინება|საწყისი შეტყობინება|"
    r"ორიგინალი წერილი|ursprüngliche nachricht|ursprünglicher termin|original-?nachricht|antwort nachricht|"
    r"message d[’']origine|message original|"
    r"mensaje original|ursprungligt meddelande|originalmeddelande|исходное сообщение|оригинальное сообщение|"
    r"исходное письмо|algne kiri|algkiri|algne sõnum|algne teade|esialgne kiri|originaalkiri|originaalsõnum|"
    r"messaggio originale|mensagem original|oorspronkelijk bericht|"
    r"oprindelig meddelelse|oprindelig besked|opprinnelig melding|původní zpráva|původní e-mail|"
    r"wiadomość oryginalna|oryginalna wiadomość|"
    r"mesajul original|оригінальне повідомлення|原始邮件|元のメッセージ)\s*[-_*=‐-―]{2,}\s*$",
    re.IGNORECASE,
)

REPLY_ABOVE = re.compile(
    r"^\W{0,12}(?:(?:please )?(?:type your )?reply (?:above|over) this line|bitte (?:oberhalb|"
    r"über) dieser (?:linie|zeile)|"
    r"répon\w+ au-dessus de cette ligne|responda por encima de esta línea|svara ovanför (?:denna|den här) rad|"
    r"vastaa tämän rivin yläpuolelle|пожалуйста, пишите ответ выше этой (?:строки|линии)|palun vasta selle rea kohale|"
    r"kérjük, e vonal fölé írja|lütfen yanıtınızı bu satırın üzerine)",
    re.IGNORECASE,
)
"""Where another desk asked for the answer; below is its own mail."""

FORWARD = re.compile(
    r"^\s*[-_*=‐-―]{2,}\s*(?:forwarded (?:message|by)|begin forwarded message|välitetty viesti|"
    r"edelleenlähetetty viesti|"
    r"iletilmiş ileti|iletilen mesaj|iletilen ileti|yönlendirilen ileti|yönlendirilmiş ileti|"
    r"továbbított üzenet|továbbított levél|გადაგზავნილი შეტყობინება|გადამისამართებული|"
    r"weitergeleitete nachricht|message transféré|mensaje reenviado|vidarebefordrat meddelande|"
    r"пересланное сообщение|пересылаемое сообщение|пересылаемое письмо|edastatud kiri|edastatud sõnum|"
    r"messaggio inoltrato|"
    r"mensagem encaminhada|doorgestuurd bericht|videresendt meddelelse)|"
    r"^\s*(?:begin forwarded message|anfang der weitergeleiteten (?:nachricht|e-mail)|début du (?:message|"
    r"e-mail) transféré|"
    r"välitetty viesti alkaa|vidarebefordrat brev|inicio del mensaje reenviado|iletilen mesaj başlangıcı|"
    r"továbbított levél kezdete|начало переадресованного сообщения)\s?:",
    re.IGNORECASE,
)

_FROM = (
    "From|Lähettäjä|Kimden|Gönderen|Feladó|Küldő|გამომგზავნი|ვისგან|გამგზავნი|Von|De|Från|От|От кого|Отправитель|"
    "Saatja|Kellelt|Da|Van|Fra|Od|Expéditeur|Remitente|Від|发件人|差出人"
)
_OTHER = (
    "Sent|Date|To|Subject|Cc|Bcc|Reply-To|Importance|Lähetetty|Päiväys|Päivämäärä|Pvm|Vastaanottaja|Kopio|Aihe|"
    "Gönderildi|Gönderme Tarihi|Gönderilme zamanı|Gönderim Zamanı|Gönderilmiş|"
    "Tarih|Kime|Alıcı|Bilgi|Konu|Elküldve|Küldve|Dátum|Címzett|Másolatot kap|Tárgy|"
    "გაგზავნილია|გაგზავნის თარიღი|გაიგზავნა|თარიღი|მიმღები|ადრესატი|ვის|ვისთვის|თემა|სათაური|ასლი|"
    "Gesendet|Datum|An|Betreff|"
    "Envoyé|Envoyé le|À|Objet|Destinataire|Copie à|"
    "Date d[’']envoi|Enviado|Enviado el|Fecha|Para|CC|Asunto|Skickat|Till|Kopia|Ämne|Отправлено|Дата|Кому|Копия|Тема|"
    "Saadetud|Saatmisaeg|Kuupäev|Adressaat|Saaja|Kellele|Koopia|Teema|Inviato|Data|A|Oggetto|Enviada em|Assunto|"
    "Verzonden|Aan|Onderwerp|Sendt|Dato|Til|Emne|Wysłano|Do|Temat|DW|Odesláno|Komu|Předmět|Надіслано|发送时间|收件人|主题"
)
HEADER_FROM = re.compile(rf"^[>\s*]{{0,4}}(?:{_FROM})\s?\*?\s?[:：]\s?\*?\s*\S", re.IGNORECASE)
HEADER_OTHER = re.compile(rf"^[>\s*]{{0,4}}(?:{_OTHER})\s?\*?\s?[:：]", re.IGNORECASE)
ANY_FIELD = re.compile(r"^[\s*]{0,4}[^\W\d_][^:\n]{0,24}?\*?\s?[:：]\s?\*?\s*\S")
"""A header line in a language not in the list, believed below a rule and with an address in the block."""

DEVICE = re.compile(
    r"^\s*[(<]{0,2}(?:Sent from (?:my |Mail|Yahoo|Outlook|Samsung|Windows|Proton|Zoho|BlackBerry|iPhone|iPad|AOL|Gmail|"
    r"Front|Spark|a |the |mobile|Nine|Type|Acompli|Airmail)|"
    r"Sent (?:with|via) |Sent by |Sent using |Sent on the |From my (?:iphone|ipad|android|phone|mobile)|"
    r"Get (?:Outlook|BlueMail|TypeApp|K-9) for |Hanki Outlook|"
    r"Lähetetty \w+(?:sta|stä|stani|lta|ltä)\b|Lähetetty (?:Outlook|Samsung|Yahoo|Proton|Gmail|minun|laitteesta)|"
    r"\S+(?:dan|den|tan|ten|umdan|imden|ımdan|undan|ından) gönderildi|"
    r"(?:\S+ ){1,4}\S+(?:dan|den|tan|ten|umdan|imden|ımdan|undan|ından|ile) gönderildi\.?$|Samsung cihazımdan|"
    r"Outlook for \S+ (?:edinin|indirin)|\S+ için Outlook|"
    r"Elküldve (?:az?|iPhone|saját)|Küldve (?:az?|iPhone)|Az? \S+ küldve|"
    r"\S+[- ]?r[óő]l küldve|(?:\S+ ){0,3}(?:készülékemről|telefonomról|eszközömről) küldve|Az? (?:iOS|Android)|"
    r"Az? Outlook (?:iOS|Android)|გამოგზავნილია|გაგზავნილია ჩემი|"
    r"Von meinem |Gesendet (?:von|mit|über) |Outlook für |Diese Nachricht wurde von meinem |"
    r"Holen Sie sich Outlook|Laden Sie Outlook|"
    r"Envoyé (?:de|depuis|à partir) |Obtenir Outlook|Obtenez Outlook|Téléchargez Outlook|Télécharger Outlook|"
    r"Enviado (?:desde|con|a través) |Obtener Outlook|Obtenga Outlook|Descarga Outlook|Skickat från |"
    r"Skaffa Outlook|Hämta Outlook|Отправлено (?:с|из|через) |Отправлено из |Скачать Outlook|Получит[еь] Outlook|"
    r"Saadetud (?:minu|iPhone|Outlook|Samsung|Yahoo|Proton|Androidi)|Saatsin |"
    r"Hankige Outlook|Hangi Outlook|Inviato da |Scarica Outlook|Enviado do |Verstuurd vanaf |"
    r"Verzonden vanaf |Sendt fra |"
    r"Hent Outlook|Wysłane z |Wysłano z |Odesláno z |從我的|发自我的|iPhoneから送信)",
    re.IGNORECASE,
)
"""Lines a telephone or a mail program puts under everything; short ones only, see `quotes`."""

CLOSING = re.compile(
    r"^\s*(?:(?:(?:with )?(?:kind|best|warm|warmest|many|sincere)?\s?regards|best wishes|"
    r"yours (?:sincerely|faithfully|truly)|"
    r"sincerely|cheers|many thanks|thanks(?: again| and regards)?|thank you|"
    r"(?:ystävällisin|parhain|lämpimin|hyvin|kunnioittavasti) ?(?:terveisin|terveisin)?|terveisin|t\.|yst\. ?terv\.?|"
    r"saygılar(?:ımla|ımızla)?|iyi (?:çalışmalar|günler)|selamlar|teşekkürler|"
    r"(?:szívélyes |baráti )?üdvözlettel|tisztelettel|köszönettel|üdv|"
    r"პატივისცემით|საუკეთესო სურვილებით|მადლობა|"
    r"mit (?:freundlichen|besten|herzlichen|vielen) grüßen|(?:freundliche|viele|beste|liebe|herzliche) grüße|mfg|lg|"
    r"(?:bien )?(?:cordialement|sincèrement)(?: vôtre)?|(?:meilleures |sincères )?salutations|bien à vous|"
    r"(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente|"
    r"(?:med )?(?:vänliga|bästa|varma) hälsningar|(?:med )?vänlig hälsning|hälsningar|mvh|"
    r"с уважением|с наилучшими пожеланиями|всего доброго|"
    r"lugupidamisega|parimate soovidega|tervitades|heade soovidega|tervitustega"
    r")[\s,.!–-]*)$",
    re.IGNORECASE,
)
"""How people end a letter; a signature begins here only when a block with telephone or web address follows."""
CONTACT = re.compile(
    r"(?:^|[\s(])\+?\(?\d[\d\s()./-]{6,18}\d(?:\s|$|[,;)])|https?://|\bwww\.|@[\w-]+\.\w", re.IGNORECASE
)

LIST_FOOTER = re.compile(
    r"mailing list|listinfo|unsubscribe|you received this message because|to stop receiving|sähköpostilista|"
    r"liste de diffusion|lista de correo|list-?verteiler|mailingliste|postituslista|meililist|levelezőlista|рассылк|"
    r"eposta listesi|virus-free|avast\.com|scanned by|virenfrei|viruksista|virusfri",
    re.IGNORECASE,
)

DISCLAIMER = re.compile(
    r"^\s*[*\"“]{0,3}(?:(?:confidentiality|privileged|confidential|legal)(?: note| notice|"
    r" information)?\s?:|disclaimer\s?:|"
    r"(?:(?:the|any) (?:information|contents?)|this (?:e-?mail|message|communication|electronic|transmission)).{0,200}"
    r"(?:confidential|privileged|intended (?:only|solely)|addressee)|"
    r"(?:diese (?:e-?mail|nachricht)|der inhalt dieser).{0,200}vertraulich|"
    r"(?:ce (?:message|courriel|mail)|cet e-?mail|le contenu de ce).{0,200}confidentiel|"
    r"(?:este (?:mensaje|correo|e-?mail)|la información contenida).{0,200}confidencial|"
    r"(?:tämä (?:viesti|sähköposti)).{0,200}luottamuksell|"
    r"(?:detta (?:meddelande|e-?post|mail)|det här (?:meddelandet|mejlet)).{0,200}(?:konfidentiell|sekretess)|"
    r"(?:ez az (?:üzenet|e-?mail)|jelen (?:üzenet|e-?mail|levél)).{0,200}bizalmas|"
    r"(?:bu (?:e-?posta|mesaj|ileti|elektronik)).{0,200}(?:gizli|kişiye özel)|"
    r"(?:это (?:сообщение|письмо)|данное (?:сообщение|письмо)|настоящее (?:сообщение|письмо)).{0,200}конфиденциальн|"
    r"(?:see|käesolev|antud) (?:e-?kiri|kiri|sõnum|e-?posti).{0,200}konfidentsiaal|"
    r"(?:ეს|აღნიშნული|წინამდებარე) (?:შეტყობინება|წერილი|ელ).{0,200}კონფიდენციალურ)",
    re.IGNORECASE,
)
