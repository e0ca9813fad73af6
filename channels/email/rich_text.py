"""RTF bodies of winmail.dat: unpacked (MS-OXRTFCP) and read as plain words, or as the HTML hidden in them."""

from __future__ import annotations

import re
import struct

from channels.email import limits
from channels.email.charset import codec_for, decode

_PACKED, _PLAIN = 0x75465A4C, 0x414C454D
_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_LARGEST = 4_000_000
_TOKEN = re.compile(
    rb"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.IGNORECASE
)
_SILENT = frozenset([
    b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"themedata", b"colorschememapping",
    b"datastore", b"latentstyles", b"listtable", b"listoverridetable", b"generator", b"rsidtbl", b"header", b"footer",
])  # fmt: skip


def unpacked(data: bytes) -> bytes:
    """Empty when it is not packed RTF."""
    if len(data) < 16:
        return b""
    _, raw_size, magic, _ = struct.unpack_from("<IIII", data)
    if magic == _PLAIN:
        return data[16 : 16 + min(raw_size, _LARGEST)]
    if magic != _PACKED:
        return b""
    window = bytearray(4096)
    window[: len(_DICTIONARY)] = _DICTIONARY
    write, position = len(_DICTIONARY), 16
    out = bytearray()
    limit = min(raw_size, _LARGEST)
    while position < len(data) and len(out) < limit:
        flags = data[position]
        position += 1
        for bit in range(8):
            if position >= len(data) or len(out) >= limit:
                break
            if flags >> bit & 1:
                if position + 2 > len(data):
                    return bytes(out)
                reference = data[position] << 8 | data[position + 1]
                position += 2
                offset, length = reference >> 4, (reference & 15) + 2
                if offset == write:
                    return bytes(out)
                for step in range(length):
                    byte = window[(offset + step) & 4095]
                    out.append(byte)
                    window[write] = byte
                    write = write + 1 & 4095
            else:
                byte = data[position]
                position += 1
                out.append(byte)
                window[write] = byte
                write = write + 1 & 4095
    return bytes(out)


def words(rtf: bytes) -> tuple[str, bool]:
    """What it says, and whether that is HTML (MS-OXRTFEX hides the mail's own HTML in RTF)."""
    rtf = rtf[:_LARGEST]
    is_html = b"\\fromhtml" in rtf[:2000]
    codepage = re.search(rb"\\ansicpg(\d{3,5})", rtf[:2000])
    charset = codec_for(f"cp{codepage[1].decode()}") if codepage else None
    out: list[str] = []
    pending = bytearray()
    stack: list[tuple[bool, int, bool]] = []
    silent, skipped_after_unicode, in_html_tag, to_skip = False, 1, False, 0

    def flush() -> None:
        if pending:
            out.append(decode(bytes(pending), charset or "windows-1252"))
            pending.clear()

    for found in _TOKEN.finditer(rtf):
        word, number, hexed, symbol, brace, plain = found.groups()
        if brace == b"{":
            if len(stack) < 200:
                stack.append((silent, skipped_after_unicode, in_html_tag))
        elif brace == b"}":
            if stack:
                silent, skipped_after_unicode, in_html_tag = stack.pop()
        elif word is not None:
            word = word.lower()
            if word in _SILENT:
                silent = True
            elif word == b"htmltag":
                silent, in_html_tag = False, True
            elif word == b"htmlrtf":
                silent = number != b"0"
            elif word == b"uc":
                skipped_after_unicode = min(int(number or 1), 10)
            elif silent:
                continue
            elif word == b"u":
                flush()
                out.append(_character(int(number or 63)))
                to_skip = skipped_after_unicode
            elif word in (b"par", b"line", b"row"):
                pending += b"\n"
            elif word in (b"tab", b"cell"):
                pending += b"\t"
        elif symbol == b"*":
            silent = not rtf.startswith(b"\\htmltag", found.end())
        elif silent:
            continue
        elif hexed is not None:
            if to_skip:
                to_skip -= 1
            else:
                pending.append(int(hexed, 16))
        elif symbol is not None:
            pending += b"\xa0" if symbol == b"~" else symbol if symbol in b"\\{}" else b""
        elif plain is not None:
            pending += plain[to_skip:]
            to_skip = 0
    flush()
    return "".join(out)[: limits.TEXT_CHARACTERS], is_html


def _character(number: int) -> str:
    number &= 0xFFFF
    return "\ufffd" if 0xD800 <= number <= 0xDFFF else chr(number)
