"""Words about files and counts."""

import pytest

from isaacgym.assets.notices import counted


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (0, "actor", "0 actors"),
        (1, "actor", "1 actor"),
        (2, "actor", "2 actors"),
        (1, "body", "1 body"),
        (3, "body", "3 bodies"),
        (1, "CUDA device", "1 CUDA device"),
        (0, "DOF", "0 DOFs"),
    ],
)
def test_a_noun_is_plural_unless_there_is_one(number: int, noun: str, words: str) -> None:
    assert counted(number, noun) == words
