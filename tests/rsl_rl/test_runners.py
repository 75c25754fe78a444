"""The runner: config, statistics, console and curves."""

from collections import deque

import numpy as np
import point_mass
import pytest
import torch
from point_mass import DT, PointMassEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rsl_rl.runners import HIMOnPolicyRunner, OnPolicyRunner, get_runner_class
from rsl_rl.runners.episode_stats import EpisodeStats, EpisodeSummary
from rsl_rl.runners.training_log import IterationReport, console_block

HIM_TAGS = {
    "Loss/value_function",
    "Loss/surrogate",
    "Loss/Estimation Loss",
    "Loss/Swap Loss",
    "Loss/learning_rate",
    "Policy/mean_noise_std",
    "Perf/total_fps",
    "Perf/collection time",
    "Perf/learning_time",
    "Faults/skipped_steps",
    "Train/mean_reward",
    "Train/mean_episode_length",
    "Train/falls_per_minute",
    "Train/mean_reward/time",
    "Train/mean_episode_length/time",
    "Episode/failed",
}


def test_unknown_runner_class_names_the_known_ones():
    assert get_runner_class("OnPolicyRunner") is OnPolicyRunner
    with pytest.raises(ValueError, match="unknown runner class 'Runner'; known: HIMOnPolicyRunner, OnPolicyRunner"):
        get_runner_class("Runner")


def test_unknown_policy_class_names_the_known_ones(make_env, him_cfg):
    him_cfg["runner"]["policy_class_name"] = "HIMActor"
    with pytest.raises(ValueError, match="unknown policy class 'HIMActor'; known: HIMActorCritic"):
        HIMOnPolicyRunner(make_env(), him_cfg)


@pytest.mark.parametrize(("section", "kind"), [("policy", "policy"), ("algorithm", "algorithm")])
def test_unknown_config_key_is_named(make_env, him_cfg, section, kind):
    him_cfg[section]["tempertaure"] = 1
    with pytest.raises(ValueError, match=rf"unknown {kind} config key\(s\) tempertaure for HIM.*; known: "):
        HIMOnPolicyRunner(make_env(), him_cfg)


def test_him_needs_privileged_observations(make_env, him_cfg):
    env = make_env()
    env.num_privileged_obs = None
    with pytest.raises(ValueError, match="num_privileged_obs"):
        HIMOnPolicyRunner(env, him_cfg)


def test_plain_critic_sees_the_actors_observation_where_there_is_no_other(make_env, plain_cfg):
    env = make_env()
    env.num_privileged_obs = None
    env.get_privileged_observations = lambda: None
    step = env.step

    def blind_step(actions):
        obs, _, *rest, _ = step(actions)
        return obs, None, *rest, None

    env.step = blind_step
    runner = OnPolicyRunner(env, plain_cfg)
    runner.learn(1)
    assert runner.alg.actor_critic.critic[0].in_features == env.num_obs


def test_episode_statistics_equal_a_window_of_finished_episodes():
    generator = np.random.default_rng(0)
    num_envs, num_steps = 7, 20
    stats = EpisodeStats(num_envs, num_steps, "cpu")
    returns, lengths = deque(maxlen=100), deque(maxlen=100)
    running_returns, running_lengths = np.zeros(num_envs), np.zeros(num_envs)
    for _ in range(6):
        stats.begin_rollout()
        for _ in range(num_steps):
            rewards, dones = generator.normal(size=num_envs), generator.random(num_envs) < 0.3
            stats.add_step(torch.tensor(rewards, dtype=torch.float), torch.tensor(dones), {})
            running_returns += rewards
            running_lengths += 1
            returns.extend(running_returns[dones])
            lengths.extend(running_lengths[dones])
            running_returns[dones] = running_lengths[dones] = 0
        summary = stats.summarize()
        assert summary.mean_reward == pytest.approx(np.mean(returns), abs=1e-5)
        assert summary.mean_length == pytest.approx(np.mean(lengths))


def test_episode_infos_are_averaged_over_the_steps_that_have_them():
    stats = EpisodeStats(1, 3, "cpu")
    stats.begin_rollout()
    zero = torch.zeros(1)
    stats.add_step(zero, zero, {"episode": {"a": torch.tensor(2.0), "b": 7.0}})
    stats.add_step(zero, zero, {})
    stats.add_step(zero, zero, {"episode": {"a": torch.tensor(4.0)}})
    assert stats.summarize().infos == {"a": 3.0, "b": 7.0}
    assert stats.summarize().mean_reward is None  # no episode has ended


def test_faults_are_added_up_over_the_steps_of_their_iteration():
    stats = EpisodeStats(1, 3, "cpu")
    zero = torch.zeros(1)
    for counts in ((2.0, 0.0, 3.0), (0.0, 0.0, 0.0)):
        stats.begin_rollout()
        for count in counts:
            stats.add_step(zero, zero, {"log": {"Faults/overflows": torch.tensor(count)}})
        assert stats.summarize().step_infos == {"Faults/overflows": sum(counts)}


def test_falls_are_ends_other_than_by_time():
    """Three robots for two seconds, of which the second falls once, the third twice and the first never."""
    stats = EpisodeStats(3, 4, "cpu", step_s=0.5)
    schedule = [([0, 1, 1], [0, 0, 0]), ([1, 0, 0], [1, 0, 0]), ([0, 0, 1], [0, 0, 0]), ([1, 1, 0], [1, 1, 0])]
    for _ in range(2):  # every iteration counts from zero
        stats.begin_rollout()
        for dones, time_outs in schedule:
            stats.add_step(torch.zeros(3), torch.tensor(dones), {"time_outs": torch.tensor(time_outs)})
        assert stats.summarize().falls_per_minute == pytest.approx(3 / (6 / 60))


