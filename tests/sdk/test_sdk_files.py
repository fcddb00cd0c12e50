"""What objects become as files, and that nothing that a daemon says leads out of a folder."""

import io
import json
import tarfile
import unicodedata
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hostile_paths
from headrace import Client, Image
from headrace.errors import InvalidArgumentError
from headrace.files import images, incoming, names, outgoing, render, tables
from headrace.files.inside import Inside
from headrace_proto.paths import path_problem

RUN_ID = "f" * 32


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["..", ".", "", "a", "\\", "/", "C:", "\0", "é"])).map("/".join)
)
def test_what_passes_is_one_file_inside(path: str) -> None:
    if path_problem(path) is not None:
        return
    parts = path.split("/")
    assert Path("/root", path).parts == ("/", "root", *parts)
    assert not {"", ".", ".."} & set(parts)
    assert unicodedata.is_normalized("NFC", path)
    assert not set(path) & {"\0", "\\", "\n"}


HOSTILE = [path for paths in hostile_paths.CLASSES.values() for path in paths] + ["\udc80", "a/\ud800"]


def test_hostile_names_are_refused_on_the_way_in(tmp_path: Path) -> None:
    inside = Inside(tmp_path / "in")
    for name in HOSTILE:
        with pytest.raises(InvalidArgumentError):
            inside.write(name, b"x")
        with pytest.raises(InvalidArgumentError):
            names.checked(name)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert not list((tmp_path / "in").iterdir())


def test_hostile_names_are_refused_by_every_call(tmp_path: Path) -> None:
    """Before anything is secured: there is nothing here to secure it with."""
    (tmp_path / "f").write_text("x")
    client: Any = Client()
    pixels, run = np.zeros((2, 2), np.uint8), "f" * 32
    figure = Plotly()
    for path in HOSTILE:
        calls = [
            partial(client.log_text, run, "t", path),
            partial(client.log_dict, run, {}, path),
            partial(client.log_image, run, pixels, path),
            partial(client.log_figure, run, figure, path),
            partial(client.log_table, run, {"a": [1]}, path),
            partial(client.load_table, "0", path),
        ]
        if path.removesuffix("/") not in {"", "."}:  # the topmost folder
            folder = f"{path}/x" if path.endswith("/") else path  # a slash at the end is taken
            calls += [
                partial(client.log_artifact, run, tmp_path / "f", folder),
                partial(client.log_artifacts, run, tmp_path, folder),
            ]
        for call in calls:
            with pytest.raises(InvalidArgumentError):
                call()
    for key in ("..\\x", "a\0", "%2e", "", "e\u0301" * 200):
        with pytest.raises(InvalidArgumentError):
            client.log_image(run, pixels, key=key)
    assert not list((tmp_path / "journals").glob("*/spool-*"))


@pytest.mark.parametrize(
    "name", ["con", "a\\b", "a\nb", "e\u0301", "\udcff", "a.", "a ", "C:x", "NUL.txt", "\u212b"]
)
def test_files_with_hostile_names_are_not_logged(tmp_path: Path, name: str) -> None:
    """A folder with one is refused as a whole, and says which."""
    nothing: Any = None
    (tmp_path / "good").write_text("x")
    (tmp_path / name).write_text("x")
    with pytest.raises(InvalidArgumentError):
        outgoing.upload(nothing, RUN_ID, tmp_path)
    with pytest.raises(InvalidArgumentError):
        outgoing.upload(nothing, RUN_ID, tmp_path / name)


def test_funny_names_are_one_file_inside(tmp_path: Path) -> None:
    inside = Inside(tmp_path / "in")
    for name in hostile_paths.FUNNY:
        inside.write(name, name.encode())
    found = {
        path.relative_to(tmp_path / "in").as_posix()
        for path in (tmp_path / "in").rglob("*")
        if path.is_file()
    }
    assert found == set(hostile_paths.FUNNY)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_links_in_the_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "dir").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "file").symlink_to(tmp_path / "out" / "file")
    inside = Inside(tmp_path / "in")
    with pytest.raises(InvalidArgumentError):
        inside.write("dir/x", b"x")
    inside.write("file", b"x")  # replaces the link
    assert not list((tmp_path / "out").iterdir())
    assert not (tmp_path / "in" / "file").is_symlink()


