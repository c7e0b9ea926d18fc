"""Pictures of fits: loss and score over epochs, or the descent regimes side by side over epochs and seconds."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from gdbench.train.training import FitHistory, Training
from gdbench.views.drawing import default_style

COLOURS = {"batch": "#0072B2", "minibatch": "#D55E00", "stochastic": "#009E73"}
"""Colours of the descents, from Okabe and Ito's set, which every kind of colour vision distinguishes."""
LOSS_LABELS: dict[str, str] = {
    "cross_entropy": "cross-entropy, mean over rows (nats)",
    "squared_error": "half squared error, mean over rows",
}
WIDTH_INCHES, HEIGHT_INCHES, DOTS_PER_INCH = 10.0, 4.4, 150
LOG_RATIO = 10
"""Losses or seconds whose largest is more than this many times their smallest are drawn on a logarithmic axis."""


@default_style()
def picture(training: Training, histories: Sequence[FitHistory]) -> bytes:
    """PNG of one fit or of several regimes."""
    return fit_picture(training, histories[0]) if len(histories) == 1 else comparison_picture(training, histories)


def fit_picture(training: Training, history: FitHistory) -> bytes:
    """PNG of one fit: loss over epochs, and accuracy or R² over epochs."""
    figure = _figure(f"{_settings(training)}, {_label(history)}", training)
    loss, score = figure.subplots(1, 2)
    _line(loss, history, "epoch", "loss")
    _loss_axis(loss, training, [history])
    _line(score, history, "epoch", "score")
    score.set_ylabel(f"{training.score_name} on the rows of the fit")
    if training.dataset.kind == "classification":
        score.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %"))
    for axes in (loss, score):
        _epoch_axis(axes)
    return _png(figure)


def comparison_picture(training: Training, histories: Sequence[FitHistory]) -> bytes:
    """PNG of several regimes: loss over epochs and the same loss over seconds, on one loss axis."""
    figure = _figure(_settings(training), training)
    epochs, seconds = figure.subplots(1, 2, sharey=True)
    for history in histories:
        _line(epochs, history, "epoch", "loss")
        _line(seconds, history, "seconds", "loss")
    _loss_axis(epochs, training, histories)
    _epoch_axis(epochs)
    _seconds_axis(seconds, histories)
    figure.legend(*epochs.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return _png(figure)


def _figure(subtitle: str, training: Training) -> Figure:
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
    title = f"{training.network} on {training.dataset.name}\n{subtitle}"
    figure.suptitle(title, fontsize="medium", parse_math=False)  # a file's name may have dollars
    return figure


def _settings(training: Training) -> str:
    return f"{training.variant}, {training.dataset.X.dtype}, learning rate {training.learning_rate:g}"


def _label(history: FitHistory) -> str:
    ended = f" (diverged in epoch {history.diverged.epoch})" if history.diverged else ""
    return f"{history.descent}, B = {history.batch_size:,}{ended}"


def _line(axes: Axes, history: FitHistory, x: str, y: str) -> None:
    """Draw one attribute of the points over another; a cross marks where a divergence ended the line."""
    xs, ys = ([getattr(point, name) for point in history.points] for name in (x, y))
    few = len(xs) <= 50
    colour = COLOURS[history.descent]
    axes.plot(xs, ys, color=colour, label=_label(history), marker="o" if few else None, markersize=3)
    if history.diverged and xs:
        axes.plot(xs[-1:], ys[-1:], color=colour, marker="X", markersize=9, clip_on=False)


def _loss_axis(axes: Axes, training: Training, histories: Sequence[FitHistory]) -> None:
    losses = [point.loss for history in histories for point in history.points]
    axes.set_ylabel(LOSS_LABELS[training.network.loss])
    if losses and 0 < LOG_RATIO * min(losses) < max(losses):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))  # 0.5, not 5 x 10^-1
        axes.yaxis.set_minor_formatter(NullFormatter())


def _epoch_axis(axes: Axes) -> None:
    axes.set_xlabel("epochs (passes over all rows)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _seconds_axis(axes: Axes, histories: Sequence[FitHistory]) -> None:
    """Linear from 0, or logarithmic when the regimes take times so different that one would hide the others."""
    axes.set_xlabel("training time (seconds)")
    ends = [history.points[-1].seconds for history in histories if history.epochs]
    if not ends or max(ends) <= LOG_RATIO * min(ends) or min(ends) == 0:
        axes.set_xlim(left=0)
        return
    axes.set_xscale("log", nonpositive="mask")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time, _: f"{time:g}"))
    axes.axhline(histories[0].points[0].loss, color="0.5", linestyle=":")
    axes.annotate("start", (1, histories[0].points[0].loss), xycoords=("axes fraction", "data"), ha="right", va="top")


def _png(figure: Figure) -> bytes:
    for axes in figure.axes:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
    return file.getvalue()
