"""Mail HTML made harmless: cleaned by an allow-list, remote pictures held back, quoted history found by its markup."""

from __future__ import annotations

import re
from dataclasses import dataclass

import nh3
from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from selectolax.lexbor import LexborHTMLParser, LexborNode

from channels.email.headers import several_lines
from channels.email.html_guard import is_within_guard, plain_of, without_hidden

_TAGS = {
    "a", "abbr", "acronym", "address", "b", "bdo", "big", "blockquote", "br", "caption", "center", "cite", "code",
    "col", "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strike",
    "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var", "wbr",
}  # fmt: skip
_TAGS_DROPPED_WHOLE = {
    "script", "style", "title", "svg", "math", "template", "noscript", "textarea", "select", "object",
}  # fmt: skip
_ATTRIBUTES = {
    "*": {"dir", "lang", "title", "style", "align", "valign"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height", "data-remote-src"},
    "font": {"color", "face", "size"},
    "table": {"border", "cellpadding", "cellspacing", "width", "bgcolor"},
    "td": {"colspan", "rowspan", "width", "height", "bgcolor", "nowrap"},
    "th": {"colspan", "rowspan", "width", "height", "bgcolor", "nowrap", "scope"},
    "tr": {"bgcolor"},
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "li": {"value"},
    "blockquote": {"type"},
}
_STYLES = {
    "background-color", "border", "border-bottom", "border-bottom-color", "border-bottom-style",
    "border-bottom-width", "border-collapse", "border-color", "border-left", "border-radius", "border-right",
    "border-spacing", "border-style", "border-top", "border-width", "color", "direction", "display",
    "font-family", "font-size", "font-style", "font-variant", "font-weight", "height", "line-height",
    "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width",
    "min-width", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top", "text-align",
    "text-decoration", "text-indent", "text-transform", "vertical-align", "white-space", "width", "word-break",
    "word-spacing", "word-wrap",
}  # fmt: skip
_SCHEMES = {"http", "https", "mailto", "tel", "cid"}
_LINKS = {"a": {"target": "_blank"}}

_MARKS = (
    "#appendonsend", "#divRplyFwdMsg", "#x_divRplyFwdMsg", "#OLK_SRC_BODY_SECTION",
    "#mail-editor-reference-message-container", ".moz-cite-prefix", "#reply-intro", ".replyHeader", "hr#stopSpelling",
    "hr#zwchr", "[data-marker=__QUOTED_TEXT__]", "#isReplyContent",
)  # fmt: skip
"""Everything after one of these is history."""

_WRAPPERS = (
    ".gmail_quote_container", ".gmail_quote", ".x_gmail_quote", "[id*=yahoo_quoted]", ".yahoo_quoted",
    ".protonmail_quote", ".tutanota_quote", "[name=quote]", ".gmx_quote", "blockquote[type=cite]",
    "blockquote.crm_quote",
)  # fmt: skip
"""These hold the history; words after them are the writer's own."""

_OUTLOOK_BORDER = re.compile(r"border\s*:\s*none\s*;\s*border-top\s*:\s*solid", re.IGNORECASE)
_FORWARDED = re.compile(
    r"forwarded message|begin forwarded|välitetty viesti|edelleenlähetetty|iletilen|yönlendirilen|továbbított|"
    r"weitergeleitete|message transféré|mensaje reenviado|vidarebefordrat|пересл|пересыла|edastatud|გადაგზავნილი|"
    r"გადამისამართებული",
    re.IGNORECASE,
)
_REMOTE_SOURCE = re.compile(
    r"(<img(?=[\s/])[^<>]{0,8000}?[\s\"'/])src(\s{0,10}=\s{0,10}[\"']?\s{0,10}(?:https?:)?//)", re.IGNORECASE
)
_NO_LINKS = ParserConfig(css=CSS_PROFILES["strict"], display_links=False, display_images=False)


@dataclass(frozen=True, slots=True)
class CleanHtml:
    html: str
    remote_images: int


def clean(html: str) -> CleanHtml | None:
    """None when the guard refuses: the mail is then shown as its text."""
    if not is_within_guard(html):
        return None
    cleaned = _cleaned(without_hidden(html))
    return CleanHtml(cleaned, cleaned.count("data-remote-src="))


def _cleaned(html: str) -> str:
    return _CLEANER.clean(_REMOTE_SOURCE.sub(r"\1data-remote-src\2", html))


def _allowed(tag: str, name: str, value: str) -> str | None:
    if name == "style":
        return value if len(value) < 2000 and "url" not in value.lower() and "\\" not in value else None
    if name == "src":
        return value.strip() if value.strip()[:4].lower() == "cid:" else None  # nothing is fetched by showing a mail
    if name == "data-remote-src":
        address = value.strip()
        address = "https:" + address if address[:2] == "//" else address
        return address if address[:7].lower() == "http://" or address[:8].lower() == "https://" else None
    return value


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_TAGS_DROPPED_WHOLE,
    attributes=_ATTRIBUTES,
    attribute_filter=_allowed,
    url_schemes=_SCHEMES,
    url_relative="deny",
    filter_style_properties=_STYLES,
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values=_LINKS,
)


