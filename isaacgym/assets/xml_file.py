"""Reads XML files as people have them, who try them with lenient parsers: those of ROS and MuJoCo.

In any encoding, with blank lines or comments before the declaration, a document type, a default namespace, "--" in
comments, a bare "&". Entities are refused, so none is ever expanded.
"""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

DECLARATION = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)[\"']")
ROOT = re.compile(r"<!--.*?-->|<\?.*?\?>|<!DOCTYPE.*?>|<([A-Za-z_][\w.:-]*)", re.DOTALL)  # or what is before it
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
XML_DECLARATION = re.compile(r"<\?xml\s.*?\?>", re.DOTALL)
DEFAULT_NAMESPACE = re.compile(r"\sxmlns\s*=\s*(\"[^\"]*\"|'[^']*')")
BARE_AMPERSAND = re.compile(r"&(?!#?\w+;)")
PADDING = " \t\r\n\0\x1a"  # after the text, as old programs leave it
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def read_xml(path: Path) -> ET.Element:
    """The root element; ValueError with one sentence about the file if it is not acceptable XML."""
    text = _tidied(decoded(path.read_bytes()))
    if "<!ENTITY" in text:
        raise ValueError(f"{path}: its DOCTYPE defines XML entities, which are not accepted; write their text instead")
    try:
        return ET.fromstring(_with_prefixes(text))
    except ET.ParseError as error:
        is_xacro = "${" in text or "<xacro:" in text
        way_out = "expand it with the xacro tool first" if is_xacro else "correct it there"
        raise ValueError(f"{path}: not well-formed XML ({error}); {way_out}") from None


def root_tag(path: Path) -> str:
    """Name of the root element, "" if there is none; of a file that may be no XML at all."""
    text = _tidied(decoded(path.read_bytes()))
    return next((match[1] for match in ROOT.finditer(text) if match[1]), "")


def _tidied(text: str) -> str:
    """The document without what only strict parsers mind. Lines keep their numbers."""
    for hidden in (COMMENT, XML_DECLARATION):
        text = hidden.sub(lambda match: "\n" * match[0].count("\n"), text)
    return BARE_AMPERSAND.sub("&amp;", DEFAULT_NAMESPACE.sub("", text)).rstrip(PADDING)


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
            text = content.decode(encoding)
        except (UnicodeDecodeError, LookupError):  # LookupError: no such encoding
            continue
        if "<" in text:  # nor UTF-8 that is declared to be UTF-16, as .NET writes it
            return text
    return content.decode("utf-8", errors="replace")
