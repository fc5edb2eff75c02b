"""Loaded into the Python kernel: more forms of results, and variables for one run."""

import importlib.abc
import importlib.machinery
import json
import math
import os
import sys

from IPython.core.formatters import BaseFormatter
from traitlets import ObjectName, Unicode

# Of a list or dictionary shown as JSON too.
MAX_JSON_CHARS = 1 << 20
MAX_DATA_CELLS = 1_000_000

_before = {}


def put(variables):
    """Sets variables; None takes one away."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def environment(variables):
    """Sets variables for one run, after putting back what the run before found."""
    put(_before)
    _before.clear()
    for name, value in variables.items():
        _before[name] = os.environ.get(name)
        os.environ[name] = value


class ChartFormatter(BaseFormatter):
    """The data behind a figure."""

    format_type = Unicode("application/vnd.caisson.chart+json")
    print_method = ObjectName("_repr_chart_")
    _return_type = dict

    def __call__(self, value):
        # Not by registering the type: that is undone when matplotlib's inline backend is chosen. Nothing is a figure before matplotlib is imported.
        figures = sys.modules.get("matplotlib.figure")
        return _chart(value) if figures is not None and isinstance(value, figures.Figure) else super().__call__(value)


class DataFormatter(BaseFormatter):
    """The columns of a table."""

    format_type = Unicode("application/vnd.caisson.data+json")
    print_method = ObjectName("_repr_data_")
    _return_type = dict


def _chart(figure):
    try:
        from .charts import figure_chart

        return figure_chart(figure)
    except Exception:  # A figure that we cannot read is still shown as an image.
        return None


def _plain(value):
    """A table's cell as JSON knows it."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else str(value)


def _columns(table):
    if table.size > MAX_DATA_CELLS:
        return None
    return {str(name): [_plain(value) for value in table.iloc[:, i].tolist()] for i, name in enumerate(table.columns)}


def _json(value):
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return json.loads(text) if len(text) <= MAX_JSON_CHARS else None


class _ShowsSavedImages(importlib.abc.MetaPathFinder):
    """Pillow's images are shown when they are saved under a name; nothing is imported before the code does."""

    def find_spec(self, name, path, target=None):
        if name != "PIL.Image":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                _show_saved(module.Image)

            spec.loader.exec_module = exec_module
        return spec


def _show_saved(image_class):
    save = image_class.save

    def save_and_show(self, fp, *args, **kwargs):
        save(self, fp, *args, **kwargs)
        if isinstance(fp, (str, os.PathLike)):
            from IPython.display import display

            display(self)

    image_class.save = save_and_show


def load_ipython_extension(shell):
    formatters = shell.display_formatter.formatters
    for formatter in (ChartFormatter(parent=shell.display_formatter), DataFormatter(parent=shell.display_formatter)):
        formatters[formatter.format_type] = formatter
    formatters["application/vnd.caisson.data+json"].for_type_by_name("pandas.core.frame", "DataFrame", _columns)
    for kind in (dict, list):
        formatters["application/json"].for_type(kind, _json)
    sys.meta_path.insert(0, _ShowsSavedImages())
