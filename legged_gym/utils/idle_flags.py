"""Flags that would do nothing beside the others: refused where something else was meant, else told in a line."""

import argparse

VIEWER_HOST, VIEWER_PORT = "127.0.0.1", 0  # of the page, unless asked otherwise; 0: the first free one


def given(args: argparse.Namespace, *names: str) -> list[str]:
    """Those of some flags that the command line gives, as typed; of a run or a checkpoint, -1 is the default."""
    return [f"--{name}" for name in names if str(getattr(args, name)) not in ("None", "-1")]


def check_resume(args: argparse.Namespace, resumes: bool) -> None:
    """Refuse to begin anew where a run to go on from is named. resumes: by --resume or the config."""
    idle = given(args, "load_run", "checkpoint")
    if idle and not resumes:
        raise ValueError(f"{' and '.join(idle)}: to go on from there add --resume; to begin anew leave this out")


def check_choice(args: argparse.Namespace, chosen: str) -> None:
    """Refuse a run beside what makes it idle. chosen: flag that says which policy acts."""
    idle = given(args, "load_run", "checkpoint")
    if idle:
        raise ValueError(f"{' and '.join(idle)} would do nothing beside {chosen}; leave one of them out")


def tell_idle(args: argparse.Namespace) -> None:
    """Say which flags of trainings do nothing in a script that trains nothing."""
    idle = given(args, "run_name", "max_iterations")
    if idle:
        print(f"{' and '.join(idle)}: for trainings only, without effect here.")


def tell_idle_page(args: argparse.Namespace) -> None:
    """Say that there is no page for which host or port were given."""
    if args.headless and (args.viewer_host, args.viewer_port) != (VIEWER_HOST, VIEWER_PORT):
        print("--viewer_host and --viewer_port: without effect, for there is no page (--headless or --viewer none).")
