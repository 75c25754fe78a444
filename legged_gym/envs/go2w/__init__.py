"""Unitree Go2-W, Go2 on wheels."""
