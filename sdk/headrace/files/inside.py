"""Writing below a folder and nowhere else, whatever the daemon says the names are."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.errors import InvalidArgumentError
from headrace.files.names import checked

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Inside:
    """A folder to download into. Links below it are not followed; what is there is replaced by a rename."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root

    @contextmanager
    def folder(self, path: str) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder that ``path`` belongs into, and its last name."""
        *above, name = checked(path, "artifact_path").split("/")
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for each in above:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(each, dir_fd=descriptor)
                try:
                    inner = os.open(each, _FOLDER, dir_fd=descriptor)
                except OSError as error:
                    problem = (
                        f"holds {each!r}, which is a file or a link in {self.root}; choose another folder"
                    )
                    raise InvalidArgumentError("dst_path", problem) from error
                os.close(descriptor)
                descriptor = inner
            yield descriptor, name
        finally:
            os.close(descriptor)

    def write(self, path: str, data: bytes) -> None:
        """Writes a small file, in one step for who looks at it."""
        with self.folder(path) as (folder, name):
            draft = f".{uuid.uuid4().hex}.part"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(draft, flags, 0o644, dir_fd=folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
            except OSError:
                os.unlink(draft, dir_fd=folder)
                raise
            self.place(folder, draft, name)

    def place(self, folder: int, draft: str, name: str) -> None:
        """Gives a written file its name. FileNotFoundError: somebody else did, or deleted it."""
        try:
            os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
        except FileNotFoundError:
            raise
        except OSError as error:
            os.unlink(draft, dir_fd=folder)
            raise InvalidArgumentError("dst_path", f"has a folder where {name!r} is to be") from error

    def make(self, path: str) -> None:
        """Makes a folder."""
        with self.folder(f"{path}/x" if path else "x"):
            pass
