"""The figures as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.summary import REFERENCES, ratios

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.summary import Row

_OURS, _OTHERS, _INK, _PALE = "#1f6f8b", "#b8c4cc", "#22313a", "#5f6f78"
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "byom", "font.family": "sans-serif", "font.size": 10}
_BAR_INCHES, _PANEL_INCHES, _WIDTH_INCHES = 0.3, 0.55, 8.5


def draw(rows: Sequence[Row], path: Path, subtitle: str) -> None:
    """One panel a workload, one bar a contender: its seconds per epoch and trial over the reference's.

    Args:
        rows: what was measured.
        path: of the SVG file.
        subtitle: what it was measured on.

    Raises:
        ImportError: there is no matplotlib.
    """
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    reference = next(name for name in (*REFERENCES, rows[0].contender) if any(row.contender == name for row in rows))
    panels = [[row for row in rows if row.trials == trials] for trials in sorted({row.trials for row in rows})]
    heights = [_PANEL_INCHES + _BAR_INCHES * len(panel) for panel in panels]
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(
            len(panels),
            1,
            figsize=(_WIDTH_INCHES, sum(heights) + 0.9),
            sharex=True,
            squeeze=False,
            gridspec_kw={"height_ratios": heights},
            layout="constrained",
        )
        figure.patch.set_facecolor("white")
        figure.suptitle(
            f"MNIST perceptron: seconds per epoch and trial, and their ratio to {reference}", fontsize=11, color=_INK
        )
        for axis, panel in zip(axes[:, 0], panels, strict=True):
            _panel(axis, panel, rows, reference)
        axes[-1, 0].set_xlabel(f"ratio to {reference} (less is faster)\n{subtitle}", color=_PALE, fontsize=9)
        figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None})
        plt.close(figure)


def _panel(axis: Any, panel: Sequence[Row], rows: Sequence[Row], reference: str) -> None:
    values = [ratios(row, rows).get(reference, float("nan")) for row in panel]
    colours = [_OURS if row.contender in ("mxnet", "xla") else _OTHERS for row in panel]
    bars = axis.barh([_label(row) for row in panel], values, color=colours, height=0.72)
    axis.bar_label(
        bars,
        [f"{row.epoch:.3g} s   x {value:.2g}" for row, value in zip(panel, values, strict=True)],
        padding=4,
        fontsize=9,
        color=_INK,
    )
    axis.invert_yaxis()
    trials = panel[0].trials
    axis.set_title("one trial" if trials == 1 else f"{trials} trials", loc="left", fontsize=10, color=_INK)
    axis.axvline(1, color=_PALE, linewidth=0.8, linestyle=":")
    axis.margins(x=0.22)
    axis.tick_params(length=0, colors=_INK)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.spines["left"].set_color(_PALE)


def _label(row: Row) -> str:
    return row.contender if row.together else f"{row.contender}, one by one"
