"""Robot-independent environment: simulation, observations, rewards, commands, curricula."""
