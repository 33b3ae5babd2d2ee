"""Text files as lines: what encodes them, what ends the lines, and what no text has."""

import codecs
import io
import pathlib
import shlex

from tf_darts.errors import UserError
from tf_darts.runtime import files

_MARK = "\ufeff"  # the byte order mark; also in the middle, where files were put one after another
_MARKED = {  # the longer ones first: UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# What a file that is not UTF-8 may be in, as iconv calls it: the first one that can read it, of
# texts in Latin letters with an accent here and there, and of others.
_LATIN_ENCODINGS = ("CP1252", "ISO-8859-1")
_ALL_ENCODINGS = ("GB18030", "SHIFT_JIS", "CP1251", *_LATIN_ENCODINGS)


def read_lines(path: pathlib.Path) -> list[str]:
    r"""A text file's lines, ended by `\n`, `\r\n` or `\r`.

    The file is UTF-8, or UTF-16 or UTF-32 with a byte order mark. Such marks are no part of the
    text.

    Raises:
      UserError: the file cannot be read, is in another encoding or no text.
    """
    content = files.read_bytes(path, "give a text that can be read")
    encoding = next((_MARKED[mark] for mark in _MARKED if content.startswith(mark)), "UTF-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "UTF-8":
            raise _not_utf8(path, content, error.start) from error
        raise UserError(
            f"{path}: not {encoding} at byte {error.start}; its last character may be cut off: copy"
            " the file again."
        ) from error
    if "\0" in text:
        raise _null(path, content)
    # Not str.splitlines, which also cuts at form feeds and other rare characters.
    return [line.rstrip("\n").lstrip(_MARK) for line in io.StringIO(text, newline=None)]


def _not_utf8(path: pathlib.Path, content: bytes, start: int) -> UserError:
    """The error of a text with bytes that are no UTF-8, the first one at `start`."""
    damaged = content.decode("utf-8", "replace").count("\ufffd")
    rest = "; the rest is UTF-8" if damaged == 1 else ""
    latin = sum(byte < 0x80 for byte in content) > 0.75 * len(content)
    likely = next(
        name for name in (_LATIN_ENCODINGS if latin else _ALL_ENCODINGS) if _decodes(content, name)
    )
    line = content[:start].count(b"\n") + 1
    return UserError(
        f"{path}, line {line}: not UTF-8 at byte {start} of the file (0x{content[start]:02x}){rest}"
        f"; mend it there, or, if all of the file is {likely}, put in its place what"
        f" {_iconv(path, likely)} makes of it."
    )


def _null(path: pathlib.Path, content: bytes) -> UserError:
    """The error of a text with null characters: it is often UTF-16 without a mark."""
    line = content[: content.index(b"\0")].count(b"\n") + 1
    even, odd = content[::2].count(0), content[1::2].count(0)
    if max(even, odd) > len(content) // 4:
        likely = "UTF-16BE" if even > odd else "UTF-16LE"
        advice = (
            f"it seems to be {likely}: put in its place what {_iconv(path, likely)} makes of it"
        )
    else:
        advice = f"put in its place what tr -d '\\000' < {_quoted(path)} > NEW makes of it"
    return UserError(f"{path}, line {line}: a null character, which no text has; {advice}.")


def _iconv(path: pathlib.Path, encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 {_quoted(path)} > NEW"


def _quoted(path: pathlib.Path) -> str:
    return shlex.quote(str(path))


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
