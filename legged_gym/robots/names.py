"""Names of bodies and joints as configs state them: a part of the name or, with ^ first, a regular expression."""

import re
from collections.abc import Iterable


def matches(pattern: str, name: str) -> bool:
    """Whether a name is one of those that a config means."""
    if not pattern.startswith("^"):
        return pattern in name
    try:
        return re.search(pattern, name) is not None
    except re.error as error:
        raise ValueError(f"'{pattern}', which starts with ^, is no regular expression: {error}") from None


def exactly(names: list[str]) -> str:
    """The pattern of these names and no others."""
    escaped = [re.escape(name) for name in names]
    return f"^{escaped[0]}$" if len(escaped) == 1 else f"^({'|'.join(escaped)})$"


def pattern_of(name: str, others: Iterable[str]) -> str:
    """The name itself, or a regular expression if another one contains it."""
    return exactly([name]) if any(name in other for other in others if other != name) else name


def foot_pattern(feet: list[str], others: Iterable[str]) -> str:
    """What fits the feet and no other body: a part of their names, or all of these, such as Link4 and Link8."""
    try:
        return common_part(feet, others)
    except ValueError:
        return exactly(feet)


def joint_parts(names: list[str]) -> list[str]:
    """A part of all names, else all names: files may number their joints."""
    try:
        return [common_part(names, [])]
    except ValueError:
        return names


def common_part(names: Iterable[str], others: Iterable[str]) -> str:
    """The longest text that all names contain and no other one does; a ValueError if there is none.

    One that begins and ends with words is taken before any other.
    """
    names, others = list(names), list(others)
    first = min(names, key=len)
    parts = {first[i:j] for i in range(len(first)) for j in range(i + 1, len(first) + 1)}
    fitting = [p for p in parts if all(p in name for name in names) and not any(p in name for name in others)]
    if not fitting:
        raise ValueError(f"the names {', '.join(names)} share nothing that others have not; rename them in the file")

    def is_word(part: str) -> bool:
        word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(part)}(?![A-Za-z0-9])")
        return part[0].isalnum() and part[-1].isalnum() and all(word.search(name) for name in names)

    return max(fitting, key=lambda part: (is_word(part), len(part), part))
