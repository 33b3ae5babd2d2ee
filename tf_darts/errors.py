"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can put right: one sentence saying what, where and what to do.

    `main` prints the sentence without a traceback and exits with status 2.
    """