def test_an_archive_of_a_hostile_daemon() -> None:
    """Links, devices, wrong sums and names that lead out are left; what was not asked for too."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("link")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        info = tarfile.TarInfo("f")
        info.size, info.pax_headers = 1, {"HEADRACE.sha256": "0" * 64}
        tar.addfile(info, io.BytesIO(b"x"))
    answer: Any = io.BytesIO(packed.getvalue())
    assert list(incoming._members(answer)) == []


def test_texts_and_dictionaries() -> None:
    assert render.text("é") == "é".encode()
    assert json.loads(render.dictionary({"a": [1, Path("x")]}, "d.json")) == {"a": [1, "x"]}
    assert render.dictionary({"a": [1]}, "d.yml") == b"a:\n- 1\n"
    for wrong in (b"bytes", 5, "\udc80"):
        with pytest.raises(InvalidArgumentError):
            render.text(wrong)  # type: ignore[arg-type]


class Plotly:
    """Writes as plotly's figures do."""

    def write_html(self, path: str, include_plotlyjs: str, *, auto_open: bool) -> None:
        assert (include_plotlyjs, auto_open) == ("cdn", False)
        Path(path).write_text("<html>")

    def write_image(self, path: str, scale: int = 1) -> None:
        Path(path).write_text(f"{Path(path).suffix} {scale}")


def test_figures() -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    figure.subplots().plot([1, 2])
    assert render.figure(figure, "a/b.png").startswith(b"\x89PNG")
    assert b"<svg" in render.figure(figure, "b.svg")
    assert render.figure(figure, "b", {"dpi": 20}).startswith(b"\x89PNG")
    assert render.figure(Plotly(), "f.html") == b"<html>"
    assert render.figure(Plotly(), "f.jpeg", {"scale": 3}) == b".jpeg 3"
    for wrong, name in ((Plotly(), "f.gif"), ("text", "f.png")):
        with pytest.raises(InvalidArgumentError):
            render.figure(wrong, name)


