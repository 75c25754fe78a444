"""The learner: PPO and HIMPPO, their networks, storage and runners. Knows no simulator, only `rsl_rl.env.VecEnv`."""
