"""Statistics of the training pictures, by which a strange picture is told, and how often it is."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from pruneviz.models.core.familiar import Familiar
from pruneviz.models.core.knowledge import STATISTICS
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import SMALL, TEST_SEEDS, Scene, SceneRules, sample_scene
from pruneviz.scenes.variation import squash_of
from training.evaluate import Score, answer, load
from training.folders import readable
from training.held_out import Asked, alone
from training.labels import NUM_LABELS
from training.openmoji import OPENMOJI, add_openmoji, strangers
from training.pictures import draw_batch, normalise, picture_files, to_pixels
from training.settings import Settings
from training.whole import WholeModel

logger = logging.getLogger(__name__)
FIRST_SEED = 950_000_000
SCENES, CHECKED = 1500, 800
# A token farther from the background than this share of the background is shows a thing.
_BACKGROUND = 0.98
# So many of the checked training pictures lie beyond each limit.
_UNCLEAR, _BUSY = 0.015, 0.002
# Crowded pictures show more; what is read of few tokens is no class's mean.
_ROOM, _FEWEST = 1.1, 4
_BATCH = 20
# Far from the scenes that accuracy is measured on.
_CHECK_SEED = TEST_SEEDS[0] + 60_000_000


@torch.inference_mode()
def _look(model: WholeModel, pictures: Iterable[Image.Image], settings: Settings) -> Tensor:
    """Return the visual tokens of pictures of any shape, float32 [count, 256, width]."""
    side = settings.model.image_size
    fitted = (
        picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        for picture in pictures
    )
    pixels = [to_pixels(picture) for picture in fitted]
    parts = (torch.stack(pixels[i : i + _BATCH]) for i in range(0, len(pixels), _BATCH))
    return torch.cat([model.see(part)[2].float() for part in parts])


def _draw(scenes: Iterable[Scene], settings: Settings) -> list[Image.Image]:
    """Draw scenes as a person will see them, squashed as often as uploads come."""
    side = settings.model.image_size
    return [render(scene, side, squash=squash_of(scene.seed))[0] for scene in scenes]


@torch.inference_mode()
def _labelled(model: WholeModel, settings: Settings, count: int) -> tuple[Tensor, Tensor]:
    """Return the tokens of so many training pictures, and each token's class; 0: background."""
    seen, classes = [], []
    for first in range(FIRST_SEED, FIRST_SEED + count, _BATCH):
        seeds = range(first, min(first + _BATCH, FIRST_SEED + count))
        scenes = [sample_scene(seed, settings.joint_rules) for seed in seeds]
        values, labels = draw_batch(scenes, settings.model.image_size)
        seen.append(model.see(normalise(values))[2].float())
        # What is written on a card changes its tokens as much as another class would.
        text = labels["text"]
        classes.append(torch.where(text > 0, NUM_LABELS + text, labels["kind"]))
    return torch.cat(seen), torch.cat(classes)


def _spread(off: Tensor) -> Tensor:
    """Return what turns deviations into units of their spread, [width, width]."""
    spread = off.T @ off / len(off)
    # Shrunk a little, so that directions that hardly vary do not decide alone.
    spread += 0.01 * spread.diagonal().mean() * torch.eye(len(spread))
    return torch.linalg.cholesky(torch.linalg.inv(spread))


def _statistics(seen: Tensor, classes: Tensor) -> Familiar:
    quiet = (classes == 0).unsqueeze(-1)
    background = (seen * quiet).sum(0) / quiet.sum(0).clamp_min(1)
    off = seen - background
    radius = off[classes == 0].norm(dim=-1).sort()[0]
    names, counts = classes[classes > 0].unique(return_counts=True)
    names = names[counts >= _FEWEST]
    means = torch.stack([off[classes == name].mean(0) for name in names])
    rest = [off[classes == name] - mean for name, mean in zip(names, means, strict=True)]
    whiten = _spread(torch.cat(rest))
    least = torch.tensor(0.0)
    return Familiar(
        background, radius[int(_BACKGROUND * len(radius))], whiten, means @ whiten, least, least + 1
    )