@pytest.mark.parametrize(
    ("array", "mode", "first"),
    [
        (np.full((4, 6), 7, np.uint8), "L", 7),
        (np.full((4, 6, 1), 255, np.int64), "L", 255),
        (np.full((4, 6, 3), 0.5, np.float32), "RGB", (127, 127, 127)),
        (np.ones((4, 6, 4), bool), "RGBA", (255, 255, 255, 255)),
        (np.array([[-1.0, 3.0]]), "L", 0),
    ],
)
def test_arrays_as_images(array: Any, mode: str, first: Any) -> None:
    image = PIL.Image.open(io.BytesIO(images.encoded(images.pillow(array), "x.png")))
    assert (image.mode, image.getpixel((0, 0))) == (mode, first)
    assert image.size == (array.shape[1], array.shape[0])


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 2, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.full((2, 2), 256),
        np.full((2, 2), -1),
        np.full((2, 2), np.nan),
        np.zeros((0, 0)),
        np.zeros((2, 2), "U1"),
        "text",
        5,
    ],
)
def test_what_is_no_image(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        images.pillow(wrong)


def test_files_as_images(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (3, 2)).save(tmp_path / "i.png")
    assert images.pillow(tmp_path / "i.png").size == images.pillow(str(tmp_path / "i.png")).size == (3, 2)


def test_formats_of_images() -> None:
    image = PIL.Image.new("RGBA", (600, 300))
    for name, kind in (("a.jpg", "JPEG"), ("a.webp", "WEBP"), ("d.x/a", "PNG"), ("a.PNG", "PNG")):
        assert PIL.Image.open(io.BytesIO(images.encoded(image, name))).format == kind
    assert images.small(image).size == (256, 128)
    with pytest.raises(InvalidArgumentError):
        images.encoded(image, "a.tar")


def test_images_as_objects(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    image = Image(array)
    assert image.size == (4, 2)
    assert (image.to_array() == array).all()
    assert image.to_list() == [tuple(pixel) for row in array.tolist() for pixel in row]
    assert image.resize((2, 1)).size == image.resize((2, 1)).to_pil().size == (2, 1)
    image.save(tmp_path / "i.png")
    assert (Image(tmp_path / "i.png").to_array() == array).all()
    assert Image([[1, 2, 3]]).to_list() == [1, 2, 3]
    assert images.pillow(image) is image.to_pil()


def test_names_of_images_of_a_step() -> None:
    name = images.name_of_step("a/b c", 3, 17)
    assert name.startswith("images/a#b c%step%3%timestamp%17%")
    assert path_problem(f"{name}.png") is None
    for wrong in ("", "a\\b", "a%b", None):
        with pytest.raises(InvalidArgumentError):
            images.name_of_step(wrong, 0, 0)  # type: ignore[arg-type]


def test_tables_with_images() -> None:
    """As MLflow has them: the cells name files, one with all pixels and one for lists."""
    wide, high = (PIL.Image.new("RGB", size) for size in ((600, 2), (3, 4)))
    found, files = tables.pictures({"n": [1, 2], "seen": [wide, Image(high)]}, "in/t.json")
    assert found["n"] == [1, 2]
    assert list(files) == [
        cell[name] for cell in found["seen"] for name in ("filepath", "compressed_filepath")
    ]
    assert all(cell["type"] == "image" for cell in found["seen"])
    assert all(path.startswith("table_images/in/t/") for path in files)
    made = [PIL.Image.open(io.BytesIO(data)) for data in files.values()]
    assert [(image.format, image.size) for image in made] == [
        ("PNG", (600, 2)), ("WEBP", (256, 1)), ("PNG", (3, 4)), ("WEBP", (192, 256)),
    ]  # fmt: skip
    assert tables.from_json(tables.to_json(found)) == found
    arrays: dict[str, list[Any]] = {"vectors": [np.arange(2), np.arange(2)], "none": [], "text": ["a"]}
    assert tables.pictures(arrays, "t.json") == (arrays, {})
    with pytest.raises(InvalidArgumentError, match="images and other things in the column 'seen'"):
        tables.pictures({"seen": [wide, None]}, "t.json")
    with pytest.raises(InvalidArgumentError, match="cannot be written as PNG"):
        tables.pictures({"seen": [PIL.Image.new("CMYK", (1, 1))]}, "t.json")


def test_tables() -> None:
    pandas = pytest.importorskip("pandas")
    first = tables.columns_of({"q": ["a", "b"], "n": np.arange(2)})
    second = tables.columns_of(pandas.DataFrame({"q": ["c"], "x": [1.5]}))
    joined = tables.joined([first, second])
    assert joined == {"q": ["a", "b", "c"], "n": [0, 1, None], "x": [None, None, 1.5]}
    assert tables.from_json(tables.to_json(joined)) == joined
    frame = pandas.read_json(io.BytesIO(tables.to_json(joined)), orient="split")
    assert list(frame["q"]) == ["a", "b", "c"]
    assert tables.columns_of({"one": "row", "n": 1}) == {"one": ["row"], "n": [1]}
    assert tables.columns_of([{"a": 1}, {"b": 2}]) == {"a": [1, None], "b": [None, 2]}
    assert (
        tables.to_json(tables.columns_of(np.eye(2)))
        == b'{"columns": ["0", "1"], "data": [[1.0, 0.0], [0.0, 1.0]]}'
    )
    for wrong in ({"a": [1], "b": [1, 2]}, [1], "text"):
        with pytest.raises(InvalidArgumentError):
            tables.columns_of(wrong)
    for damaged in (b"", b"[]", b'{"columns": ["a"], "data": [[]]}'):
        with pytest.raises(InvalidArgumentError):
            tables.from_json(damaged)
    with pytest.raises(InvalidArgumentError):
        tables.encoded(first, "t.csv")
