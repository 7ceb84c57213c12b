"""What the tab says, in one place."""

from pruneviz.ui.howmuch.unpacking import MAX_BYTES

OWN = "own"
"""What the set of a visitor's own questions is called where sets are."""
MOST_ROWS = 30_000
"""Rows of a run on the page."""

READY = "Ready. Choose questions, methods and budgets, then press Measure."
LEAD = (
    "One question's break point is an anecdote. Here many questions are asked without pruning and "
    "under each method at each budget, which says how much can be pruned, and how sure that is. "
    "The other tabs' picture and question are not used."
)
OWN_TITLE = "My questions"
COUNT_LABEL = "How many"
COUNT_INFO = "Four about each picture."
SEED_LABEL = "Seed"
SEED_INFO = "Another one gives other scenes."
UPLOAD_LABEL = "Questions (.jsonl, .csv) and pictures (.zip)"
UPLOAD_NOTE = (
    "Each line has an image (a path in the ZIP), a question and, if known, an answer; kind, "
    "choices and more as for the command line. Up to 64 MB a file, "
    f"{MAX_BYTES // 2**20} MB unpacked. Nothing is fetched from the network."
)
SCORING_LABEL = "What makes an answer right"
SCORINGS = {
    "auto": "What each question has: choices, yes or no, an answer",
    "exact": "The accepted answer, letter for letter",
    "normalised": "The accepted answer after the VQA normalisation",
    "contains": "Containing an accepted answer",
    "yes-no": "Yes or no",
    "choice": "Multiple choice",
    "agreement": "The unpruned model's answer",
}
METHODS_INFO = (
    "Each runs with its published settings. {} are asked along: a method should beat them."
)
BUDGETS_LABEL = "Budgets (%)"
BUDGETS_INFO = "Shares of the visual tokens, of which each is asked."
KINDS = [("Tokens left at the end", "final"), ("Compute", "compute")]
KIND_INFO = "Compute: visual tokens averaged over all layers, to which the work is proportional."
TOLERANCE_LABEL = "Points that may be lost"
TOLERANCE_INFO = "Of accuracy, in all."
DRAWS_LABEL = "Draws of Random"
DRAWS_INFO = "One would be an anecdote."

WAITING = "Waiting for its turn …"
QUESTIONS = "Reading the questions …"
STOPPING = "Stopping …"
STOPPED = "Stopped."
LET_GO = "Stopped: another visitor took a model that leaves no room for this one."
NOTHING_YET = "Nothing had been answered."
KEPT = "What was answered is kept; press Measure to go on."
NOTHING_TO_SAVE = "There is nothing to save yet, or it is over an hour old. Measure first."
NOT_OPENED = "This question has no answer under that method, or it is over an hour old."
COPIED = "Command copied: it repeats this evaluation."
COPIED_OWN = "Command copied. Run it where your file and its pictures lie."
TABLE_NOTE = (
    "Accuracy with Wilson's 95 % interval. Lost / won: questions that only the unpruned model, and "
    "only the pruned one, answers right; p: McNemar's exact test of these, and against every draw "
    "of Random. Agreement: the unpruned answer. Mean share: of the unpruned accuracy, averaged "
    "over the kinds. Hard: accuracy on the questions that the downsampled picture fails. * Pareto "
    "front: nothing is as accurate for fewer FLOPs."
)
