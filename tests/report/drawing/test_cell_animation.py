import io

import numpy as np
import pytest
from PIL import Image

from tf_darts.cells.genotype import RecurrentGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.report.drawing.cell_animation import cell_animation, search_animation

CELLS = [PUBLISHED["recurrent"][name] for name in ("darts_v1", "darts_v2", "darts_v2")]


def frames(content):
    """Durations in milliseconds, and pixels, of each frame."""
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "GIF" and image.info["loop"] == 0
        for i in range(image.n_frames):
            image.seek(i)
            yield image.info["duration"], np.asarray(image.convert("L"))


def record(epoch, cell):
    return {
        "epoch": epoch,
        "validation_loss": 5.0,
        "validation_perplexity": 150.0 - epoch,
        "validation_batch_perplexity": 900.0,
        "genotype": cell.to_dict(),
    }


def test_a_frame_for_each_epoch_on_one_canvas():
    history = [record(i + 1, cell) for i, cell in enumerate(CELLS)]
    content = search_animation(history, RecurrentGenotype)
    durations, pictures = zip(*frames(content), strict=True)
    assert len(durations) == 3
    assert durations[0] == durations[1] and durations[2] > 3 * durations[1]
    assert len({picture.shape for picture in pictures}) == 1
    # The same cell twice: only the titles differ.
    changed = np.argwhere(np.abs(pictures[1].astype(int) - pictures[2]) > 60)
    assert len(changed) and changed[:, 0].max() < 34
    assert np.any(np.abs(pictures[0].astype(int) - pictures[1])[34:] > 60)
    assert content == search_animation(history, RecurrentGenotype)


def test_long_titles_have_room():
    (picture,) = (pixels for _, pixels in frames(cell_animation(CELLS[:1], ["M" * 120])))
    assert picture.shape[1] > 1500
    assert (picture[:, :4] > 200).all() and (picture[:34] < 100).any()


@pytest.mark.parametrize(("cells", "titles"), [([], []), (CELLS, ["one"])])
def test_cells_and_titles_go_together(cells, titles):
    with pytest.raises(ValueError, match=f"{len(cells)} cells and {len(titles)} titles"):
        cell_animation(cells, titles)
