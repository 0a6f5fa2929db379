"""tinyformer export --to FILE.onnx"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from ..train.saved_run import SavedRun


def command(
    to: Annotated[Path, typer.Option(metavar="FILE.onnx", help="The file to write.")],
    model: Annotated[Optional[Path], typer.Option(
        metavar="DIR", help="The folder of a model. Default: the newest in runs/.")] = None,
    with_cache: Annotated[bool, typer.Option(
        "--with-cache", help="With the keys and values of earlier positions as inputs and outputs, for generating. An "
                             "encoder and its decoder become two files.")] = False,
) -> None:
    """Write a model as an ONNX file, with its tokenizer and labels."""
    from ..files import replace_file
    from ..interop import onnx
    from ..train.saved_run import open_run
    from .runs import naming, newest_run
    if to.suffix != ".onnx":
        raise ValueError(f"--to {to}: expected the name of a file that ends in .onnx")
    folder = model or newest_run()
    run = open_run(folder)
    labels = class_names(run)
    files = {to: {"cache": with_cache}}
    if with_cache and run.model.task == "translation":
        files[to.with_name(f"{to.stem}-encoder.onnx")] = {"encoder": True}
    for path, form in files.items():
        with naming(folder):
            onnx.export(run.model, path, **form)
        print(f"{path}  {path.stat().st_size:,} bytes, {type(run.model).__name__}")
    if run.tokenizer is not None:
        beside = to.with_name("tokenizer.json")
        if not (beside.exists() and beside.parent.samefile(run.folder)):    # else the model's own, perhaps published
            run.tokenizer.save(beside)
        print(beside)
    if labels:
        replace_file(to.with_name("labels.json"), json.dumps(dict(enumerate(labels)), ensure_ascii=False) + "\n")
        print(to.with_name("labels.json"))


def class_names(run: SavedRun) -> list[str]:
    """The names of the classes in the order of the logits; [] for a model without classes.

    They are in classes.json, or in "id2label" of a published config.json; else they are numbers.
    """
    from ..interop.published import read_config
    from ..train.classes import load_classes
    K = getattr(run.model.config, "n_classes", 0)
    if run.model.task not in ("classification", "pictures") or not K:
        return []
    if (run.folder / "classes.json").exists():
        return list(load_classes(run.folder))
    names = read_config(run.folder).get("id2label") or {}
    return [str(names.get(str(k), k)) for k in range(K)]
