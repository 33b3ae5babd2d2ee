"""Numbers in sentences of a document that are made from records: each behind a comment.

    after five epochs they stand at <!--=darts_first.at(5).mean()-->93.8 on average

The comment, which no reader of the rendered page sees, is what the number is in terms of the
records, a Python expression of the names of `facts.py`. A number is written as it stands there: to
as many decimals, with a sign or without, in digits or in words.
"""

import re
from collections.abc import Mapping
from typing import Any

from tf_darts.errors import UserError

_TO_TWELVE = "no one two three four five six seven eight nine ten eleven twelve"
_TO_TWENTY = "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
_WORDS = [*_TO_TWELVE.split(), *_TO_TWENTY.split()]
_FIRST = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_ORDINALS = [*_FIRST.split(), *(f"{word}th" for word in _WORDS[13:20]), "twentieth"]
_WORD = "|".join(sorted([*_WORDS, *_ORDINALS], key=len, reverse=True))
_DIGITS = r"[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e-\d+)?(?:st|nd|rd|th)?"
_MARKED = re.compile(rf"<!--=(.+?)-->((?:{_WORD})\b|{_DIGITS})", re.IGNORECASE)
# What is no sentence, and then what in a sentence is no number of its own.
_NO_SENTENCE = re.compile(
    r"^(?:    |\|)[^\n]*$|^```.*?^```|<!--(?!=).*?-->", re.MULTILINE | re.DOTALL
)
_NO_NUMBER = re.compile(r"`[^`]*`|\]\([^)]*\)")


def with_numbers(text: str, names: Mapping[str, Any]) -> str:
    """The document with every marked number made anew.

    Args:
      text: of the document.
      names: what expressions may speak of.

    Raises:
      UserError: an expression says nothing, or what it says cannot be written so, or no number
        stands behind it, or a reader of the page would see it.
    """
    for mark in re.finditer("<!--=.*", text):
        if not (marked := _MARKED.match(text, mark.start())):
            raise UserError(f"no number stands behind {mark[0][:60]}; write one, it is made anew.")
        line = text[: mark.start()].rpartition("\n")[2]
        if "--" in marked[1] or "][" in marked[1] or not line.strip(" -"):
            raise UserError(
                f"{mark[0][:60]}: Markdown takes no -- in a comment, ][ for a reference, and a line"
                " that begins with a comment for a paragraph of its own; write it otherwise."
            )

    def made(match: re.Match[str]) -> str:
        expression, written = match.groups()
        try:
            value = eval(expression, {"__builtins__": {}} | dict(names))
            return f"<!--={expression}-->{_as_written(value, written)}"
        except Exception as error:
            raise UserError(f"<!--={expression}-->{written}: {error!r}; mend it.") from error

    return _MARKED.sub(made, text)


def unmarked(text: str) -> list[str]:
    """The numbers with decimals that stand in sentences without a mark, in their order."""
    sentences = _NO_NUMBER.sub("", _MARKED.sub("", _NO_SENTENCE.sub("", text)))
    return re.findall(r"\d+\.\d+(?:e-\d+)?", sentences)


def _as_written(value: float, written: str) -> str:
    """The value in the style of a number: of its decimals, sign, words or digits."""
    if written[-1].isalpha():
        words = _ORDINALS if written.lower() in _ORDINALS else _WORDS
        if written[0] in "+-0123456789":
            return f"{value:,.0f}{_ending(round(value))}"
        if value != round(value) or not 0 <= value < len(words):
            raise ValueError(f"{value} has no word; write it in digits")
        word = words[round(value)]
        return word.capitalize() if written[0].isupper() else word
    sign = "+" if written[0] in "+" else ""
    if "e" in written:
        digits = len(written.lstrip("+-").partition("e")[0].replace(".", ""))
        return f"{value:{sign}.{digits}g}"
    decimals = len(written.partition(".")[2])
    if not decimals and abs(value - round(value)) > 1e-9:
        raise ValueError(f"{value} is no whole number; round it, or write decimals")
    return f"{value:{sign},.{decimals}f}"


def _ending(number: int) -> str:
    """Of an ordinal in digits, as "st" of 21st."""
    if number // 10 % 10 == 1:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
