"""The guard in front of every HTML library: they need quadratic time, or crash, on deep nesting, thousands of
attributes or unclosed comments. One linear pass decides; nothing here builds a tree.
"""

from __future__ import annotations

import re
from collections import Counter
from html import unescape

from channels.email import limits
from channels.email.headers import several_lines

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,60})")
_ATTRIBUTE = re.compile(r"[\s/]*+(?:>|[^\s/>=][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+)?+)?+|=)")
_VOID = frozenset([
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
])  # fmt: skip
_IMPLIED = frozenset(["p", "li", "td", "th", "tr", "dt", "dd", "option", "thead", "tbody", "tfoot", "colgroup"])
_HIDDEN = re.compile(r"<(style|script|title|noscript|template|svg|math)(?=[\s/>])|<!--|<!\[|<\?", re.IGNORECASE)
_ENDS = {
    name: re.compile(rf"</{name}\s*+>", re.IGNORECASE)
    for name in ("style", "script", "title", "noscript", "template", "svg", "math")
} | {"<!--": re.compile("-->"), "<![": re.compile(">"), "<?": re.compile(">")}
SMALL, SMALL_TAGS = 40_000, 512
"""So little cannot be deep or broad enough to cost anything worth counting."""
_ANY_TAG = re.compile(r"<[^<>]{0,20000}>")
_BREAKS = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6]|/table|/blockquote)(?=[\s/>])[^<>]{0,200}>", re.IGNORECASE)


def without_hidden(html: str) -> str:
    """Without comments, scripts, styles and conditional sections. What is never closed is left to the cleaner."""
    kept: list[str] = []
    at = 0
    endless: set[str] = set()
    for found in _HIDDEN.finditer(html):
        if found.start() < at:
            continue
        what = (found[1] or found[0]).lower()
        if what in endless:
            continue
        end = _ENDS[what].search(html, found.end())
        if end is None:
            endless.add(what)
            continue
        kept.append(html[at : found.start()])
        at = end.end()
    kept.append(html[at:])
    return "".join(kept)


def is_within_guard(html: str) -> bool:
    """Bounded size, nesting, attributes for each tag, number of tags and of entities."""
    if len(html) > limits.HTML_BYTES or html.count("&") > limits.HTML_ENTITIES:
        return False
    if len(html) <= SMALL and html.count("<") <= SMALL_TAGS:
        return True
    depth, count = 0, 0
    open_tags: Counter[str] = Counter()
    position = 0
    while found := _TAG.search(html, position):
        count += 1
        if count > limits.HTML_TAGS:
            return False
        name = found[2].lower()
        if found[1]:
            if open_tags[name]:
                open_tags[name] -= 1
                depth -= 1
        elif name not in _VOID and name not in _IMPLIED:
            open_tags[name] += 1
            depth += 1
            if depth > limits.HTML_NESTING:
                return False
        position = found.end()
        attributes = 0
        while attribute := _ATTRIBUTE.match(html, position):
            position = attribute.end()
            if attribute[0][-1] == ">" and html[position - 1] == ">":
                break
            attributes += 1
            if attributes > limits.HTML_ATTRIBUTES:
                return False
    return True


def plain_of(html: str) -> str:
    """Words only, in linear time, for HTML no library should see."""
    html = without_hidden(html[: limits.HTML_BYTES * 2])
    text = unescape(_ANY_TAG.sub("", _BREAKS.sub("\n", html)))
    return several_lines(text).strip("\n")[: limits.TEXT_CHARACTERS]
