"""tinyformer sample"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

GENERATIVE = ("likelihood", "adversarial")


def command(
    model: Annotated[Optional[Path], typer.Option(
        metavar="DIR", help="The folder of a VAE or GAN. Default: the newest in runs/.")] = None,
    n: Annotated[int, typer.Option("--n", min=1, max=10_000, help="The number of pictures.")] = 64,
    kind: Annotated[Optional[str], typer.Option(
        "--class", metavar="NAME", help="Draw this class only; the model must be conditional.")] = None,
    out: Annotated[Optional[Path], typer.Option(
        metavar="FILE", help="The picture, a PNG file. Default: DIR/samples.png.")] = None,
    seed: Annotated[Optional[int], typer.Option(
        min=0, help="The same seed draws the same pictures. Default: other pictures each time.")] = None,
    interpolate: Annotated[bool, typer.Option(
        "--interpolate", help="Each row leads from one random latent vector to another.")] = False,
    plane: Annotated[bool, typer.Option(
        "--plane",
        help="A plane of latent vectors: the two numbers that change the picture most, the others 0.")] = False,
) -> None:
    """Draw pictures with a trained VAE or GAN into a PNG file."""
    from ..generate.pictures import interpolations, latent_plane
    from ..train.saved_run import open_run
    from ..viz import draw_pictures
    from .runs import newest_run
    if interpolate and plane:
        raise ValueError("--interpolate and --plane are two different sheets; give one of them")
    folder = model or newest_run(*GENERATIVE)
    run = open_run(folder)
    generator = run.model
    if generator.task not in GENERATIVE or len(getattr(generator, "shape", ())) != 3:
        raise ValueError(f"{folder}: a {type(generator).__name__} draws no pictures, expected a VAE or GAN of pictures")
    y = None if kind is None else class_number(run, kind)
    if interpolate or plane:
        pictures, columns = (interpolations if interpolate else latent_plane)(generator, n, seed, y)
    else:
        pictures, columns = generator.sample(n, seed, y), None
    path = out or folder / "samples.png"
    draw_pictures(pictures, path, columns)
    print(f"{len(pictures)} pictures of {pictures.shape[-2]} × {pictures.shape[-1]} pixels")
    print(path)


def class_number(run, kind: str) -> int:
    """The number of the class named ``kind``. ValueError if the model has no classes or not this one."""
    if not run.model.config.conditional:
        raise ValueError(f"--class {kind}: the model in {run.folder} was trained without classes; train one with "
                         f"--set model.conditional=true")
    known = run.task.classes if run.recipe else [str(k) for k in range(run.model.config.n_classes)]
    if kind not in known:
        raise ValueError(f"--class {kind}: unknown class, expected one of {', '.join(known)}")
    return list(known).index(kind)
