"""``crosspatch predict``: a model and images of any size in, a predictions folder out."""

import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np

from crosspatch.errors import InputError
from crosspatch.files import (
    PathLike,
    fingerprint_bytes,
    refuse_existing,
    refuse_inputs_inside,
    resumed_folder,
    to_json,
    write_toml,
)
from crosspatch.images.raster import Raster, open_raster
from crosspatch.models.runtime import Precision, keep_freed_memory, memory_explained
from crosspatch.models.storage import Model
from crosspatch.prediction.cluster import Bands, Task, by_workers, connected
from crosspatch.prediction.engines import EngineName, EngineWish, LoadedEngine
from crosspatch.prediction.folder import Journal, Predicted, Predictions, write_tables
from crosspatch.prediction.inputs import Input, find_inputs
from crosspatch.prediction.outputs import (
    Layer,
    Overlay,
    Shares,
    Shown,
    shown_channels,
)
from crosspatch.prediction.polygons import Polygons, PolygonSettings
from crosspatch.prediction.reader import Reader, Window
from crosspatch.prediction.scene import (
    HALO,
    LESS_MEMORY,
    batch_of,
    check_bands,
    check_units,
    choose_channels,
    lay_out,
)
from crosspatch.prediction.spool import Spool
from crosspatch.prediction.stream import Answers, Output, draw, locally
from crosspatch.prediction.windows import Grid
from crosspatch.progress import Progress, silent
from crosspatch.training.run import open_model

__all__ = ["Predictions", "predict"]

_LARGE = 2**22  # pixels from which on an image has a progress bar of its own
_LOOKS = 64  # windows in which the units of an image of another type are looked at
_SUFFIXES = (".png", ".tif", ".qml", ".ome.tif", ".ome.zarr", ".geojson")
_JOURNAL, _SPOOL = "done.jsonl", "unfinished"


@dataclass(frozen=True)
class _Wish:
    """What is asked of every image."""

    bands: Sequence[int] | None
    probabilities: bool
    uncertainty: bool
    polygons: PolygonSettings | None
    window: int | None
    halo: int


@dataclass(frozen=True)
class _Drawer:
    """What draws every image: an engine that is loaded here, or those of a cluster's workers."""

    model: Model
    wanted: EngineWish
    loaded: LoadedEngine | None
    cluster: Any

    @property
    def device(self) -> str:
        """Say what it works on, as far as that is known here."""
        return self.loaded.device if self.loaded else self.wanted.device or "cpu"

    def answers(self, path: Path, channels: Sequence[int], reader: Reader) -> Answers:
        """Say who answers for the windows of an image."""
        if self.loaded is None:
            return by_workers(self.cluster, Task.of(path, channels, reader, self.wanted))
        return locally(reader, self.loaded.predict)


