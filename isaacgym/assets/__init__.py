"""Robot files → `RobotDescription`, the simulator-independent form that the engine builds its model from."""