def save_statistics(
    model: WholeModel,
    settings: Settings,
    folder: Path,
    scenes: int = SCENES,
    checked: int = CHECKED,
) -> None:
    """Write ``familiar.safetensors``.

    Parameters
    ----------
    model : WholeModel
        Trained, on the CPU.
    settings : Settings
        Its settings.
    folder : Path
        The model's folder.
    scenes, checked : int
        Pictures that the statistics are taken of, and that the limits are set by.
    """
    model.eval()
    known = _statistics(*_labelled(model, settings, scenes)).rounded()
    others = range(FIRST_SEED + scenes, FIRST_SEED + scenes + checked)
    seen = _look(
        model, _draw((sample_scene(s, settings.joint_rules) for s in others), settings), settings
    )
    clear = torch.tensor([known.clearness(visual) for visual in seen])
    share = torch.stack([known.things(visual).float().mean() for visual in seen])
    known.clear.copy_(clear.nanquantile(_UNCLEAR))
    known.most.copy_((_ROOM * share.quantile(1 - _BUSY)).clamp_max(1))
    partial = (folder / STATISTICS).with_suffix(".partial")
    known.save(partial)
    readable(partial)
    partial.replace(folder / STATISTICS)


def check(
    folder: Path,
    settings: Settings,
    count: int,
    openmoji: Path | None = None,
    pictures: Path | None = None,
) -> dict[str, Score]:
    """Measure how often a picture gets a hint.

    Parameters
    ----------
    folder : Path
        The model's.
    settings : Settings
        The model's.
    count : int
        Scenes of each sort.
    openmoji : Path, optional
        OpenMoji's package: its drawings of known things, where the model is right about them and
        where not, and of things that it does not know, each alone.
    pictures : Path, optional
        A folder of any pictures, at any depth.

    Returns
    -------
    dict of str to Score
        Pictures with a hint, of all of that sort.
    """
    model = WholeModel(settings)
    model.take(folder)
    model.eval()
    known = Familiar.load(folder / STATISTICS)

    def hinted(shown: Sequence[Image.Image]) -> list[bool]:
        return [known.doubt(v) is not None for v in _look(model, shown, settings)]

    sorts = {"scenes": SceneRules(), "crowds": SMALL, "as trained": settings.joint_rules}
    found = {}
    for name, rules in sorts.items():
        seeds = range(_CHECK_SEED, _CHECK_SEED + count)
        found[name] = hinted(_draw((sample_scene(seed, rules) for seed in seeds), settings))
    if openmoji:
        add_openmoji(openmoji)
        asked = alone(OPENMOJI)
        right = _right(folder, asked)
        told = hinted([one.picture for one in asked])
        for wanted, name in ((True, "OpenMoji, read rightly"), (False, "OpenMoji, read wrongly")):
            found[name] = [t for t, r in zip(told, right, strict=True) if r == wanted]
        found["OpenMoji, unknown things"] = hinted(list(strangers(openmoji)))
    if pictures:
        found["pictures"] = hinted(list(_open(pictures)))
    scores = {name: Score(sum(told), len(told)) for name, told in found.items() if told}
    for name, score in scores.items():
        logger.info("a hint for %-26s %s", name, score)
    return scores


def _right(folder: Path, asked: Sequence[Asked]) -> list[bool]:
    model, processor = load(folder)
    said: list[str] = []
    for start in range(0, len(asked), _BATCH):
        said += answer(model, processor, asked[start : start + _BATCH])
    return [text == one.question.answer for text, one in zip(said, asked, strict=True)]


def _open(folder: Path) -> Iterable[Image.Image]:
    """Yield the pictures in a folder, on white where they are clear."""
    for path in picture_files(folder):
        with Image.open(path) as source:
            picture = source.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        yield Image.alpha_composite(white, picture).convert("RGB")
