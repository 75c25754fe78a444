"""Contacts with several terrains at once, or with none: the contact list holds those of all of them."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import warp as wp

from isaacgym.engine.contacts.contact_list import ContactList
from isaacgym.engine.contacts.terrain_contact import TerrainContacts
from isaacgym.engine.terrain import Grounds, Terrain, parts_of

COUNTS = 3  # numbers of candidates that a `TerrainContacts` keeps


class SeveralContacts:
    """`TerrainContacts` of each terrain behind the same interface."""

    def __init__(self, parts: Sequence[TerrainContacts]) -> None:
        self._parts = parts
        self.candidates_count = wp.zeros(COUNTS * len(parts), dtype=int)
        for k, part in enumerate(parts):
            part.share_count(self.candidates_count[COUNTS * k : COUNTS * (k + 1)])

    def of_worlds(self, worlds: slice) -> SeveralContacts:
        """The same for a range of worlds."""
        return SeveralContacts([part.of_worlds(worlds) for part in self._parts])

    def detect(self, xpos: wp.array, xquat: wp.array, contacts: ContactList) -> None:
        """Append the contacts with all terrains."""
        for part in self._parts:
            part.detect(xpos, xquat, contacts)

    def launches(self, xpos: wp.array, xquat: wp.array, contacts: ContactList) -> list[wp.Launch]:
        """The kernels of `detect`; `candidates_count` is to be zero before."""
        return [launch for part in self._parts for launch in part.launches(xpos, xquat, contacts)]


def ground_contacts(
    model: mujoco.MjModel, ground: Terrain | Grounds, *args, **kwargs
) -> TerrainContacts | SeveralContacts:
    """Contacts of a model's shapes with one terrain, several or none; other arguments as for `TerrainContacts`."""
    parts = [TerrainContacts(model, terrain, *args, **kwargs) for terrain in parts_of(ground)]
    return parts[0] if len(parts) == 1 else SeveralContacts(parts)
