import inspect
import subprocess
import sys

import pytest

from isaacgym import coverage, gymapi
from isaacgym.coverage import Status

ROWS = coverage.coverage()


def test_every_symbol_is_counted_once():
    keys = [f"{row.module}.{row.name}" for row in ROWS]
    assert len(keys) == len(set(keys))
    methods = [row for row in ROWS if row.module == "gym"]
    assert [sum(row.uses == n for row in methods) for n in (14, 13, 4, 2, 1)] == [36, 5, 4, 32, 22]


def test_himloco_uses_47_methods_and_14_names_of_gymapi():
    him = [row for row in ROWS if "HIM" in row.sets]
    assert [sum(row.module == module for row in him) for module in ("gym", "gymapi")] == [47, 14]


@pytest.mark.parametrize("repository", ["HIM", "LG", "URG", "HG", "WTW"])
def test_nothing_is_missing_for(repository):
    assert [row.name for row in ROWS if repository in row.sets and row.status is Status.MISSING] == []


def test_repository_sets_hold_known_symbols_only():
    keys = {f"{row.module}.{row.name}" for row in ROWS}
    assert all(symbols <= keys for symbols in coverage.repository_sets().values())


def test_reasons_are_about_known_symbols_and_exist_where_something_lacks():
    keys = {f"{row.module}.{row.name}" for row in ROWS}
    assert set(coverage.LIMITS) <= keys
    assert all(row.reason for row in ROWS if row.status is not Status.WORKS)


def test_a_symbol_can_be_explained():
    text = coverage.explain("create_actor")
    assert text.startswith("gym.create_actor: partly (several in an env run on")
    assert "create_actor(self, env" in text and "Shapes whose filters share a bit do not collide" in text
    assert coverage.explain("gymapi.STATE_POS") == "gymapi.STATE_POS: works\nSTATE_POS = 1, of StateFlags"
    assert coverage.explain("Mat33").startswith("gymapi.Mat33: works\nA 3x3 matrix")  # that no survey met
    assert coverage.explain("load_opensim").startswith("load_opensim: missing (only URDF and MJCF")
    assert coverage.explain("fly").startswith("fly: no surveyed code uses it")


def test_every_method_is_listed_and_says_what_a_script_can_rely_on():
    methods = {name for name in dir(gymapi.Gym) if not name.startswith("_")}
    assert methods <= {row.name for row in ROWS if row.module == "gym"}
    assert [name for name in methods if not inspect.getdoc(getattr(gymapi.Gym, name))] == []


def test_a_symbol_that_the_code_lacks_is_missing(monkeypatch):
    monkeypatch.delattr("isaacgym.gym_lookups.LookupCalls.get_actor_name")
    row = next(row for row in coverage.coverage() if row.name == "get_actor_name")
    assert (row.status, row.reason) == (Status.MISSING, coverage.NOT_WRITTEN)


def test_the_command_prints_a_line_per_symbol_and_succeeds():
    run = subprocess.run([sys.executable, "-m", "isaacgym.coverage"], capture_output=True, text=True, check=True)
    assert all(f"{row.module}.{row.name} " in run.stdout for row in ROWS)
    assert "0 missing" in run.stdout
