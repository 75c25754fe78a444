"""Unitree Aliengo."""
