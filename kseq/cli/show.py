"""`kseq show`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
import keras
from rich.table import Table

from kseq.cli.options import (
    changed,
    console,
    json_option,
    print_json,
    recipe_argument,
    set_option,
    writing,
)
from kseq.errors import DataError
from kseq.estimators.load import from_recipe
from kseq.layers.conv_lstm import ConvLSTM
from kseq.layers.frames import FrameRNN
from kseq.parts import check_parts
from kseq.recipe import Recipe
from kseq.recipe.document import to_yaml
from kseq.report.diagram import diagram
from kseq.run import read_data


@click.command("show", short_help="A recipe with all its defaults, and the model it makes.")
@recipe_argument
@set_option
@click.option("--plot", type=click.Path(dir_okay=False), help="Draw the model to a PNG file.")
@json_option
def command(recipe: str, changes: tuple[str, ...], plot: str | None, as_json: bool) -> None:
    """Show the file RECIPE with all its defaults, its model's layers and parameter count.

    The sizes of the model come from the data. For recurrent layers the table says whether they take
    the fast path, and if not, why. Where the data is not there, the recipe alone is shown.
    """
    loaded = changed(Recipe.load(recipe), changes)
    filled = loaded.fill()
    model, reason = None, "the recipe has no data section"
    if loaded.data:
        try:
            data = read_data(loaded)
            estimator = from_recipe(loaded)
            check_parts(estimator, data)
            model = estimator.build(data.train.X, data.train.y)
        except DataError as error:
            reason = str(error)
    if plot:
        if model is None:
            raise DataError(f"no model to draw: {reason}")
        with writing("--plot", plot) as picture:
            diagram(model, picture)
    rows = [] if model is None else list(layers(model))
    if as_json:
        parameters = None if model is None else model.count_params()
        print_json({"recipe": filled.to_dict(), "layers": rows, "parameters": parameters})
        return
    click.echo(to_yaml(filled.to_dict()), nl=False)
    if model is None:
        click.echo(f"no layer table: {reason}", err=True)
        return
    table = Table("layer", "type", "output", "parameters", "path", box=None)
    table.columns[3].justify = "right"
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else cell for cell in row.values()))
    out = console()
    with out.capture() as lines:
        out.print(table)
        out.print(f"{model.count_params():,} parameters")
    # As comments: what stands on stdout is a recipe.
    click.echo("".join(f"# {line.rstrip()}\n" for line in lines.get().splitlines()), nl=False)
    if plot:
        click.echo(f"drawn to {plot}", err=True)


def layers(model: keras.Model, above: str = "") -> Iterator[dict[str, str | int]]:
    """Every layer that does something, those of nested models under their path."""
    for layer in model.layers:
        name = f"{above}{layer.name}"
        if isinstance(layer, keras.Model):
            yield from layers(layer, f"{name}/")
        elif not isinstance(layer, keras.layers.InputLayer):
            shapes = [_shape(tensor.shape) for tensor in keras.tree.flatten(layer.output)]
            yield {
                "name": name,
                "type": type(layer).__name__,
                "output": " ".join(shapes),
                "parameters": layer.count_params(),
                "path": _path(layer),
            }


def _path(layer: keras.layers.Layer) -> str:
    """How a recurrent layer is computed, and why not faster; nothing for other layers."""
    inner = getattr(layer, "forward_layer", layer)
    if not isinstance(inner, keras.layers.RNN) or isinstance(inner, (ConvLSTM, FrameRNN)):
        return ""
    reason = getattr(inner, "slow_because", "it is none of kseq's")
    return "fast" if reason is None else f"Keras: {reason}"


def _shape(shape: Sequence[int | None]) -> str:
    sizes = ["any" if size is None else str(size) for size in shape[1:]]
    return f"({', '.join(['batch', *sizes])})"
