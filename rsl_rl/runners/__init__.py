"""Training loops."""

from rsl_rl.runners.him_on_policy_runner import HIMOnPolicyRunner
from rsl_rl.runners.on_policy_runner import OnPolicyRunner
from rsl_rl.utils.config import find_class

RUNNERS: dict[str, type[OnPolicyRunner]] = {"HIMOnPolicyRunner": HIMOnPolicyRunner, "OnPolicyRunner": OnPolicyRunner}


def get_runner_class(name: str) -> type[OnPolicyRunner]:
    """The runner of this name; an unknown name is a ValueError that lists the known ones."""
    return find_class(RUNNERS, name, "runner class")


__all__ = ["RUNNERS", "HIMOnPolicyRunner", "OnPolicyRunner", "get_runner_class"]
