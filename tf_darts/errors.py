"""The exceptions that are meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can put right: one sentence saying what, where and what to do.

    `main` prints the sentence without a traceback and exits with status 2.
    """


class StateError(UserError):
    """What is on disk cannot be used as it is: a broken file, another run's directory, one in use.

    A study stops at it, where at another `UserError` only the candidate has failed.
    """


class StorageError(UserError):
    """The file system refused: a full disk, a directory that is gone, rights that are missing.

    What was written before is whole, and the same command goes on from there. A study stops at it,
    where at another `UserError` only the candidate has failed.
    """
