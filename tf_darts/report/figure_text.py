"""Texts in figures that show what somebody wrote: paths, settings, names and errors."""


def literal(text: str) -> str:
    r"""A text that matplotlib shows as it is, dollar signs and all.

    Two dollar signs would be the marks of a formula, and a formula that is none raises when the
    figure is drawn. With "\$" in place of each, matplotlib shows dollar signs. Bytes of a path that
    are no text, at which it raises too, are shown by their numbers.
    """
    return text.encode(errors="backslashreplace").decode().replace("$", r"\$")