def test_falls_are_not_told_where_they_are_not_known():
    zero = torch.zeros(1)
    for step_s, extras in ((None, {"time_outs": zero}), (0.5, {})):
        stats = EpisodeStats(1, 1, "cpu", step_s)
        stats.begin_rollout()
        stats.add_step(zero, zero, extras)
        assert stats.summarize().falls_per_minute is None


class CountingEnv(PointMassEnv):
    """Counts the points that it resets for being too fast, from their velocities."""

    too_fast = 0

    def _reset_envs(self, ids):
        self.too_fast += (self.velocity[ids].abs().amax(dim=1) > point_mass.MAX_SPEED).sum().item()
        super()._reset_envs(ids)


def test_the_curve_of_falls_is_what_the_env_counts(plain_cfg, tmp_path, monkeypatch):
    monkeypatch.setattr(point_mass, "MAX_SPEED", 2.0)
    env, counts = CountingEnv(32), [0]
    runner = OnPolicyRunner(env, plain_cfg, tmp_path)
    for _ in range(3):
        runner.learn(1)
        counts.append(env.too_fast)
    minutes = 32 * 24 * DT / 60
    expected = [(after - before) / minutes for before, after in zip(counts, counts[1:], strict=False)]
    curve = EventAccumulator(str(tmp_path)).Reload().Scalars("Train/falls_per_minute")
    assert min(expected) > 0
    assert [event.value for event in curve] == pytest.approx(expected)


def test_what_an_env_logs_of_steps_becomes_curves_and_no_console_lines(make_env, plain_cfg, tmp_path, capsys):
    env = make_env(8)
    step, values = env.step, iter([1.0, 2.0, 6.0, float("nan")])

    def logging_step(actions):
        result = step(actions)
        result.extras["log"] = {"Reward/all/speed": torch.tensor(next(values))}
        return result

    env.step = logging_step
    plain_cfg["runner"]["num_steps_per_env"] = 4
    OnPolicyRunner(env, plain_cfg, tmp_path).learn(1)
    (event,) = EventAccumulator(str(tmp_path)).Reload().Scalars("Reward/all/speed")
    assert event.value == 3.0
    assert "speed" not in capsys.readouterr().out


def test_curves_bear_the_published_tags_and_the_console_tells_the_same(make_env, him_cfg, tmp_path, capsys):
    him_cfg["runner"]["num_steps_per_env"] = 30  # longer than an episode
    runner = HIMOnPolicyRunner(make_env(8), him_cfg, tmp_path)
    runner.learn(2)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert set(events.Tags()["scalars"]) == HIM_TAGS
    lengths = events.Scalars("Train/mean_episode_length")
    assert [event.step for event in lengths] == [0, 1]
    assert lengths[0].value <= 25

    console = capsys.readouterr().out
    assert "Learning iteration 1/2" in console
    for label in ("Estimation loss:", "Swap loss:", "Mean reward:", "Mean episode failed:", "ETA:"):
        assert label in console
    assert f"Total timesteps: {2 * 30 * 8}" in console


@pytest.mark.parametrize("name", ["failed", "terrain_level_smooth_slope_forwards"])
def test_labels_end_in_one_column_however_long_they_are(name):
    episodes = EpisodeSummary(1.0, 25.0, 0.0, {name: 0.5}, {})
    report = IterationReport(0, 1, 8, 1.0, 1.0, {"swap": 0.1}, 1e-3, 1.0, episodes, 8, 2.0, 2.0, None, 0)
    lines = [line for line in console_block(report).splitlines() if ": " in line]
    assert f"Mean episode {name}: 0.5000" in lines[6].strip()
    assert len({line.index(": ") for line in lines}) == 1


def test_without_a_log_dir_nothing_is_told_or_saved(make_env, him_cfg, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    HIMOnPolicyRunner(make_env(8), him_cfg).learn(1)
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.iterdir())


def test_failing_curves_do_not_end_the_training(make_env, plain_cfg, tmp_path, capsys, monkeypatch):
    runner = OnPolicyRunner(make_env(8), plain_cfg, tmp_path)
    runner.learn(1)

    def no_space(*args):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(runner.training_log.curve_file, "write", no_space)
        runner.learn(2)
    runner.learn(1)
    assert runner.current_learning_iteration == 4
    console = capsys.readouterr().out
    assert console.count("Cannot write TensorBoard curves") == console.count("curves are written again") == 1


def test_an_env_is_reset_in_the_mode_of_its_steps(make_env, him_cfg, monkeypatch):
    """In another one, torch.compile traces and compiles every part of a robot's step once more."""
    modes = []
    for name in ("reset", "step"):
        original = getattr(make_env, name)

        def noted(*args, original=original):
            modes.append(torch.is_inference_mode_enabled())
            return original(*args)

        monkeypatch.setattr(make_env, name, noted)
    HIMOnPolicyRunner(make_env(16), him_cfg).learn(1)
    assert len(modes) > 1 and set(modes) == {True}


def test_random_initial_ages_are_written_into_the_envs_own_buffer(make_env, him_cfg):
    env = make_env(64)
    ages = env.episode_length_buf
    runner = HIMOnPolicyRunner(env, him_cfg)
    runner.learn(0, init_at_random_ep_len=True)
    assert env.episode_length_buf is ages
    assert 0 <= ages.min() < ages.max() < env.max_episode_length
