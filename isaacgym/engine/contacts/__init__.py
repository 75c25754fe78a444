"""Contacts of robots with the terrain: where they are, and the forces that they carry."""
