"""Configs as nested classes: readable, inheritable, and private to the run once instantiated."""

import copy
import inspect
from typing import Any


class BaseConfig:
    """Root of all configs.

    Instantiating it instantiates every nested class as well and copies every list and dict, so that a run may edit
    its own config without touching the class, the registry or another run.
    """

    def __init__(self) -> None:
        _own_members(self)


def _own_members(config: Any) -> None:
    """Replace inherited class attributes of `config` with copies that belong to this instance, at every depth."""
    for name in dir(config):
        if name.startswith("_"):
            continue
        value = getattr(config, name)
        if inspect.isclass(value):
            member = value()
            _own_members(member)
            setattr(config, name, member)
        elif not callable(value):
            setattr(config, name, copy.deepcopy(value))
