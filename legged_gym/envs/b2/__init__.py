"""Unitree B2."""
