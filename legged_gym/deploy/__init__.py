"""Runs an exported policy on a robot (README.md is the contract) or, for sim2sim.py, on one in C MuJoCo."""
