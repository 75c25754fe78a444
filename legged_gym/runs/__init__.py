"""What a run keeps and tells: its record, curves, faults, and the state from which it goes on."""
