"""Reads XML files as people have them: any encoding, blank lines before the declaration, a document type.

Entities are refused, so none is ever expanded.
"""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

DECLARATION = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)[\"']")
ROOT = re.compile(r"<!--.*?-->|<\?.*?\?>|<!DOCTYPE.*?>|<([A-Za-z_][\w.:-]*)", re.DOTALL)  # or what is before it
PADDING = " \t\r\n\0\x1a"  # around the text, as old programs leave it
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def read_xml(path: Path) -> ET.Element:
    """The root element; ValueError with one sentence about the file if it is not acceptable XML."""
    text = decoded(path.read_bytes()).strip(PADDING)
    if "<!ENTITY" in text:
        raise ValueError(f"{path}: its DOCTYPE defines XML entities, which are not accepted; write their text instead")
    try:
        return ET.fromstring(_with_prefixes(text))
    except ET.ParseError as error:
        raise ValueError(
            f"{path}: not well-formed XML ({error}); if it is a xacro file, expand it with the xacro tool first"
        ) from None


def _with_prefixes(text: str) -> str:
    """The document with its prefixes declared: files have <drake:...> and the like without any xmlns."""
    used = set(re.findall(r"</?([A-Za-z_][\w.-]*):", text)) | set(re.findall(r"\s([A-Za-z_][\w.-]*):[\w.-]+\s*=", text))
    unknown = sorted(prefix for prefix in used - {"xml", "xmlns"} if f"xmlns:{prefix}" not in text)
    root = next((match for match in ROOT.finditer(text) if match[1]), None)
    if not unknown or root is None:
        return text
    declared = "".join(f' xmlns:{prefix}="{prefix}"' for prefix in unknown)
    return text[: root.end()] + declared + text[root.end() :]


def decoded(content: bytes) -> str:
    """The text of an XML file: by its byte order mark, else as it declares, else UTF-8, else Chinese (GB 18030).

    The last one decodes nearly anything; what it mistakes are names and comments, since markup is ASCII.
    """
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return content.removeprefix(mark).decode(encoding, errors="replace")
    declared = DECLARATION.match(content)
    for encoding in (*([declared[1].decode()] if declared else []), "utf-8", "gb18030"):
        try:
            return content.decode(encoding)
        except (UnicodeDecodeError, LookupError):  # LookupError: no such encoding
            continue
    return content.decode("utf-8", errors="replace")