@dataclass(frozen=True, slots=True)
class NewText:
    """The writer's own words; `is_above` the history, else below it."""

    text: str
    is_above: bool


def new_text_of(html: str) -> NewText | None:
    """What is not quoted history, found by its markup in any language; None when there is no history, nothing beside
    it, or the writer's words lie between."""
    if not is_within_guard(html):
        return None
    tree = LexborHTMLParser(without_hidden(html))
    body = tree.body
    found = _history(body) if body is not None else None
    if body is None or found is None:
        return None
    begin, is_all_below = found
    if is_all_below or not _words_after(begin):
        _drop_from(begin)
        text = text_of(body.inner_html or "").rstrip(" \n\u00a0-")
        return NewText(text, True) if text else None
    _drop_to(begin)
    text = text_of(body.inner_html or "").strip()
    return NewText(text, False) if text and body.css_first("blockquote") is None else None


def _history(body: LexborNode) -> tuple[LexborNode, bool] | None:
    """The first element of the history, and whether everything below belongs to it."""
    for selector in _MARKS:
        found = body.css_first(selector)
        if found is not None:
            following = _next_element(found)
            if _is_forward(found):
                return None
            if following is not None and following.tag == "blockquote" and _words_after(following):
                return following, False  # words below a quote are the writer's
            return found, True
    for selector in _WRAPPERS:
        found = body.css_first(selector)
        if found is not None:
            return None if _is_forward(found) else (found, False)
    for node in body.css("div[style]"):
        if _OUTLOOK_BORDER.search(node.attributes.get("style") or "") and ":" in (node.text(deep=True) or ""):
            return node, True
    return None


def _next_element(node: LexborNode) -> LexborNode | None:
    following = node.next
    while following is not None and following.tag == "-text":
        following = following.next
    return following


def _is_forward(node: LexborNode) -> bool:
    """A forwarded mail is what the writer wants us to read."""
    return bool(_FORWARDED.search((node.text(deep=True, separator=" ") or "")[:300]))


def _words_after(node: LexborNode) -> bool:
    current: LexborNode | None = node
    while current is not None and current.tag not in ("body", "html"):
        sibling = current.next
        while sibling is not None:
            if sibling.tag != "blockquote" and not _is_signature(sibling):
                text = (sibling.text(deep=True) or "").strip(" \u00a0\r\n\t")
                if len(text) > 2 and not text.startswith("-- "):
                    return True
            sibling = sibling.next
        current = current.parent
    return False


def _is_signature(node: LexborNode) -> bool:
    if node.tag == "-text":
        return False
    return "signature" in f"{node.attributes.get('class')} {node.attributes.get('id')}".lower()


def _drop_to(node: LexborNode) -> None:
    """Everything up to and with `node`."""
    current: LexborNode | None = node
    while current is not None and current.tag not in ("body", "html"):
        parent = current.parent
        earlier = current.prev
        while earlier is not None:
            before = earlier.prev
            earlier.decompose()
            earlier = before
        if current is node:
            current.decompose()
        current = parent


def _drop_from(node: LexborNode) -> None:
    current: LexborNode | None = node
    while current is not None and current.tag not in ("body", "html"):
        parent = current.parent
        later = current.next
        while later is not None:
            following = later.next
            later.decompose()
            later = following
        if current is node:
            current.decompose()
        current = parent


def text_of(html: str) -> str:
    """HTML as text with its lists and tables; tags merely removed where layout would cost too much."""
    if len(html) > 300_000 or not is_within_guard(html):
        return plain_of(html)
    try:
        text = get_text(f"<html><body>{without_hidden(html)}</body></html>", _NO_LINKS)
    except Exception:  # markup that lxml cannot make a tree of
        return plain_of(html)
    return several_lines(text).strip("\n")
