"""Unitree A1."""
