"""What the page says, in one place."""

from pruneviz.models.registry import loadable_titles

TITLE = "PruneViz"
LEAD = (
    "Which image patches can a vision-language model do without? Ask, slide, and see whether the "
    "answer survives."
)
TASTE_OF_KINDS = {
    "what": "what is this, of a picture with one thing",
    "place": "what is at the top left",
    "category": "which animal is there",
    "where": "where is the cat",
    "exists": "is there a cat",
    "count": "how many cats are there",
    "total": "how many objects are there",
    "read": "what does the card say",
    "colour": "what colour is the card",
    "relation": "what is next to the cat",
}
OTHER_KNOWS = (
    "Answers come from this model, unchanged; only visual tokens are removed. The unpruned "
    "baseline runs on the same weights and the same attention kernels."
)
UNKNOWN_LIMITS = (
    "What it was taught, its makers say: the page cannot tell when a picture or a question is "
    "beyond it, and gives no warnings."
)
METHOD_INFO = "{} are controls: a method should beat them."
KEEP_LABEL = "Keep ratio (%)"
KEEP_INFO = "Share of the patches left after the last pruning step."
RERUN = "Run again when the slider rests"

OPENING = "Answering the first example …"
READY = "Ready. Choose a picture, ask a question."
STOPPED = "Stopped. The answers show what had arrived; what is below is the run before."
METHODS_INFO = "Each runs with its published settings. {} are controls to beat."
BUDGET_KINDS = [("Patches left at the end", "final"), ("Compute", "compute")]
BUDGET_INFO = (
    "Compute: patches averaged over all layers, which the work is roughly proportional to. Methods "
    "that drop patches late must then keep fewer."
)
BUDGET_HINT = "Share of all patches that each method may use."
COMPARE_READY = "Ready. Tick methods, choose a budget and press Compare."
COMPARE_STOPPED = "Stopped. The cards show what had finished; what waits was not run."
SWEEP_READY = (
    "Ready. Tick methods and press Sweep: each is run at every keep ratio. Random is drawn ten "
    "times at each, which takes as many runs as ten methods."
)
SWEEP_STOPPED = "Stopped. The plot shows what had been run."
RATIOS_INFO = "Share of the patches left at the end, from 100 down."
BREAK_NOTE = (
    "The break point is the smallest number of patches from which on, up to all of them, every run "
    "gave the baseline's answer, token for token. Between the last count that fails and the next "
    "that holds, the search halves the gap down to one patch; it assumes that the answer changes "
    "once in there. Patches at the end say little of compute where a method drops late: the layer "
    "average and the FLOPs do. Methods that choose a number of tokens by themselves, such as "
    "PruMerge in its paper, are told here how many."
)
CHANCE_NOTE = (
    "Random subsets, {} drawn at each keep ratio. A method does better than chance where the "
    "baseline's answer is more probable than after every one of them, at an equal layer average; "
    "by luck alone one draw more would lie above ten others once in eleven times. Where lucky "
    "draws give the answer, no method can do better than they do. Between two ratios the "
    "band is read on the line from one to the other."
)
VALUES_NOTE = (
    "Log-prob.: how likely the pruned model finds the baseline's answer (nats per token, 0 = "
    "certain). KL: how far the first answer token's probabilities moved (0 = not at all); those of "
    "the token at which the answers part, after the words that both share (empty where they do "
    "not); and the largest move of any. FLOPs: true ones against the baseline's, encoder and "
    "choosing included; the papers' count visual tokens in the language model only. * run in "
    "search of the break point."
)

CHOOSE_MODEL = "Model"
ANOTHER = "Another …"
TYPED_LABEL = "Hub id or folder"
*_OTHERS, _LAST = loadable_titles()
TYPED_INFO = (
    f"A {', '.join(_OTHERS)} or {_LAST} model on the hub, or a folder on this page's server."
)
PHOTOGRAPHS = (
    "For photographs, by memory needed; a press downloads the model from the hub and takes it:"
)
USE_MODEL = "Use this model"
NOT_TYPED = "Type a hub id or the path of a folder first."
IN_USE = "This model is in use."
IN_MEMORY = "In memory: it can be used at once."
NOT_HERE = (
    "Its files are not on this machine. They are downloaded first, which may take long; how much "
    "memory it takes is not known before."
)
SIZE_UNKNOWN = "How much memory its weights take cannot be read from its files."
FETCH_STOPPED = "Stopped. What had come stays for the next time."
MODEL_WAITS = "Its files are here. Waiting for the runs before it …"
NEW_COMPARE = "{} answers from now on. Cards below, if any, are from the model before."
NEW_HOWMUCH = "{} answers from now on. Results below, if any, are from the model before."
NEW_SWEEP = "{} answers from now on. A plot below, if any, is from the model before."

