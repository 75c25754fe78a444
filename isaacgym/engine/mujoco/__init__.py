"""What is ours in a step of MuJoCo Warp: its solver, its contacts of a robot with itself, its matrices."""
