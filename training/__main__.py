"""Command line: ``python -m training train``, ``evaluate`` or ``examples``."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pruneviz.models.core.knowledge import load_knowledge
from training.evaluate import alone, answer, evaluate, held_out, load, redrawn
from training.examples import make_examples
from training.familiar import save_statistics
from training.joint import train_align, train_joint
from training.openmoji import HOW_TO_GET, OPENMOJI, add_openmoji
from training.pruned import accuracy_under_pruning
from training.record import PARTS, add_measurement, start_record
from training.settings import Settings
from training.symbolic import train_symbolic
from training.tower import train_tower
from training.whole import WholeModel, export

logger = logging.getLogger("training")
EMBEDDED = Path("assets/embedded")
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
            model = _whole(settings, work, torch.device("cpu"))
            export(model, settings, options.out)
            save_statistics(model, settings, options.out)
            start_record(options.out)


def measure(options: argparse.Namespace) -> None:
    """Print accuracy by kind, about drawings seen in training, held out, and by others."""
    torch.set_num_threads(options.threads)
    sets = {name: held_out(options.questions, name, options.seed) for name in ("seen", "held_out")}
    if options.openmoji:
        add_openmoji(options.openmoji)
        sets["openmoji"] = redrawn(options.questions, OPENMOJI, options.seed)
        sets["openmoji"] += alone(OPENMOJI, seed=options.seed)
    model, processor = load(options.model, str(pick_device(options.device)))
    found: dict[str, Any] = {"seed": options.seed}
    for styles, asked in sets.items():
        logger.info("%s", PARTS[styles])
        scores = evaluate(model, processor, asked)
        for kind, score in scores.items():
            logger.info("  %-10s %s", kind, score)
        found[styles] = {kind: (score.right, score.total) for kind, score in scores.items()}
    if options.record:
        add_measurement(options.model, "accuracy", found)


def _claims(folder: Path) -> tuple[str, ...]:
    knowledge = load_knowledge(folder)
    if knowledge is None or not knowledge.claims:
        raise SystemExit(f"{folder} claims no kind of question; run evaluate --record first.")
    return knowledge.claims


def measure_pruned(options: argparse.Namespace) -> None:
    """Print accuracy by method and keep ratio, on questions of the kinds that are claimed."""
    torch.set_num_threads(options.threads)
    claims = _claims(options.model)
    model, processor = load(options.model, str(pick_device(options.device)))
    asked = held_out(options.questions, "seen", options.seed, claims)
    rows = accuracy_under_pruning(model, processor, asked)
    if options.record:
        found = {"seed": options.seed, "kinds": list(claims), "rows": rows}
        add_measurement(options.model, "pruning", found)


def measure_speed(options: argparse.Namespace) -> None:
    """Print how long loading takes, and answering one question at a time."""
    torch.set_num_threads(options.threads)
    begun = time.perf_counter()
    model, processor = load(options.model, str(pick_device(options.device)))
    logger.info("loading: %.2f s", time.perf_counter() - begun)
    seconds = []
    for one in held_out(options.questions, "seen"):
        begun = time.perf_counter()
        answer(model, processor, [one])
        seconds.append(time.perf_counter() - begun)
    seconds.sort()
    middle, last = seconds[len(seconds) // 2], seconds[-1]
    logger.info("an answer, picture to text: median %.2f s, longest %.2f s", middle, last)


def show(options: argparse.Namespace) -> None:
    """Make the example pictures and choose their questions, of the kinds that are claimed."""
    torch.set_num_threads(options.threads)
    claims = _claims(options.model)
    make_examples(*load(options.model, str(pick_device(options.device))), options.out, claims)


def parser() -> argparse.ArgumentParser:
    """Return the argument parser."""
    top = argparse.ArgumentParser(prog="python -m training")
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> Any:
        made = commands.add_parser(name, help=text)
        made.set_defaults(run=run)
        made.add_argument("--device", default="auto", help="auto, cpu or cuda")
        made.add_argument("--threads", type=int, default=torch.get_num_threads())
        made.add_argument("--verbose", action="store_true", help="log wrong answers too")
        if name != "train":
            made.add_argument("--model", type=Path, default=EMBEDDED, help="model folder")
        return made

    made = command("train", train, "train the embedded model")
    made.add_argument("--out", type=Path, default=EMBEDDED, help="model folder")
    made.add_argument("--work", type=Path, default=Path("runs/embedded"), help="checkpoints")
    made.add_argument("--stage", choices=("all", *STAGES), default="all")
    made.add_argument("--resume", action="store_true", help="go on from the checkpoints")
    record = "write the result into the model's folder"
    made = command("evaluate", measure, "measure accuracy on held-out scenes")
    made.add_argument("--questions", type=int, default=2000, help="questions for each style set")
    made.add_argument("--seed", type=int, default=0, help="which held-out scenes")
    made.add_argument("--record", action="store_true", help=record)
    made.add_argument("--openmoji", type=Path, metavar="FOLDER", help=HOW_TO_GET)
    made = command("pruning", measure_pruned, "measure accuracy under every pruning method")
    made.add_argument("--questions", type=int, default=400, help="the same for all methods")
    made.add_argument("--seed", type=int, default=1, help="which held-out scenes")
    made.add_argument("--record", action="store_true", help=record)
    made = command("speed", measure_speed, "time loading and answering on this machine")
    made.add_argument("--questions", type=int, default=20, help="asked one at a time")
    made = command("examples", show, "make the example pictures and choose their questions")
    made.add_argument("--out", type=Path, default=Path("assets/examples"))
    return top


def main() -> None:
    """Run the command line."""
    options = parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if options.verbose:
        logging.getLogger("training").setLevel(logging.DEBUG)
    options.run(options)


if __name__ == "__main__":
    main()
