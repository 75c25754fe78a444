"""Unitree Go1."""
