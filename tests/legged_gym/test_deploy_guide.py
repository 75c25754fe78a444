"""The deployment guide in both languages: the same sections, commands and numbers, and what the programs really say."""

import re
import shlex
from pathlib import Path

import pytest

from legged_gym import deploy
from legged_gym.deploy import go2, safety, simulated_go2, state_machine
from legged_gym.deploy.export_rl_sar import get_args as rl_sar_args
from legged_gym.deploy.simulated_faults import FAULT_KEYS

FOLDER = Path(deploy.__file__).parent
ENGLISH, CHINESE = ((FOLDER / name).read_text() for name in ("README.md", "README.zh.md"))
PARSERS = {"go2": go2.get_args, "simulated_go2": simulated_go2.get_args, "export_rl_sar": rl_sar_args}


def commands(text: str) -> list[str]:
    """Lines of the code blocks, without their comments."""
    blocks = re.findall(r"```bash\n(.*?)```", text, re.S)
    return [line.partition("  #")[0].rstrip() for block in blocks for line in block.splitlines()]


def test_both_languages_have_the_same_sections_commands_tables_and_flags() -> None:
    for pattern in (r"^(#+) (\d*)", r"^\|", r"^\d\. ", r"^\* "):
        english, chinese = (re.findall(pattern, text, re.M) for text in (ENGLISH, CHINESE))
        assert english == chinese, pattern
    assert commands(ENGLISH) == commands(CHINESE)
    english, chinese = (
        re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S)) for text in (ENGLISH, CHINESE)
    )
    assert sorted(english) == sorted(chinese)


def test_every_command_of_the_guide_is_one() -> None:
    lines = [line for line in commands(ENGLISH) if "legged_gym.deploy." in line]
    lines += re.findall(r"`(python -m legged_gym[^`]+)`", ENGLISH)
    assert len(lines) >= 5
    for line in lines:
        module, *arguments = shlex.split(line)[2:]
        PARSERS[module.rpartition(".")[2]](arguments)
    for flag in ("--state_crc ignore --motion_service ignore", "--no_remote", "--time_scale 0.5"):
        assert flag in ENGLISH
        go2.get_args(["--network", "lo", *flag.split()])
    simulated_go2.get_args(["--terrain", "stairs", "--step_height", "0.12", "--viewer", "--video", "out.mp4"])


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_the_guides_numbers_and_messages_are_the_programs(text: str) -> None:
    sources = "".join(
        (FOLDER / f"{name}.py").read_text() for name in ("safety", "state_machine", "go2", "operator_input")
    )
    table = text[text.index("\n## 7.") : text.index("\n## 8.")]
    for row in re.findall(r"^\| ([a-zI…][^|]*) \|", table, re.M):
        for part in re.split(r"\s*…\s*|, …", row):
            words = part.strip(" ,")
            assert words in sources or words.split(",")[0] in ("SIGINT", "the policy failed"), row
    assert f"{safety.MAX_TILT:g}°" in table and f"{safety.MAX_TEMPERATURE} °C" in table
    assert f"{safety.MAX_STATE_AGE_S * 1e3:g} ms" in table and f"{safety.MAX_POLICY_S * 1e3:g} ms" in table
    assert f"{safety.LIMIT_SPEED:g} rad/s" in table and f"{safety.LIMIT_MARGIN:g} rad" in table
    assert f"{safety.SPEED_MARGIN:g} " in table or f"{safety.SPEED_MARGIN:g} ×" in table
    assert f"{state_machine.BLEND_S:g} s" in text and f"kd {state_machine.DAMP_KD:g}" in text
    assert all(f"`{key}`" in text for key in FAULT_KEYS)
