"""Bytes to text, the way mail really is: declared charset first, strictly; guessing last, and never against a
declaration that decodes (EMAIL.md, Decoding 1). Nothing here raises.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from charset_normalizer import from_bytes

_SUPERSETS = {
    # WHATWG Encoding: the Windows superset is what senders mean by the standard's name.
    "iso8859-1": "cp1252",
    "latin-1": "cp1252",
    "iso-ir-100": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "johab": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "iso2022_jp_1": "iso2022_jp",
    "iso2022_jp_2": "iso2022_jp",
    "iso2022_jp_3": "iso2022_jp",
    "iso2022_jp_2004": "iso2022_jp",
    "iso2022_jp_ext": "iso2022_jp",
}

_MAIL_NAMES = {
    "ks_c_5601-1987": "cp949", "ks_c_5601": "cp949", "ksc5601": "cp949", "korean": "cp949", "windows-949": "cp949",
    "x-gbk": "gb18030", "gb_2312-80": "gb18030", "chinese": "gb18030", "x-euc-cn": "gb18030",
    "x-sjis": "cp932", "ms_kanji": "cp932", "windows-31j": "cp932", "sjis": "cp932", "x-euc-jp": "euc_jp",
    "x-x-big5": "big5hkscs", "cn-big5": "big5hkscs",
    "iso-8859-8-i": "iso8859-8", "iso-8859-8-e": "iso8859-8", "logical": "iso8859-8", "visual": "iso8859-8",
    "iso-8859-6-i": "iso8859-6", "iso-8859-6-e": "iso8859-6",
    "x-mac-cyrillic": "mac_cyrillic", "x-mac-ukrainian": "mac_cyrillic", "macintosh": "mac_roman",
    "x-mac-roman": "mac_roman", "x-mac-ce": "mac_latin2",
    "dos-874": "cp874", "windows-874": "cp874", "unicode-1-1-utf-8": "utf-8", "unicode-1-1-utf-7": "utf-7",
    "unicode": "utf-16", "utf8mb4": "utf-8", "x-utf-8": "utf-8", "cp65001": "utf-8", "ansi_x3.4-1968": "ascii",
    "ansi_x3.110-1983": "cp1252", "iso-8859-1-windows-3.1-latin-1": "cp1252", "x-user-defined": "cp1252",
    "iso-8859-1-windows": "cp1252", "x-ansi": "cp1252", "ansi": "cp1252", "win-1251": "cp1251", "x-cp1251": "cp1251",
    "iso 8859-1": "cp1252", "iso 8859-2": "iso8859-2", "iso 8859-15": "iso8859-15", "koi8-ru": "koi8_u",
    "koi": "koi8_r", "windows1250": "cp1250", "windows1251": "cp1251", "windows1252": "cp1252",
    "windows1254": "cp1254", "x-koi8-r": "koi8_r", "win-1250": "cp1250", "win-1252": "cp1252", "cp-1251": "cp1251",
    "cp-1252": "cp1252", "cp-850": "cp850", "x-iso-8859-1": "cp1252", "iso-8859-8i": "iso8859-8",
    "iso-2022-jp-ms": "iso2022_jp", "cp50220": "iso2022_jp", "cp50221": "iso2022_jp", "csiso2022jp": "iso2022_jp",
    "x-iso-2022-jp": "iso2022_jp", "gb18030-2000": "gb18030", "euc-cn": "gb18030", "big5-hkscs": "big5hkscs",
    "x-gb2312": "gb18030", "utf8-mb4": "utf-8",
    "x-cp1250": "cp1250", "x-cp1252": "cp1252", "x-viet-tcvn5712": "cp1258",
}  # fmt: skip

_MAIL_NAMES = {name.replace("_", "-"): codec for name, codec in _MAIL_NAMES.items()}

_CHARSETS = frozenset(
    codecs.lookup(name).name
    for name in [
        "ascii",
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16le",
        "utf-16be",
        "utf-32",
        "utf-7",
        "cp1250",
        "cp1251",
        "cp1252",
        "cp1253",
        "cp1254",
        "cp1255",
        "cp1256",
        "cp1257",
        "cp1258",
        "cp874",
        "cp932",
        "cp949",
        "cp950",
        "gb18030",
        "big5hkscs",
        "euc_jp",
        "iso2022_jp",
        "iso2022_kr",
        "hz",
        "koi8_r",
        "koi8_u",
        "koi8_t",
        "kz1048",
        "ptcp154",
        "cp437",
        "cp720",
        "cp737",
        "cp775",
        "cp850",
        "cp852",
        "cp855",
        "cp856",
        "cp857",
        "cp858",
        "cp860",
        "cp861",
        "cp862",
        "cp863",
        "cp864",
        "cp865",
        "cp866",
        "cp869",
        "cp037",
        "cp500",
        "cp1125",
        "mac_roman",
        "mac_latin2",
        "mac_cyrillic",
        "mac_greek",
        "mac_turkish",
        "mac_iceland",
        "iso8859-2",
        "iso8859-3",
        "iso8859-4",
        "iso8859-5",
        "iso8859-6",
        "iso8859-7",
        "iso8859-8",
        "iso8859-10",
        "iso8859-13",
        "iso8859-14",
        "iso8859-15",
        "iso8859-16",
    ]
)
"""The only codecs a mail can name. Python's own transforms (rot13, zlib, unicode_escape, idna …) are not among them."""

