"""The command line: flags, and what each mode prints."""
