"""The console block and the TensorBoard curves of a run."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from rsl_rl.runners.curve_file import TIME_SUFFIX, CurveFile
from rsl_rl.runners.episode_stats import COUNTS, EpisodeSummary
from rsl_rl.runners.summaries import CurveLayout, RunDescription, description_summaries, figure_summary
from rsl_rl.utils.console import tell

WIDTH = 80  # of the console block [characters]
LABEL_WIDTH = 40  # labels end here, or further on where one is longer; values follow


class IterationReport(NamedTuple):
    """All that is told about one iteration; times in seconds."""

    iteration: int
    end_iteration: int  # the iteration at which this call of `learn` ends
    num_steps: int  # env steps of this iteration, over all envs
    collection_time: float
    learning_time: float
    losses: dict[str, float]  # by field name of the algorithm's losses
    learning_rate: float
    noise_std: float
    episodes: EpisodeSummary
    tot_timesteps: int
    tot_time: float  # over all iterations, those before a resume too
    eta_s: float
    gpu_memory_gb: float | None  # in use on the device by all programs; None without CUDA
    skipped_steps: int  # gradient steps left out since the start, because something was not finite

    @property
    def fps(self) -> int:
        return int(self.num_steps / (self.collection_time + self.learning_time))


class TrainingLog:
    """Writes reports to the console and to TensorBoard. `loss_tags` renames losses whose curve is not called by their
    field name."""

    def __init__(self, log_dir: str, loss_tags: Mapping[str, str]) -> None:
        self.loss_tags = loss_tags
        self.curve_file = CurveFile(log_dir)
        self._writes_curves = True  # the last attempt succeeded

    def write(self, report: IterationReport) -> None:
        tell(console_block(report))
        self._try_to_write(lambda: self.curve_file.write(_points(report, self.loss_tags)))

    def describe(self, description: RunDescription, layout: CurveLayout, iteration: int) -> None:
        """Tell TensorBoard what is trained, and how to arrange the curves; `iteration`: the first one to come."""
        summaries = description_summaries(description, layout)
        if summaries:
            self._try_to_write(lambda: self.curve_file.append((iteration, summary) for summary in summaries))

    def write_figures(self, figures: Mapping[str, bytes], iteration: int) -> None:
        """Tag → PNG image, drawn after this iteration."""
        summaries = [figure_summary(tag, png) for tag, png in figures.items()]
        self._try_to_write(lambda: self.curve_file.append((iteration, summary) for summary in summaries))

    def _try_to_write(self, write: Callable[[], None]) -> None:
        """A disk that refuses costs curves, not the training."""
        try:
            write()
        except OSError as error:
            if self._writes_curves:
                tell(f"Cannot write TensorBoard curves, training goes on without them: {error}")
            self._writes_curves = False
        else:
            if not self._writes_curves:
                tell("TensorBoard curves are written again.")
            self._writes_curves = True


def _points(report: IterationReport, loss_tags: Mapping[str, str]) -> dict[str, tuple[float, int]]:
    """TensorBoard tag → (value, step); the curves over seconds come last, see `cut_curves`."""
    points = {tag: (value, report.iteration) for tag, value in curves(report, loss_tags).items()}
    for tag, value in _episode_curves(report.episodes).items():
        points[f"{tag}{TIME_SUFFIX}"] = (value, int(report.tot_time))
    return points


def curves(report: IterationReport, loss_tags: Mapping[str, str]) -> dict[str, float]:
    """TensorBoard tag → value, for the curves over iterations. An info of the env may be named by a whole tag."""
    infos = report.episodes.infos | report.episodes.step_infos
    scalars = {name if "/" in name else f"Episode/{name}": value for name, value in infos.items()}
    scalars |= {f"Loss/{loss_tags.get(name, name)}": value for name, value in report.losses.items()}
    scalars |= {
        "Loss/learning_rate": report.learning_rate,
        "Policy/mean_noise_std": report.noise_std,
        "Perf/total_fps": report.fps,
        "Perf/collection time": report.collection_time,
        "Perf/learning_time": report.learning_time,
        "Faults/skipped_steps": report.skipped_steps,
    }
    if report.episodes.falls_per_minute is not None:
        scalars["Train/falls_per_minute"] = report.episodes.falls_per_minute
    if report.gpu_memory_gb is not None:
        scalars["Perf/gpu_memory_gb"] = report.gpu_memory_gb
    return scalars | _episode_curves(report.episodes)


def _episode_curves(episodes: EpisodeSummary) -> dict[str, float]:
    """None before the first episode has ended."""
    means = {"Train/mean_reward": episodes.mean_reward, "Train/mean_episode_length": episodes.mean_length}
    return {tag: mean for tag, mean in means.items() if mean is not None}


def console_block(report: IterationReport) -> str:
    title = f"Learning iteration {report.iteration}/{report.end_iteration}".center(WIDTH).rstrip()
    rows, total_rows = list(_progress_rows(report)), list(_total_rows(report))
    width = max(LABEL_WIDTH, *(len(label) + 1 for label, _ in rows))
    lines, totals = ([f"{label + ':':>{width}} {value}" for label, value in part] for part in (rows, total_rows))
    return "\n".join(["#" * WIDTH, title, "", *lines, "-" * WIDTH, *totals, ""])


def _progress_rows(report: IterationReport) -> Iterator[tuple[str, str]]:
    yield (
        "Computation",
        f"{report.fps} steps/s (collection: {report.collection_time:.3f} s, learning: {report.learning_time:.3f} s)",
    )
    for name, value in report.losses.items():
        yield f"{name.replace('_', ' ').capitalize()} loss", f"{value:.4f}"
    if report.skipped_steps:
        yield "Gradient steps left out so far", f"{report.skipped_steps}"
    yield "Mean action noise std", f"{report.noise_std:.2f}"
    if report.episodes.mean_reward is not None:
        yield "Mean reward", f"{report.episodes.mean_reward:.2f}"
        yield "Mean episode length", f"{report.episodes.mean_length:.2f}"
    if report.episodes.falls_per_minute is not None:
        yield "Falls per robot and minute", f"{report.episodes.falls_per_minute:.2f}"
    faults = {name: value for name, value in report.episodes.step_infos.items() if name.startswith(COUNTS)}
    for name, value in (report.episodes.infos | faults).items():
        yield name if "/" in name else f"Mean episode {name}", f"{value:.4f}"


def _total_rows(report: IterationReport) -> Iterator[tuple[str, str]]:
    yield "Total timesteps", f"{report.tot_timesteps}"
    yield "Iteration time", f"{report.collection_time + report.learning_time:.2f} s"
    yield "Total time", duration(report.tot_time)
    yield "ETA", duration(report.eta_s)


def duration(seconds: float) -> str:
    """Two units at most: 59 s, 4 min 10 s, 1 h 23 min, 2 d 5 h."""
    whole = round(seconds)
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {smaller}"
    return f"{whole} s"