WAITING = "Waiting for the model …"
READING = "Reading the picture …"

NOTHING_TO_EXPORT = "There is no result to export yet, or it is over an hour old. Ask first."
NO_RUN_TO_EXPORT = (
    "There is no result to export yet, or it is over an hour old. Run the methods first."
)
TAB_LINK_COPIED = "Link copied: it brings back example, question and this tab's settings."
TAB_LINK_WITHOUT_PICTURE = (
    "Link copied, without your picture: it stays on this machine. Whoever opens the link finds the "
    "question and this tab's settings, and has to add the picture."
)
SWAP_NEEDS_TWO = "Choose two methods that have run and that choose patches instead of merging them."
RUN_OTHER_MODEL = "Another model has been chosen since. Compare again first."
RUN_OTHER_PICTURE = "The picture of this comparison is no longer there. Compare again first."
LINK_SETTINGS = "The link's settings are filled in. Press the button to run them."
LINK_COPIED = "Link copied: it brings back example, question, method, settings and pins."
LINK_WITHOUT_PICTURE = (
    "Link copied, without your picture: it stays on this machine. Whoever opens the link finds "
    "question, method and settings, and has to add the picture; pins are left out with it."
)
COMMAND_COPIED = "Command copied: it repeats this result and writes all files to a folder."
COMMAND_OWN_PICTURE = "Command copied. Run it where your picture lies, or put its path in."
LINK_WITHOUT_MODEL = "But not the model: that was named by hand and has to be again."
LINK_OTHER_MODEL = (
    "This link was made with the model {}, which is not offered here. Press Ask to put its "
    "question to this page's own model."
)
LINK_NEEDS_PICTURE = "This link came without its picture. Add one, then press Ask."

COST_NOTE = (
    "Everything but measured times follows from the lengths that really ran, so it holds on any "
    "machine."
)
SMALL_MODEL_NOTE = (
    "The model is tiny, so measured times are mostly overhead and chance: on it, differences in "
    "time mean little."
)
TIME_NOTE = (
    "Times: medians of {} pairs, unpruned and pruned in turn, on {}. Shares: median of the pairs' "
    "own shares, with their quartiles."
)
MEASURE = "Measure time"
MEASURE_NOTE = (
    "Runs this question unpruned and pruned in turn, {} times each: times of different moments "
    "cannot be compared."
)
AGAINST_NOTE = (
    "How far does each method's opinion of the patches agree with what they do? Blocks of patches "
    "are taken away from the unpruned model, one after another: {} forwards in all, once for all "
    "methods. Ask's part “What matters” measures and shows the same map."
)
AGAINST_DONE = (
    "What matters: {0} blocks of {1} x {1} patches, each taken away in turn; the baseline's answer "
    "became less likely by at most {2}. The table's last two columns set every method against that."
)
MATTERS_STOPPED = "Stopped. The map shows what had been tried."
MEASURE_STOPPED = "Stopped. No time was measured."
NOTHING_TO_MEASURE = "There is no result to measure yet, or it is over an hour old. Ask first."

FIDELITY_NOTES = {
    "match": "Whether both answers are the same, token for token.",
    "divergence": "The first answer token at which they part.",
    "kl": "How far the first answer token's probabilities moved (nats; 0 = not at all).",
    "parting": "The same at the first token at which the answers differ.",
    "largest": "The same at the token of the baseline's answer where it is largest.",
    "logprob": "How likely each run finds the baseline's answer (nats per token; 0 = certain).",
}
COST_HINTS = {
    "final": "Patches still in the model at its last layer.",
    "average": "Averaged over all layers: what the work is roughly proportional to.",
    "paper": "The papers' formula: visual tokens in the language model only.",
    "llm": "Two per multiply-add; text tokens, attention and the output layer included.",
    "choosing": "What the method computes to choose, counted as it ran.",
    "total": "What a measured time of the prefill can be held against.",
    "vision": "Encoder and projector. Pruning after the encoder cannot save this.",
    "kv": "Memory that the prompt's keys and values take during the answer.",
    "t_prefill": "From picture and prompt to the first answer token, choosing included.",
    "t_token": "Mean of the answer tokens after the first.",
    "t_whole": "From the call to the last token, as long in both runs.",
}
