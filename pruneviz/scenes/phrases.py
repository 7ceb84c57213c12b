"""How questions are worded: patterns with choices, and what people put before and after them.

``[a|b]`` in a pattern is one of these, ``<name>`` one of :data:`CHOICES`, ``{slot}`` is filled by
the question. See :mod:`pruneviz.scenes.saying`.
"""

from __future__ import annotations

from pruneviz.scenes.vocabulary import PLACES


def _at(place: str) -> tuple[str, ...]:
    if place == "middle":
        return ("in the middle", "in the center", "in the centre", "at the center")
    if place in ("left", "right"):
        side = (f"on the {place}", f"at the {place}", f"on the {place} side")
        return (*side, f"in the middle {place}")
    if " " in place:
        row, column = place.split()
        other = f"{'upper' if row == 'top' else 'lower'} {column}"
        near = (f"at the {place}", f"in the {place}", f"in the {place} corner", f"on the {place}")
        return (*near, f"at the {other}", f"in the {other}", f"in the {other} corner")
    return (
        f"at the {place}",
        f"on the {place}",
        f"in the {place} middle",
        f"at the {place} center",
    )


# The first of each place is the one that answers use.
AT = {place: _at(place) for place in PLACES}

CHOICES = {
    "pic": "[the|this] [picture|image|photo|drawing|scene]",
    "in": "[in the picture|in the image|in this picture|in this image|in the photo|here]",
    "see": "[do you see|can you see|can i see|do we see|do you spot|can you find|can you spot"
    "|do you notice]",
    "lead": "[tell me|can you tell me|could you tell me|can you say|could you say|please tell me"
    "|do you know|i want to know|say|please say|let me know|i would like to know]",
    "obj": "[object|object|thing|item]",
    "objs": "[objects|objects|things|items]",
    "card": "[the card|the card|the card|the card|the sign|the note]",
    "col": "[color|colour]",
    "wh": "[which|what]",
    "num": "[number|number|digit]",
    "seen": "[is|is there|is shown|is located|is placed|can be seen|is visible|stands|lies]",
}

