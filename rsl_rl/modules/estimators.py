"""Estimators by the name that a config gives: policy.estimator_class_name."""

from rsl_rl.modules.him_estimator import HIMEstimator
from rsl_rl.modules.regression_estimator import RegressionEstimator

ESTIMATORS: dict[str, type[HIMEstimator]] = {
    "HIMEstimator": HIMEstimator,
    "RegressionEstimator": RegressionEstimator,
}