GUESS_AT_LEAST = 64
"""Bytes outside ASCII below which a detector is not asked: it guesses wildly on short text."""

_ESCAPES = re.compile(rb"\x1b\$[@B]|\x1b\([BJI]|\x1b\$\)C|\x1b\$A")
_JIS_PIECES = re.compile(rb"\x1b(\$@|\$B|\(B|\(J|\(I)")


_NAME = re.compile(r"(?!charset\s*=)[A-Za-z0-9][\w.:+-]*(?: 8859-\d{1,2})?")
_LOCALE = re.compile(r"^\s*[a-z]{2}_[A-Z]{2}\.")


@lru_cache(maxsize=512)
def codec_for(declared: str) -> str | None:
    """Python codec for a charset name as mails write it; None when there is no such charset."""
    found = _NAME.search(declared.rpartition(".")[2] if _LOCALE.match(declared) else declared) if declared else None
    name = found[0].lower().replace("_", "-").rstrip("-.") if found else ""
    if not name or len(name) > 60:
        return None
    if name in _MAIL_NAMES:
        return _MAIL_NAMES[name]
    try:
        known = codecs.lookup(name.removeprefix("x-") if name.startswith("x-windows-") else name).name
    except (LookupError, ValueError, TypeError):
        return None
    known = _SUPERSETS.get(known, known)
    try:
        known = codecs.lookup(known).name
    except LookupError:
        return None
    return known if known in _CHARSETS else None


def decode(data: bytes, declared: str | None = None, *, elsewhere: Iterable[str] = ()) -> str:
    """Text of `data`. `elsewhere`: charsets other parts of the mail declare, tried when nothing better is known."""
    codec = codec_for(declared) if declared else None
    if data.isascii() and (codec is None or codec in _ASCII_COMPATIBLE) and b"\x1b" not in data:
        return data.decode("ascii")
    for attempt in _attempts(data, codec, elsewhere):
        text = _strictly(data, attempt)
        if text is not None:
            return text.removeprefix("\ufeff")
    guessed = _guess(data)
    if guessed is not None:
        return guessed
    return data.decode(codec or "cp1252", "replace").removeprefix("\ufeff")


_ASCII_COMPATIBLE = _CHARSETS - {
    codecs.lookup(name).name
    for name in [
        "utf-16",
        "utf-16le",
        "utf-16be",
        "utf-32",
        "utf-7",
        "iso2022_jp",
        "iso2022_kr",
        "hz",
        "cp037",
        "cp500",
    ]
}


def _attempts(data: bytes, codec: str | None, elsewhere: Iterable[str]) -> Iterator[str]:
    if codec is not None:
        yield codec
    if data[:3] == b"\xef\xbb\xbf":
        yield "utf-8"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        yield "utf-16"
    if _ESCAPES.search(data, 0, 20_000):
        yield "iso2022_kr" if b"\x1b$)C" in data else "iso2022_jp"
    yield "utf-8"
    for other in elsewhere:
        known = codec_for(other)
        if known is not None and known != "ascii":
            yield known


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeError, ValueError):
        if codec == "iso2022_jp":
            return _japanese_with_vendor_rows(data)
        if codec == "cp1252":
            return _windows_with_holes(data)
        return None


def _windows_with_holes(data: bytes) -> str | None:
    """WHATWG: the five bytes Windows-1252 leaves open are the C1 controls. Text with them that is UTF-8 is UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(chr(byte) if byte in _HOLES else bytes((byte,)).decode("cp1252") for byte in data[:200_000]) + (
            data[200_000:].decode("cp1252", "replace")
        )


_HOLES = frozenset((0x81, 0x8D, 0x8F, 0x90, 0x9D))


def _japanese_with_vendor_rows(data: bytes) -> str | None:
    """ISO-2022-JP as Windows writes it: rows 13 and 89 onwards exist only in code page 932, so go there."""
    pieces = _JIS_PIECES.split(data)
    text = [pieces[0].decode("ascii", "replace")]
    for escape, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if escape in (b"$@", b"$B"):
            text.append(_jis_to_932(piece))
        elif escape == b"(I":
            text.append(bytes(byte | 0x80 for byte in piece).decode("cp932", "replace"))
        else:
            text.append(piece.decode("cp932", "replace"))
    return "".join(text)


def _jis_to_932(piece: bytes) -> str:
    out = bytearray()
    position = 0
    while position < len(piece):
        high = piece[position]
        if not 0x21 <= high <= 0x7E or position + 1 == len(piece):
            out.append(high)
            position += 1
            continue
        low = piece[position + 1]
        position += 2
        # JIS X 0208 to Shift_JIS: two rows share one lead byte.
        lead = (high - 0x21) // 2 + (0x81 if high < 0x5F else 0xC1)
        trail = low + (0x1F if low < 0x60 else 0x20) if high % 2 else low + 0x7E
        out += bytes((lead, trail & 0xFF))
    return out.decode("cp932", "replace")


def _guess(data: bytes) -> str | None:
    outside = sum(byte > 0x7F for byte in data[:4000])
    if outside < GUESS_AT_LEAST or outside * 4 < min(len(data), 4000):
        return None
    best = from_bytes(data[:20_000]).best()
    codec = codec_for(best.encoding) if best is not None else None
    return _strictly(data, codec) if codec is not None else None
