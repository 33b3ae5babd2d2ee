"""Writing files so that a reader, or a kill, never meets half of one."""

import os
import pathlib
import tempfile


def write_atomically(path: pathlib.Path | str, content: str | bytes) -> None:
    """Replaces `path` by `content` (text is UTF-8): either the old file or the new one, whole."""
    path = pathlib.Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        pathlib.Path(temporary).chmod(0o644)
        pathlib.Path(temporary).replace(path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
