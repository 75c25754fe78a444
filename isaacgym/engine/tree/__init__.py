"""The tree engine: MuJoCo's step in one kernel, for robots whose bodies form a tree. Derivation: tree.md."""
