"""See `torch_jit_utils`."""