@memory_explained(LESS_MEMORY)
def predict(
    model: PathLike,
    inputs: PathLike | Iterable[PathLike],
    *,
    out: PathLike,
    bands: Sequence[int] | None = None,
    probabilities: bool = False,
    uncertainty: bool = False,
    polygons: bool | PolygonSettings = False,
    window: int | None = None,
    halo: int = HALO,
    engine: EngineName = "torch",
    scheduler: str | None = None,
    device: str | None = None,
    precision: Precision = "auto",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Predictions:
    """Draw the masks of images of any size.

    Memory depends on the window, not on the image. A run that was stopped goes on where it was when
    it is asked for again.

    Parameters
    ----------
    model : a model folder, a finished run, or their handles
    inputs : an image, a folder of images, a data set, or several of these
    out : the predictions folder to make
    bands : which channels of the images to show the model, numbered from 1 as in GDAL, in the
        model's order; by itself those of the model's names
    probabilities : also write ``probabilities/NAME.tif``
    uncertainty : also write ``uncertainty/NAME.tif``: the standard deviation of the model's answers
        to eight views of each window, smoothed, in [0, 0.5]; takes eight times as long
    polygons : also write ``polygons/NAME.geojson``: outlines in the image's reference system, with
        area and mean probability; a `PolygonSettings` says how
    window : side of a window in pixels; by itself 512, or the model's crop size if that is larger
    halo : pixels of context around what each window draws
    engine : torch, or onnx: ONNX Runtime on the CPU, in fp32 (extra ``onnx``)
    scheduler : of a Dask cluster, such as ``tcp://node1:8786``, whose workers predict
    device : cpu, cuda or mps; by itself the best there is
    precision : fp32, bf16, or auto: bf16 where the device has it
    overwrite : replace a predictions folder that stands at ``out``
    progress : told how far the work is

    Returns
    -------
    Predictions. Images that could not be predicted are in its ``skipped``, with the reason.

    Raises
    ------
    InputError, SettingsError
        An input does not exist, a setting is wrong, or no image could be predicted; nothing is
        written.
    CrosspatchError
        The device has too little memory.
    """
    refuse_existing(out, kind="predictions", overwrite=overwrite)
    model = open_model(model)
    if bands is not None:
        check_bands(model.facts.channel_names, bands)
    found = find_inputs(inputs)
    refuse_inputs_inside(out, model, *(one.path for one in found))
    keep_freed_memory()
    settings = PolygonSettings() if polygons is True else polygons or None
    if settings:
        settings.check()
    wish = _Wish(bands, probabilities, uncertainty, settings, window, halo)
    wanted = EngineWish(
        model.path.resolve(), model.fingerprint, engine, device, precision, uncertainty
    )
    with ExitStack() as opened:
        cluster = opened.enter_context(connected(scheduler)) if scheduler else None
        drawer = _Drawer(model, wanted, None if scheduler else wanted.load(), cluster)
        _fill(out, found, drawer, wish, overwrite=overwrite, progress=progress)
    return Predictions(Path(out))


def _fill(
    out: PathLike,
    found: Sequence[Input],
    drawer: _Drawer,
    wish: _Wish,
    *,
    overwrite: bool,
    progress: Progress,
) -> None:
    """Make the folder."""
    model, engine = drawer.model, drawer.loaded or drawer.wanted
    table = {
        "model": str(model.path),
        "model_fingerprint": model.fingerprint,
        "foreground": list(model.facts.foreground),
        "threshold": model.facts.threshold,
        "bands": list(wish.bands) if wish.bands is not None else None,
        "window": lay_out(model.facts, 2**20, 2**20, window=wish.window, halo=wish.halo).shown[0],
        "halo": wish.halo,
        "engine": engine.name,
        "device": engine.device,
        "precision": engine.precision,
    }
    key = fingerprint_bytes(to_json([table, asdict(wish), [_stamp(one) for one in found]]).encode())
    with resumed_folder(
        out, kind="predictions", key=key, doing="predicting", overwrite=overwrite
    ) as folder:
        rows, skipped = _predict_all(folder, found, drawer, wish, progress)
        write_tables(folder, rows, skipped)
        says = "Masks that a crosspatch model drew: 0 background, 1 foreground, 255 no data."
        counts = {"images": len(rows), "skipped": len(skipped)}
        write_toml(folder / "predictions.toml", table | counts, says=says)
        (folder / _JOURNAL).unlink()
        shutil.rmtree(folder / _SPOOL, ignore_errors=True)


def _stamp(one: Input) -> list[Any]:
    """Tell an input from another state of it."""
    stat = one.path.stat()
    return [str(one.path.resolve()), stat.st_size, stat.st_mtime_ns, one.channel_names]


def _predict_all(
    folder: Path, found: Sequence[Input], drawer: _Drawer, wish: _Wish, progress: Progress
) -> tuple[list[Predicted], list[tuple[Path, str]]]:
    """Predict all images but those that a stopped run has done."""
    rows: list[Predicted] = []
    skipped: list[tuple[Path, str]] = []
    journal = Journal(folder / _JOURNAL)
    for done, given in enumerate(found, 1):
        result = journal.get(given.path)
        drawn = result is None
        if result is None:
            try:
                result = _predict_one(folder, given, drawer, wish, progress)
            except InputError as error:
                result = str(error).removeprefix(f"{given.path}: ")
                _discard(folder, given.name)
            journal.add(given.path, result)
        shutil.rmtree(_spool(folder, given), ignore_errors=True)
        if isinstance(result, Predicted):
            rows.append(result)
        else:
            skipped.append((given.path, result))
        if drawn or done == len(found):  # what was done before says nothing of how fast it goes
            progress("images", done, len(found))
    if not rows:
        path, problem = skipped[0]
        raise InputError(f"none of {len(found)} images could be predicted; first {path}: {problem}")
    return rows, skipped


def _predict_one(
    folder: Path, given: Input, drawer: _Drawer, wish: _Wish, progress: Progress
) -> Predicted:
    """Read, predict and write one image."""
    model = drawer.model.facts
    with open_raster(given.path) as raster:
        facts = raster.facts
        names = given.channel_names or facts.channel_names
        channels = choose_channels(model.channel_names, names, facts.channels, bands=wish.bands)
        layout = lay_out(
            model,
            facts.height,
            facts.width,
            window=wish.window,
            halo=wish.halo,
            multiple=2**model.network.depth,
        )
        read, shown = shown_channels(model.channel_names, channels, facts, names)
        layers = 2 if wish.uncertainty else 1
        reader = Reader(Bands(raster, read), layout, model, facts.nodata, layers)
        notes = [*facts.said, *_check_units(reader, facts.dtype)]
        shares = Shares()
        path, outputs = _outputs(folder, given.name, raster, layout, shown, wish)
        large = facts.planes * facts.height * facts.width >= _LARGE
        spool = Spool(_spool(folder, given))
        with ExitStack() as opened:
            opened.callback(spool.close)
            for output in outputs:
                opened.callback(output.close)
            draw(
                reader,
                drawer.answers(given.path, read, reader),
                [shares, *outputs],
                batch=batch_of(layout, drawer.device),
                spool=spool,
                progress=progress if large else silent,
            )
    return Predicted(
        name=given.name,
        file=str(given.path),
        height=facts.height,
        width=facts.width,
        planes=facts.planes,
        foreground=shares.foreground,
        mean_probability=shares.mean_probability,
        no_data=shares.no_data,
        mask=path,
        note="; ".join(notes),
    )


def _spool(folder: Path, given: Input) -> Path:
    """Where an image's finished part lies: no image can go on with what another has left."""
    return folder / _SPOOL / given.name


def _discard(folder: Path, name: str) -> None:
    """Remove what was begun of an image that turned out to be damaged."""
    for suffix in _SUFFIXES:
        for path in folder.glob(f"*/{escape(name)}{suffix}"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _outputs(
    folder: Path, name: str, raster: Raster, layout: Grid, shown: Shown, wish: _Wish
) -> tuple[str, list[Output]]:
    """Say where an image's mask goes, and make everything that is made of its map."""
    facts = raster.facts
    mask = Layer(folder, name, "mask", facts, layout)
    picture, shape = folder / f"overlays/{name}.png", (facts.height, facts.width)
    outputs: list[Output] = [mask, Overlay(picture, shape, shown, plane=facts.planes // 2)]
    if wish.probabilities:
        outputs.append(Layer(folder, name, "probability", facts, layout))
    if wish.uncertainty:
        outputs.append(Layer(folder, name, "uncertainty", facts, layout))
    if wish.polygons:
        outputs.append(Polygons(folder / f"polygons/{name}.geojson", facts, wish.polygons))
    return mask.path, outputs


def _check_units(reader: Reader, dtype: np.dtype[Any]) -> list[str]:
    """Look at values all over an image where it is of another type than the model's."""
    if dtype == reader.facts.dtype:
        return []
    total = len(reader.layout) * reader.source.planes
    said = ""
    for number in sorted({total * index // _LOOKS for index in range(_LOOKS)}):
        plane, place = divmod(number, len(reader.layout))
        window = reader.load(Window(plane, *divmod(place, len(reader.layout.cols))))
        said = check_units(reader.facts.dtype, reader.known(window)) or ""
    return [said]
