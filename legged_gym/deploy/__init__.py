"""Runs an exported policy on a robot with numpy and onnxruntime only; README.md here is the contract."""
