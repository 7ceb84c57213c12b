"""Command line: ``python -m pruneviz.training train``, ``evaluate`` or ``examples``."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch

from pruneviz.training.evaluate import evaluate, held_out, load
from pruneviz.training.examples import make_examples
from pruneviz.training.joint import train_align, train_joint
from pruneviz.training.settings import Settings
from pruneviz.training.symbolic import train_symbolic
from pruneviz.training.tower import train_tower
from pruneviz.training.whole import WholeModel, export

logger = logging.getLogger("pruneviz.training")
STAGES = ("tower", "symbolic", "align", "joint", "export")


def pick_device(name: str) -> torch.device:
    """Return the device to train on; ``auto`` takes a GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _whole(settings: Settings, work: Path, device: torch.device) -> WholeModel:
    """Return the model with the newest results of the stages done so far."""
    model = WholeModel(settings)
    for name in ("joint", "align"):
        path = work / f"{name}.pt"
        if path.is_file():
            state = torch.load(path, map_location="cpu", weights_only=True)
            model.load_state_dict(state["module"])
            logger.info("took %s, step %d", path.name, state["step"])
            if name == "align":
                # The layers of the decoder may have gone on learning beside the alignment.
                model.load_symbols(work)
            return model.to(device)
    model.load_stages(work)
    return model.to(device)


def train(options: argparse.Namespace) -> None:
    """Run one stage or all of them."""
    settings = Settings()
    torch.set_num_threads(options.threads)
    device = pick_device(options.device)
    work: Path = options.work
    stages = STAGES if options.stage == "all" else (options.stage,)
    common = (work, device, options.resume)
    for name in stages:
        logger.info("stage %s on %s", name, device)
        if name == "tower":
            train_tower(settings, *common)
        elif name == "symbolic":
            train_symbolic(settings, *common)
        elif name == "align":
            train_align(_whole(settings, work, device), settings, *common)
        elif name == "joint":
            train_joint(_whole(settings, work, device), settings, *common)
        else:
            export(_whole(settings, work, torch.device("cpu")), settings, options.out)


def measure(options: argparse.Namespace) -> None:
    """Print accuracy by kind, for drawing styles seen and not seen in training."""
    torch.set_num_threads(options.threads)
    model, processor = load(options.model, str(pick_device(options.device)))
    for styles in ("seen", "unseen"):
        asked = held_out(options.questions, styles, options.seed)
        logger.info("drawing styles %s in training", styles)
        for kind, score in evaluate(model, processor, asked).items():
            logger.info("  %-10s %s", kind, score)


def show(options: argparse.Namespace) -> None:
    """Make the example pictures and choose their questions."""
    torch.set_num_threads(options.threads)
    make_examples(*load(options.model, str(pick_device(options.device))), options.out)


def parser() -> argparse.ArgumentParser:
    """Return the argument parser."""
    top = argparse.ArgumentParser(prog="python -m pruneviz.training")
    commands = top.add_subparsers(dest="command", required=True)
    one = commands.add_parser("train", help="train the embedded model")
    one.add_argument("--out", type=Path, default=Path("assets/embedded"), help="model folder")
    one.add_argument("--work", type=Path, default=Path("runs/embedded"), help="checkpoints")
    one.add_argument("--stage", choices=("all", *STAGES), default="all")
    one.add_argument("--resume", action="store_true", help="go on from the checkpoints")
    one.set_defaults(run=train)
    two = commands.add_parser("evaluate", help="measure accuracy on held-out scenes")
    two.add_argument("--model", type=Path, default=Path("assets/embedded"))
    two.add_argument("--questions", type=int, default=2000, help="questions for each style set")
    two.add_argument("--seed", type=int, default=0, help="which held-out scenes")
    two.set_defaults(run=measure)
    three = commands.add_parser("examples", help="make the example pictures and questions")
    three.add_argument("--model", type=Path, default=Path("assets/embedded"))
    three.add_argument("--out", type=Path, default=Path("assets/examples"))
    three.set_defaults(run=show)
    for command in (one, two, three):
        command.add_argument("--device", default="auto", help="auto, cpu or cuda")
        command.add_argument("--threads", type=int, default=torch.get_num_threads())
        command.add_argument("--verbose", action="store_true", help="log wrong answers too")
    return top


def main() -> None:
    """Run the command line."""
    options = parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if options.verbose:
        logging.getLogger("pruneviz.training").setLevel(logging.DEBUG)
    options.run(options)


if __name__ == "__main__":
    main()
