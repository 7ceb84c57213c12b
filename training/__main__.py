"""Command line: ``python -m training train``, ``evaluate``, ``familiar`` or ``examples``."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pruneviz.models.core.knowledge import load_knowledge
from pruneviz.scenes.questions import KINDS
from training.arguments import (
    count,
    device,
    minutes,
    model_folder,
    openmoji_folder,
    picture_folder,
    processes,
    seed,
    share,
)
from training.depth import accuracy_by_depth
from training.evaluate import answer, evaluate, load
from training.examples import make_examples
from training.familiar import check, save_statistics
from training.held_out import SETS, alone, held_out
from training.openmoji import HOW_TO_GET, OPENMOJI, add_openmoji
from training.pruned import COMPARED, CONTENDERS, RATIOS, accuracy_under_pruning
from training.record import PRUNED, SET_TITLES, add_measurement
from training.run import STAGES, WORK, train
from training.settings import Settings
from training.whole import WholeModel

logger = logging.getLogger("training")
EMBEDDED = Path("assets/embedded")
MINUTES = (
    "for the stages symbolic and joint together, in place of their steps; what is fitted before "
    "them, and the export with its statistics, come on top"
)
OWN = "of the kept tokens; own: as each method was published"


def measure(options: argparse.Namespace) -> None:
    """Print accuracy by kind, for every set of held-out questions."""
    if options.sets == [OPENMOJI] and not options.openmoji:
        raise SystemExit("The set openmoji needs its drawings: --openmoji FOLDER.")
    if options.record and not {"scenes", "novel"} <= set(options.sets):
        raise SystemExit("A record needs the sets scenes and novel.")
    torch.set_num_threads(options.threads)
    names = [name for name in options.sets if name != OPENMOJI or options.openmoji]
    sets = {}
    if options.openmoji:
        add_openmoji(options.openmoji)
        sets[OPENMOJI] = alone(OPENMOJI, seed=options.seed)
    for name in names:
        sets[name] = held_out(options.questions, name, options.seed) + sets.get(name, [])
    model, processor = load(options.model, str(options.device))
    found: dict[str, Any] = {"seed": options.seed}
    for name, asked in sets.items():
        logger.info("%s", SET_TITLES[name])
        scores = evaluate(model, processor, asked)
        for kind, score in scores.items():
            logger.info("  %-10s %s", kind, score)
        found[name] = {kind: (score.right, score.total) for kind, score in scores.items()}
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
    kinds = tuple(options.kinds or _claims(options.model))
    model, processor = load(options.model, str(options.device))
    asked = held_out(options.questions, options.set, options.seed, kinds)
    rows: list[dict[str, Any]] = []
    for positions in options.positions:
        logger.info("positions: %s", positions)
        chosen = None if positions == "own" else positions
        common = (options.methods, options.keep_ratios, chosen)
        rows += accuracy_under_pruning(model, processor, asked, *common)
    if options.record:
        found = {"set": options.set, "seed": options.seed, "kinds": list(kinds), "rows": rows}
        add_measurement(options.model, PRUNED[options.set], found)


def measure_depth(options: argparse.Namespace) -> None:
    """Print accuracy by kind with all visual tokens dropped after a layer."""
    torch.set_num_threads(options.threads)
    model, processor = load(options.model, str(options.device))
    asked = held_out(options.questions, options.set, options.seed)
    kinds = accuracy_by_depth(model, processor, asked)
    layers = range(model.config.text_config.num_hidden_layers + 1)
    logger.info("%-10s %s", "after", " ".join(f"{layer:3d}" for layer in layers))
    for kind, counts in kinds.items():
        logger.info("%-10s %s", kind, " ".join(f"{100 * r / n:3.0f}" for r, n in counts))
    if options.record:
        found = {"set": options.set, "seed": options.seed, "kinds": kinds}
        add_measurement(options.model, "depth", found)


def measure_speed(options: argparse.Namespace) -> None:
    """Print how long loading takes, and answering one question at a time."""
    torch.set_num_threads(options.threads)
    begun = time.perf_counter()
    model, processor = load(options.model, str(options.device))
    logger.info("loading: %.2f s", time.perf_counter() - begun)
    seconds = []
    for one in held_out(options.questions, "scenes"):
        begun = time.perf_counter()
        answer(model, processor, [one])
        seconds.append(time.perf_counter() - begun)
    seconds.sort()
    middle, last = seconds[len(seconds) // 2], seconds[-1]
    logger.info("an answer, picture to text: median %.2f s, longest %.2f s", middle, last)


def tell_strange(options: argparse.Namespace) -> None:
    """Take statistics of training pictures anew, or print how often pictures get a hint."""
    torch.set_num_threads(options.threads)
    settings = Settings()
    if options.out and (options.openmoji or options.pictures):
        raise SystemExit("--openmoji and --pictures go with --check.")
    if options.check:
        check(options.model, settings, options.scenes, options.openmoji, options.pictures)
        return
    model = WholeModel(settings)
    model.take(options.model)
    save_statistics(model, settings, options.out)


def show(options: argparse.Namespace) -> None:
    """Make the example pictures and choose their questions, of the kinds that are claimed."""
    torch.set_num_threads(options.threads)
    claims = _claims(options.model)
    make_examples(*load(options.model, str(options.device)), options.out, claims)


def parser() -> argparse.ArgumentParser:
    """Return the argument parser."""
    top = argparse.ArgumentParser(prog="python -m training")
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> Any:
        made = commands.add_parser(name, help=text)
        made.set_defaults(run=run)
        made.add_argument("--device", type=device, default="auto", help="auto, cpu or cuda")
        threads, cores = "threads to compute with (%(default)s)", torch.get_num_threads()
        made.add_argument("--threads", type=count, default=cores, help=threads)
        made.add_argument("--verbose", action="store_true", help="log wrong answers too")
        if name != "train":
            made.add_argument("--model", type=model_folder, default=EMBEDDED, help="model folder")
        return made

    made = command("train", train, "train the embedded model")
    out = f"the new model's folder (WORK/model); {EMBEDDED} replaces the one that ships"
    made.add_argument("--out", type=Path, help=out)
    made.add_argument("--work", type=Path, default=WORK, help="checkpoints (%(default)s)")
    made.add_argument("--stage", choices=("all", *STAGES), default="all", help="which to run")
    made.add_argument("--resume", action="store_true", help="go on from the checkpoints")
    made.add_argument("--minutes", type=minutes, help=MINUTES)
    made.add_argument(
        "--workers", type=processes, help="processes that draw; default: by the cores"
    )
    start = made.add_mutually_exclusive_group()
    start.add_argument("--begin", type=model_folder, metavar="MODEL", help="go on with this model")
    start.add_argument("--tower", type=model_folder, metavar="MODEL", help="begin with its tower")
    record = "write the result into the model's folder"
    made = command("evaluate", measure, "measure accuracy on held-out scenes")
    made.add_argument("--questions", type=count, default=2000, help="questions for each set")
    made.add_argument(
        "--sets", nargs="+", choices=tuple(SETS), default=list(SETS), help="which sets of questions"
    )
    made.add_argument("--seed", type=seed, default=0, help="which held-out scenes")
    made.add_argument("--record", action="store_true", help=record)
    made.add_argument("--openmoji", type=openmoji_folder, metavar="FOLDER", help=HOW_TO_GET)
    made = command("pruning", measure_pruned, "measure accuracy under pruning methods")
    made.add_argument("--questions", type=count, default=300, help="the same for all methods")
    made.add_argument("--set", choices=tuple(PRUNED), default="scenes", help="which questions")
    made.add_argument("--kinds", nargs="+", choices=KINDS, help="default: those claimed")
    made.add_argument(
        "--methods",
        nargs="+",
        choices=CONTENDERS,
        default=COMPARED,
        metavar="METHOD",
        help="of " + ", ".join(CONTENDERS),
    )
    made.add_argument("--keep-ratios", nargs="+", type=share, default=RATIOS, help="final")
    positions = ("own", "keep", "renumber")
    made.add_argument("--positions", nargs="+", choices=positions, default=("own",), help=OWN)
    made.add_argument("--seed", type=seed, default=1, help="which held-out scenes")
    made.add_argument("--record", action="store_true", help=record)
    made = command("depth", measure_depth, "drop all visual tokens after each layer in turn")
    made.add_argument("--questions", type=count, default=600, help="(%(default)s)")
    made.add_argument("--set", choices=tuple(PRUNED), default="scenes", help="which questions")
    made.add_argument("--seed", type=seed, default=1, help="which held-out scenes")
    made.add_argument("--record", action="store_true", help=record)
    made = command("speed", measure_speed, "time loading and answering on this machine")
    made.add_argument("--questions", type=count, default=20, help="asked one at a time")
    made = command("familiar", tell_strange, "statistics of familiar pictures")
    task = made.add_mutually_exclusive_group(required=True)
    task.add_argument("--check", action="store_true", help="measure how often a hint shows")
    into = "take the statistics anew and write them into this folder, --model's own to replace its"
    task.add_argument("--out", type=model_folder, metavar="FOLDER", help=into)
    made.add_argument("--scenes", type=count, default=500, help="held-out scenes of each sort")
    only = "with --check: "
    made.add_argument(
        "--openmoji", type=openmoji_folder, metavar="FOLDER", help=f"{only}OpenMoji's"
    )
    made.add_argument(
        "--pictures", type=picture_folder, metavar="FOLDER", help=f"{only}any pictures"
    )
    made = command("examples", show, "make the example pictures and choose their questions")
    out = "where to write (%(default)s); assets/examples replaces those of the page"
    made.add_argument("--out", type=Path, default=Path("runs/examples"), help=out)
    return top


def main() -> None:
    """Run the command line."""
    options = parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if options.verbose:
        logging.getLogger("training").setLevel(logging.DEBUG)
    try:
        options.run(options)
    except KeyboardInterrupt:
        logger.info("stopped")
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
