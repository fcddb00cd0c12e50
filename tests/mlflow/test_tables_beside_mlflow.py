"""Tables with images: what ``log_table`` stores, and ``load_table`` gives, here and at MLflow."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from beside import Side

PIXELS = np.arange(600 * 3, dtype=np.uint8).reshape(2, 300, 3)


@pytest.mark.parametrize("name", ["images.json", "in/folder/images.parquet"])
def test_a_table_with_images(sides: tuple[Side, Side], name: str) -> None:
    pytest.importorskip("pandas")
    for side in sides:
        with side.module.start_run() as run:
            picture = PIL.Image.fromarray(PIXELS)
            side.module.log_table({"n": [1, 2], "seen": [picture, side.module.Image(PIXELS)]}, name)
            side.module.log_table({"n": 3, "seen": side.module.Image([[1, 2, 3]])}, name)
        run_id = run.info.run_id
        folder = Path(side.module.artifacts.download_artifacts(f"runs:/{run_id}/"))
        side.noted = [shape(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
        table = side.module.load_table(name, [run_id])
        assert table["n"].tolist() == [1, 2, 3]
        for number, cell in enumerate(table["seen"]):
            assert set(cell) == {"type", "filepath", "compressed_filepath"}
            side.noted.append((cell["type"], shape(Path(cell["filepath"]))))
            full = PIL.Image.open(folder / cell["filepath"])
            small = PIL.Image.open(folder / cell["compressed_filepath"])
            side.noted.append((full.format, full.size, small.format, small.size))
            assert (np.asarray(full) == (PIXELS if number < 2 else np.array([[1, 2, 3]]))).all()
        logged = side.client.get_run(run_id).data.tags["mlflow.loggedArtifacts"]
        side.noted.append(json.loads(logged))
    ours, theirs = (side.noted for side in sides)
    assert ours == theirs


def shape(path: Path) -> Any:
    """A path without what is random in it."""
    return path.with_stem("UUID").as_posix() if "table_images" in path.parts else path.as_posix()


def test_a_column_of_images_and_other_things(sides: tuple[Side, Side]) -> None:
    for side in sides:
        with side.module.start_run() as run, pytest.raises(Exception, match="images"):
            side.module.log_table({"seen": [side.module.Image([[1]]), "no image"]}, "t.json")
        assert side.client.list_artifacts(run.info.run_id) == []


def test_an_image_of_mlflow_is_an_image(sides: tuple[Side, Side]) -> None:
    ours, theirs = sides
    with ours.module.start_run() as run:
        ours.module.log_image(theirs.module.Image(PIXELS), "theirs.png")
        ours.module.log_image(ours.module.Image(PIXELS), "ours.png")
    for name in ("theirs.png", "ours.png"):
        logged = ours.module.artifacts.load_image(f"runs:/{run.info.run_id}/{name}")
        assert (np.asarray(logged) == PIXELS).all()
