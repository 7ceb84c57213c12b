"""How close the pruned answer is to the baseline's."""

from __future__ import annotations

from html import escape

from pruneviz.engine import Comparison
from pruneviz.ui.shared.answers import diff_html
from pruneviz.ui.shared.numbers import signed
from pruneviz.ui.shared.texts import FIDELITY_NOTES


def nats(value: float, sign: str = "-") -> str:
    """A log-probability: three decimals, of small ones two digits; `sign` ``"+"`` writes both."""
    kind = ".3f" if abs(value) >= 0.01 or value == 0 else ".2g"
    return signed(format(value, sign + kind))


def _kl(value: float | None) -> str:
    return "they do not" if value is None else f"{value:.3g}"


def fidelity_html(done: Comparison) -> str:
    """Six numbers with a line on each, and the token-level difference."""
    if done.fidelity is None:
        return '<p class="pv-note">The run was stopped, so the answers were not compared.</p>'
    found = done.fidelity
    apart = found.first_divergence
    drop = found.answer_logprob - found.baseline_logprob
    stats = [
        ("Same answer", "yes" if found.exact_match else "no", FIDELITY_NOTES["match"]),
        (
            "Parts at token",
            "never" if apart is None else f"{apart + 1}",
            FIDELITY_NOTES["divergence"],
        ),
        ("First-token KL", f"{found.first_token_kl:.3g}", FIDELITY_NOTES["kl"]),
        ("KL where they part", _kl(found.parting_kl), FIDELITY_NOTES["parting"]),
        (
            "Largest KL",
            f"{found.largest_kl:.3g} at token {found.largest_kl_at + 1}",
            FIDELITY_NOTES["largest"],
        ),
        (
            "Log-probability",
            f"{nats(found.baseline_logprob)} → {nats(found.answer_logprob)} ({nats(drop, '+')})",
            FIDELITY_NOTES["logprob"],
        ),
    ]
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><dd class='pv-note'>{escape(note)}"
        "</dd></div>"
        for name, value, note in stats
    )
    diff = ""
    if not found.exact_match:
        diff = diff_html(done.baseline.tokens, done.pruned.tokens, ("Baseline", done.pruned.label))
    return f'<section aria-label="Fidelity">{diff}<dl class="pv-stats">{cells}</dl></section>'
