"""What a matplotlib figure shows, as data: one chart an axes, in the shapes that clients of the code interpreter know."""

import math
import re

import matplotlib.dates
from matplotlib.category import StrCategoryConverter
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer
from matplotlib.dates import DateConverter, ConciseDateConverter, _SwitchableDateConverter
from matplotlib.patches import PathPatch, Wedge
from matplotlib.ticker import FixedFormatter, FuncFormatter

# A unit is what an axis' label has in brackets.
UNIT = re.compile(r"\s\((.*?)\)|\[(.*?)\]")
DATES = (DateConverter, ConciseDateConverter, _SwitchableDateConverter)


def figure_chart(figure):
    """The chart of a figure, a `superchart` of several axes; None when nothing is drawn."""
    charts = [_axes_chart(axes) for axes in figure.axes if axes.has_data()]
    if len(charts) < 2:
        return charts[0] if charts else None
    title = getattr(figure, "_suptitle", None)
    return {"type": "superchart", "title": title.get_text() if title else None, "elements": charts}


def _axes_chart(axes):
    lines = [line for line in axes.lines if not _is_rule(line)]
    if any(isinstance(patch, Wedge) for patch in axes.patches):
        return _pie(axes)
    if any(isinstance(container, BarContainer) for container in axes.containers):
        return _bars(axes)
    boxes = _boxes(axes)
    if boxes:
        return _box_plot(axes, boxes)
    if lines:
        return _points(axes, "line", [("Line", line.get_label(), line.get_xdata(orig=False), line.get_ydata(orig=False)) for line in lines])
    clouds = [one for one in axes.collections if isinstance(one, PathCollection)]
    if clouds:
        return _points(axes, "scatter", [("Dataset", one.get_label(), one.get_offsets()[:, 0], one.get_offsets()[:, 1]) for one in clouds])
    return {"type": "unknown", "title": _text(axes.get_title()), "elements": []}


def _text(text):
    return text or None


def _is_rule(line):
    """A straight line along an axis only guides the eye."""
    x, y = line.get_xdata(orig=False), line.get_ydata(orig=False)
    return len(x) == 2 and (x[0] == x[1] or y[0] == y[1])


def _two_dimensional(axes, kind, swapped=False):
    x, y = axes.get_xlabel(), axes.get_ylabel()
    if swapped:
        x, y = y, x
    return {"type": kind, "title": _text(axes.get_title()), "x_label": _text(x), "y_label": _text(y), "x_unit": _unit(x), "y_unit": _unit(y)}


def _unit(label):
    found = UNIT.search(label)
    return found and (found.group(1) or found.group(2))


def _labels(axis):
    """What an axis says at each of its ticks."""
    return [(float(place), label.get_text()) for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels())]


def _label_at(labels, place, otherwise):
    near = [text for at, text in labels if text and math.isclose(at, place, rel_tol=1e-6, abs_tol=1e-6)]
    return near[0] if near else otherwise


def _number(value):
    value = float(value)
    return value if math.isfinite(value) else None


def _scale(axis):
    converter = axis.converter
    if isinstance(converter, DATES):
        return "datetime"
    if isinstance(converter, StrCategoryConverter):
        return "categorical"
    if isinstance(axis.get_major_formatter(), (FixedFormatter, FuncFormatter)) and any(_is_word(text) for _, text in _labels(axis)):
        return "categorical"
    return axis.get_scale()


def _is_word(text):
    try:
        float(text.replace("\N{MINUS SIGN}", "-") or 0)
        return False
    except ValueError:
        return True


def _reader(axis):
    """Makes the values on an axis out of matplotlib's own numbers."""
    if isinstance(axis.converter, DATES):
        return lambda value: matplotlib.dates.num2date(value).isoformat() if math.isfinite(value) else None
    if isinstance(axis.converter, StrCategoryConverter) and axis.units is not None:
        names = {float(place): str(name) for name, place in axis.units._mapping.items()}
        return lambda value: names.get(float(value), _number(value))
    return _number


