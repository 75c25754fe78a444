"""Estimators by the name that a config gives: policy.estimator_class_name."""

from rsl_rl.modules.him_estimator import HIMEstimator

ESTIMATORS: dict[str, type[HIMEstimator]] = {
    "HIMEstimator": HIMEstimator,
}