# The first pattern of each is the plain one that example questions use.
PATTERNS: dict[str, tuple[str, ...]] = {
    "what": (
        "what [is this|is it|is in the picture|is shown here|do you see]",
        "what is [this|it|that|here|there|shown|visible|this thing|this object|<in>]",
        "what <see>[|| <in>]",
        "what does <pic> [show|contain|have]",
        "<wh> <obj> [is this|is it|is shown|is <in>|is there|<see>|does <pic> show]",
        "[name|identify] [the <obj>|this <obj>|this|it|what you see]",
        "<lead> what [this|it|that|this <obj>|the <obj>] is",
        "<lead> what [you see|you can see|is shown|is <in>|<pic> shows]",
        "what [am i|are you|are we] looking at",
        "what [kind|sort|type] of <obj> is [this|it|that|shown]",
        "[describe|tell me about] [<pic>|this <obj>|what you see]",
        "[<pic> shows|you see|this is] what",
        "what is the <obj>[|| <in>]",
        "who is [this|that|it|there|<in>]",
    ),
    "place": (
        "what [is|do you see|can you see|is shown] {at}",
        "what <seen> {at}[|| of <pic>]",
        "what <see> {at}[|| of <pic>]",
        "<wh> <obj> [<seen>|<see>] {at}[|| of <pic>]",
        "name [the <obj>|what is|what you see] {at}[|| of <pic>]",
        "{at}[| of <pic>], what [is there|do you see|is it|can you see|is shown]",
        "look {at}[, |: | ]what [is there|do you see|is it]",
        "<lead> what [is|is shown|you see|is there|can be seen] {at}[|| of <pic>]",
        "[is there|do you see|can you see] [something|anything] {at}",
        "[the <obj>|what you see] {at} is what",
        "what is the <obj> {at}[|| of <pic>]",
        "[describe|show me] [what is|the <obj>] {at}",
    ),
    "category": (
        "<wh> {category} [is in the picture|do you see|is there|is shown]",
        "<wh> {category} [is <in>|is this|is it|is that|is there|is shown|<see>|can be seen]",
        "what [kind|sort|type] of {category} is [this|it|that|shown|there|<in>]",
        "[name|tell me|say] the {category}[|| <in>]",
        "what is [the|this] {category}[|| <in>]",
        "<lead> <wh> {category} [this is|it is|is shown|you see|is <in>|is there]",
        "<wh> {category}[| here]",
        "<wh> {category} does <pic> [show|contain|have]",
        "<wh> {category} [am i|are you|are we] looking at",
        "[describe|find|show me] the {category}",
        "there is <wh> {category}",
    ),
    "where": (
        "where is the {name}[| in the picture]",
        "where [is|do you see|can you see|can i see|can i find|can you find] the {name}[|| <in>]",
        "where [in <pic>|exactly|here] is the {name}",
        "in <wh> [place|part of <pic>|position] [is|do you see|can i find] the {name}",
        "[find|find me|show|show me|locate|point to|point at|point out|look for] the {name}",
        "<lead> where the {name} [is|can be seen|is located|is placed|is shown]",
        "<wh> [place|position|corner|part of <pic>] is the {name} [in|at]",
        "[on|at] <wh> side [|of <pic> ]is the {name}",
        "<wh> side is the {name} on",
        "[what is |]the [place|position|location] of the {name}",
        "[the {name} is where|where the {name} is]",
        "where does the {name} [stand|sit|lie]",
        "where is the {name} [located|placed|shown|to be seen]",
    ),
    "exists": (
        "[is there|do you see|can you see] {a}[| in the picture]",
        "[is there|do you see|can you see|can i see|do we see|do you spot] {a}[|| <in>| anywhere]",
        "does <pic> [show|contain|have] {a}",
        "is {a} [<in>|there|shown|visible|in there|to be seen|part of <pic>]",
        "is {a} [one of|among] [the|these] <objs>",
        "is [one|any] of [the|these] <objs> {a}",
        "is the {name} [<in>|there|visible|shown]",
        "[are there|do you see|can you see] any {plural}[|| <in>]",
        "[any|are there] {plural} [<in>|there]",
        "<lead> [if|whether] [there is {a}|you see {a}|{a} is <in>|<pic> [shows|contains] {a}]",
        "[there is|you see|is it true that there is] {a}[| <in>]",
        "{a} <in>",
        "is any {name} [<in>|there|visible]",
    ),
    "count": (
        "how many {plural} [are there|are in the picture|do you see]",
        "how many {plural} [are <in>|are there <in>|are shown|are visible|can be seen|is there]",
        "how many {plural} <see>[|| <in>]",
        "how many {plural} does <pic> [show|contain|have]",
        "how many {plural}[| <in>]",
        "count [the|all|all the|all of the|] {plural}[|| <in>]",
        "[tell me |say |what is |]the number of {plural}[|| <in>]",
        "<lead> how many {plural} [there are|you see|you can see|are <in>|you count]",
        "how many {plural} [can|do] you count",
        "how many of the <objs> are {plural}",
        "number of {plural}",
    ),
    "total": (
        "how many objects [are there|are in the picture|do you see]",
        "how many <objs> [are <in>|are there <in>|are shown|are visible|can be seen|is there]",
        "how many <objs> <see>[|| <in>]",
        "how many <objs> does <pic> [show|contain|have]",
        "how many <objs>[| <in>]",
        "count [the <objs>|all <objs>|all the <objs>|everything|all things]",
        "[tell me |say |what is |]the [|total ]number of <objs>[|| <in>]",
        "<lead> how many <objs> [there are|you see|you can see|are <in>|you count]",
        "how many <objs> [can|do] you count",
        "how many <objs> are there [in total|in all|altogether|together]",
        "how many [things are there|are there|do you see|can you see|are <in>]",
    ),
    "read": (
        "what [is written on the card|does the card say|is on the card]",
        "what is [written|shown|to be read|] on <card>",
        "what does [<card>|it|the text] say[|| <in>]",
        "what is written[| here| there| <in>]",
        "read [<card>|the text|it|what is written|what it says|what <card> says][|| to me]",
        "<wh> text is [on <card>|written|shown|there|<in>]",
        "what is the text[| on <card>]",
        "<lead> what [<card> says|is written|is on <card>|it says|is written on <card>]",
        "what [can|do] [you|i|we] read[| on <card>| <in>]",
        "[the text|what stands] on <card>",
        "[<card> says|it says] what",
        "what [stands|do you see|can you see] on <card>",
    ),
    "read digit": (
        "<wh> [number|digit] is on the card",
        "<wh> <num> [is on <card>|is written|is it|is shown|do you see|can you read|is <in>]",
        "<wh> <num> does <card> [show|have|say]",
        "[read|name|tell me] the <num>",
        "what is the <num>[| on <card>| <in>]",
        "<lead> <wh> <num> [is on <card>|it is|is written|is shown|you see]",
    ),
    "read word": (
        "<wh> word is on the card",
        "<wh> word [is on <card>|is written|is it|is shown|do you see|can you read|is <in>]",
        "<wh> word does <card> [show|have|say]",
        "[read|name|tell me] the word",
        "what is the word[| on <card>| <in>]",
        "<wh> letters [are on <card>|do you see|does <card> show]",
        "<lead> <wh> word [is on <card>|it is|is written|is shown|you see]",
    ),
    "colour": (
        "[what|which] [color|colour] is the card",
        "<wh> <col> is <card>[|| <in>]",
        "<wh> <col> [does <card> have|has <card>]",
        "what is the <col> of <card>[|| <in>]",
        "<lead> <wh> <col> <card> [is|has]",
        "<lead> the <col> of <card>",
        "[name|tell me|say|] the <col> of <card>",
        "in <wh> <col> is <card>[| shown]",
        "<card> is <wh> <col>",
        "[of |]<wh> <col> <card> is",
        "<card> has <wh> <col>",
        "<col> of <card>",
        "what is [<card>'s <col>|its <col>]",
    ),
    "relation": (
        "what is {side} the {name}",
        "what <seen> {side} the {name}[|| <in>]",
        "what <see> {side} the {name}[|| <in>]",
        "<wh> <obj> [<seen>|<see>] {side} the {name}",
        "name [the <obj>|what is|what you see] {side} the {name}",
        "<lead> what [is|you see|is there|is shown|can be seen] {side} the {name}",
        "what is the <obj> {side} the {name}",
        "{side} the {name}, what [is there|do you see|is it|can you see]",
        "{side} the {name} is what",
        "who is {side} the {name}",
        "look {side} the {name}[, |: | ]what [is there|do you see|is it]",
        "[describe|show me|find] the <obj> {side} the {name}",
    ),
}
SIDES = {
    "left": "[to the left of|left of|on the left of|on the left side of|at the left of]",
    "right": "[to the right of|right of|on the right of|on the right side of|at the right of]",
    "above": "[above|above|over|on top of]",
    "below": "[below|under|beneath|underneath]",
    "next": "[next to|next to|beside|close to|near|by]",
}

PREFIXES: tuple[str, ...] = (
    *("please", "hey,", "hi,", "hello,", "so,", "ok,", "now", "well,", "and", "look:"),
    *("question:", "quick question:", "<in>,", "<in>", "in <pic>,", "<lead>:"),
)
# Only before "what", "which", "where" and "how", or before a request.
BEFORE_ASKING: tuple[str, ...] = ("<lead>,", "<lead>", "i wonder")
BEFORE_REQUEST: tuple[str, ...] = (
    "can you",
    "could you",
    "can you please",
    "i want you to",
    "you should",
)
SUFFIXES: tuple[str, ...] = (
    "please",
    ", please",
    "then",
    "now",
    "thank you",
    "thanks",
    "<in>",
    "<in>",
    "in <pic>",
)
# Words that ask for nothing, at any place: other function words must not mislead the model.
STRAY: tuple[str, ...] = (
    *("um", "uh", "well", "really", "actually", "ok", "then", "hmm", "did", "was", "been", "would"),
    *("could", "might", "they", "your", "my", "just", "once", "very", "must", "also", "again"),
    *("today", "made", "some", "will", "now", "us", "our", "like", "always"),
)
SHORTENED: tuple[str, ...] = ("whats", "wheres")
