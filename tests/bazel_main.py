"""What Bazel runs for each test: pytest on the file in the arguments."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(sys.argv[1:]))
