"""Runs an exported policy on a robot (README.md, CONTRACT.md) or, for sim2sim.py, on one in C MuJoCo."""
