"""Reads XML files of unknown origin: no document types, so no entity is ever expanded."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NoReturn


class _NoDoctype(ET.TreeBuilder):
    """A tree builder that stops at a document type, before any entity could be expanded."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise ValueError("it has a DOCTYPE, and XML entities are not accepted; delete the <!DOCTYPE ...> part")


def read_xml(path: Path) -> ET.Element:
    """The root element; ValueError with one sentence about the file if it is not acceptable XML."""
    try:
        return ET.fromstring(path.read_bytes(), parser=ET.XMLParser(target=_NoDoctype()))
    except ET.ParseError as error:
        raise ValueError(
            f"{path}: not well-formed XML ({error}); if it is a xacro file, expand it with the xacro tool first"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
