"""Answers one request to an exported model as a server would, without a server.

  python tools/answer_request.py --export_dir=DIR \
    --request='{"signature_name": "score_text", "instances": ["a line of text"]}'
  python tools/answer_request.py --export_dir=DIR --image=picture.png

The request is the JSON of TF Serving's REST interface (docs/serving.md), or an image file for the
signature serve_bytes; the answer is that interface's too.
"""

import base64
import json
import pathlib
import sys

# The code beside this tool, whether or not (another) tf_darts is installed.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl import flags

from tf_darts.cli import program
from tf_darts.errors import UserError
from tf_darts.runtime import start_up
from tf_darts.runtime.busy import busy
from tf_darts.runtime.files import is_directory, read_bytes

_EXPORT_DIR = flags.DEFINE_string(
    "export_dir", None, "The exported versions, or one.", required=True
)
_REQUEST = flags.DEFINE_string("request", None, "The JSON of a request.")
_IMAGE = flags.DEFINE_string("image", None, "A JPEG or PNG file, in place of a request.")


def _request() -> object:
    if (_REQUEST.value is None) == (_IMAGE.value is None):
        raise UserError("Give either --request=JSON or --image=FILE.")
    try:
        if _IMAGE.value is None:
            return json.loads(_REQUEST.value)
    except (ValueError, RecursionError) as error:
        raise UserError(f"--request is not JSON ({error}).") from error
    content = base64.b64encode(read_bytes(_IMAGE.value, "give an image file")).decode()
    return {"signature_name": "serve_bytes", "instances": [{"b64": content}]}


def main(arguments: list[str]) -> int:
    """Prints the answer; returns the exit status."""
    try:
        if len(arguments) > 1:
            raise UserError(f"{arguments[1]!r} is not a flag; write --NAME=VALUE.")
        request, folder = _request(), pathlib.Path(_EXPORT_DIR.value).expanduser()
        if not is_directory(folder):
            raise UserError(f"--export_dir={folder}: is no directory; give that of an export.")
        with (
            busy("Loading TensorFlow and the model", write=start_up.write_line),
            start_up.without_chatter(),
        ):
            start_up.load_tensorflow()
            from tf_darts.formats.rest_requests import answer, load

            model = load(folder)
            found = answer(model.signatures, request)
    except UserError as error:
        print(f"answer_request: {error}", file=sys.stderr)
        return 2
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    program.run(main, "answer_request")
