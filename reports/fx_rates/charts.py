"""Curves as SVG, by matplotlib, for a page with light and dark colours: colours are the page's CSS variables."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from datetime import date

import matplotlib as mpl
from matplotlib import dates as mdates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports import french

mpl.use("svg")
Points = Sequence[tuple[date, float]]
#: Stand-ins that are replaced by variables of the style sheet: matplotlib knows fixed colours only.
_TEXT, _GRID, _SURFACE = "#fe0001", "#fe0002", "#fe0003"
_VARIABLES = {_TEXT: "--dim", _GRID: "--line", _SURFACE: "--card"} | {f"#fe00a{n}": f"--c{n}" for n in range(1, 7)}
_STYLE = {
    "svg.fonttype": "none",
    # Names inside the file follow from its content, so that the same data gives the same bytes.
    "svg.hashsalt": "fx_rates",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": _TEXT,
    "xtick.color": _TEXT,
    "ytick.color": _TEXT,
    "axes.labelcolor": _TEXT,
    "axes.edgecolor": _GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": _GRID,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.xmargin": 0.01,
}
_INCH = 96


def curve(points: Points, colour: int, units: int) -> str:
    """The whole history of a currency: XOF for so many units.

    Args:
        points: day and XOF for one unit.
        colour: number of the style sheet's colour.
        units: of the currency.
    """
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(360, 150)
        days, values = [day for day, _ in points], [value * units for _, value in points]
        axes.plot(days, values, color=_colour(colour), linewidth=1.5, solid_joinstyle="round")
        axes.plot(days[-1:], values[-1:], marker="o", markersize=4, color=_colour(colour))
        low, high = min(values), max(values)
        axes.set_ylim(low - (high - low) * 0.06, high + (high - low) * 0.08)
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: french.number(value, 0)))
        _years(axes)
        return _svg(figure, "Cours depuis 1999")


def volatility(points: Points, colour: int) -> str:
    """Annualised volatility month by month, in per cent."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(360, 92)
        months, values = [month for month, _ in points], [value * 100 for _, value in points]
        axes.fill_between(months, values, color=_colour(colour), alpha=0.25, linewidth=0)
        axes.plot(months, values, color=_colour(colour), linewidth=0.9)
        axes.set_ylim(0, max([*values, 10.0]) * 1.08)
        axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{french.number(value, 0)} %"))
        _years(axes)
        return _svg(figure, "Volatilité mensuelle annualisée depuis 1999")


def indexed(series: Mapping[str, Points], *, wide: bool) -> str:
    """The last year of several currencies, each 100 at its beginning.

    Args:
        series: for each code day and XOF for one unit, in the order of the style sheet's colours.
        wide: for a screen; otherwise for a telephone.
    """
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(*((1080, 330) if wide else (360, 300)))
        ends = []
        for number, (code, points) in enumerate(series.items(), 1):
            values = [value / points[0][1] * 100 for _, value in points]
            axes.plot([day for day, _ in points], values, color=_colour(number), linewidth=1.8, solid_joinstyle="round")
            ends.append((values[-1], code, number))
        axes.axhline(100, color=_TEXT, linewidth=0.8, dashes=(4, 3))
        low, high = axes.get_ylim()
        last = max(points[-1][0] for points in series.values())
        for place, (value, code, number) in zip(
            _apart([e[0] for e in sorted(ends)], (high - low) * 0.065), sorted(ends), strict=True
        ):
            axes.annotate(
                f"{code} {french.number(value, 1)}",
                (mdates.date2num(last), place),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                color=_colour(number),
                fontweight="bold",
                annotation_clip=False,
            )
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: french.number(value, 0)))
        axes.xaxis.set_major_locator(mdates.MonthLocator(interval=2 if wide else 4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: french.month(mdates.num2date(value).date())))
        figure.subplots_adjust(left=0.035 if wide else 0.09, right=0.93 if wide else 0.73, top=0.97, bottom=0.1)
        return _svg(figure, "Douze derniers mois, base 100")


def _apart(values: Sequence[float], distance: float) -> list[float]:
    """Places of labels, near their values (ascending) and not nearer to each other than a distance."""
    places = list(values)
    for _ in range(len(places) * 4):
        for i in range(1, len(places)):
            if (missing := distance - (places[i] - places[i - 1])) > 0:
                places[i - 1] -= missing / 2
                places[i] += missing / 2
    return places


def _figure(width: int, height: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width / _INCH, height / _INCH), dpi=72)
    axes = figure.add_subplot()
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    figure.subplots_adjust(left=0.115, right=0.985, top=0.96, bottom=22 / height)
    return figure, axes


def _years(axes: Axes) -> None:
    axes.xaxis.set_major_locator(mdates.YearLocator(5))
    axes.xaxis.set_major_formatter(mdates.DateFormatter("%Y"))


def _colour(number: int) -> str:
    return f"#fe00a{number}"


def _svg(figure: Figure, title: str) -> str:
    """The drawing as an element for a page; its title is read aloud and nothing of it tells when it was made."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    # Numbers of the drawing's own units, a tenth of a pixel apart, are as good as six decimals.
    text = re.sub(r"-?\d+\.\d{2,}", lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), text)
    text = re.sub(r"font: ([\d.]+px) '[^;\"]*", r"font-size: \1; font-family: inherit", text)
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"|height="[\d.]+pt"|width="[\d.]+pt"', "", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return text.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