def _points(axes, kind, series):
    chart = _two_dimensional(axes, kind)
    readers = {}
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        readers[name] = _reader(axis)
        labels = _labels(axis)
        chart[f"{name}_ticks"] = [readers[name](place) for place, _ in labels]
        chart[f"{name}_tick_labels"] = [text for _, text in labels]
        chart[f"{name}_scale"] = _scale(axis)
    chart["elements"] = [
        {
            # Matplotlib's own names begin with an underscore.
            "label": f"{what} {number}" if str(label).startswith("_") else str(label),
            "points": [[readers["x"](x), readers["y"](y)] for x, y in zip(xs, ys)],
        }
        for number, (what, label, xs, ys) in enumerate(series)
    ]
    return chart


def _bars(axes):
    containers = [one for one in axes.containers if isinstance(one, BarContainer)]
    lying = all(one.orientation == "horizontal" for one in containers)
    chart = _two_dimensional(axes, "bar", swapped=lying)
    labels = _labels(axes.yaxis if lying else axes.xaxis)
    chart["elements"] = []
    for number, container in enumerate(containers):
        group = container.get_label()
        for bar in container:
            place = bar.get_y() + bar.get_height() / 2 if lying else bar.get_x() + bar.get_width() / 2
            start = bar.get_y() if lying else bar.get_x()
            label = _label_at(labels, place, _label_at(labels, start, f"{place:g}"))
            value = bar.get_width() if lying else bar.get_height()
            chart["elements"].append({"label": label, "group": f"Group {number}" if group.startswith("_") else group, "value": _number(value)})
    return chart


def _pie(axes):
    wedges = [patch for patch in axes.patches if isinstance(patch, Wedge)]
    # Matplotlib computes a pie's shares with 32 bits.
    elements = [{"label": wedge.get_label(), "angle": round(abs(float(wedge.theta2) - float(wedge.theta1)), 3), "radius": _number(wedge.r)} for wedge in wedges]
    return {"type": "pie", "title": _text(axes.get_title()), "elements": elements}


def _boxes(axes):
    """The rectangles of a box plot: x from, x to, y from, y to. They are patches, or closed lines of five points."""
    corners = [patch.get_path().vertices for patch in axes.patches if isinstance(patch, PathPatch)]
    for line in axes.lines:
        points = line.get_xydata()
        if len(points) == 5 and (points[0] == points[4]).all():
            corners.append(points)
    found = []
    for points in corners:
        xs, ys = sorted({float(x) for x in points[:, 0]}), sorted({float(y) for y in points[:, 1]})
        if len(xs) == 2 and len(ys) == 2:
            found.append((*xs, *ys))
    return found


def _box_plot(axes, boxes):
    strokes = [[(float(x), float(y)) for x, y in line.get_xydata()] for line in axes.lines]
    standing = _median(strokes, boxes[0], 0, 1) is not None
    across, along = (0, 1) if standing else (1, 0)
    chart = _two_dimensional(axes, "box_and_whisker", swapped=not standing)
    labels = _labels(axes.xaxis if standing else axes.yaxis)
    chart["elements"] = [_box(strokes, box, across, along, labels) for box in boxes]
    return chart


def _median(strokes, box, across, along):
    """Where a stroke goes through a box from side to side."""
    low, high = box[2 * along], box[2 * along + 1]
    for stroke in strokes:
        if len(stroke) == 2 and stroke[0][along] == stroke[1][along] and low <= stroke[0][along] <= high:
            ends = sorted(point[across] for point in stroke)
            if math.isclose(ends[0], box[2 * across]) and math.isclose(ends[1], box[2 * across + 1]):
                return stroke[0][along]
    return None


def _box(strokes, box, across, along, labels):
    low, high = box[2 * along], box[2 * along + 1]
    center = (box[2 * across] + box[2 * across + 1]) / 2
    least, most, outliers = low, high, []
    for stroke in strokes:
        if not stroke or not all(math.isclose(point[across], center) for point in stroke):
            continue
        values = [point[along] for point in stroke]
        if len(stroke) == 2 and max(values) == low:
            least = min(values)
        elif len(stroke) == 2 and min(values) == high:
            most = max(values)
        else:
            outliers += values
    return {
        "label": _label_at(labels, center, f"{center:g}"),
        "min": least,
        "first_quartile": low,
        "median": _median(strokes, box, across, along),
        "third_quartile": high,
        "max": most,
        "outliers": outliers,
    }
