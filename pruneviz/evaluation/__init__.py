"""Evidence over many questions: ask, log, score, and say how much can be pruned."""

from pruneviz.evaluation.asking import Asker
from pruneviz.evaluation.builtin import SETS, SceneSet, scene_cases
from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.crew import Crew, crew_on
from pruneviz.evaluation.data import load_cases
from pruneviz.evaluation.files import DataError, file_cases, folder_cases
from pruneviz.evaluation.identity import how_of, identity_of
from pruneviz.evaluation.log import Log, read_rows
from pruneviz.evaluation.plan import Arm, How, Plan, Task, arms_of
from pruneviz.evaluation.recommending import Recommendation, recommend
from pruneviz.evaluation.results import Group, Results, collect
from pruneviz.evaluation.runner import Progress, Tally, evaluate, units
from pruneviz.evaluation.scoring import Truth
from pruneviz.evaluation.statistics import Entry, Pair, Share, entries
from pruneviz.evaluation.worker import Job
from pruneviz.evaluation.writing import write_outcome

__all__ = [
    "SETS",
    "Arm",
    "Asker",
    "Case",
    "Crew",
    "DataError",
    "Entry",
    "Group",
    "How",
    "Job",
    "Log",
    "Pair",
    "Plan",
    "Progress",
    "Recommendation",
    "Results",
    "SceneSet",
    "Share",
    "Tally",
    "Task",
    "Truth",
    "arms_of",
    "collect",
    "crew_on",
    "entries",
    "evaluate",
    "file_cases",
    "folder_cases",
    "how_of",
    "identity_of",
    "load_cases",
    "read_rows",
    "recommend",
    "scene_cases",
    "units",
    "write_outcome",
]
