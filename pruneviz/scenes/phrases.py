"""How questions are worded. Each tuple holds phrasings of one question."""

from __future__ import annotations

from pruneviz.scenes.vocabulary import PLACES


def _at(place: str) -> tuple[str, ...]:
    if place == "middle":
        return ("in the middle", "in the center", "in the centre")
    if place in ("left", "right"):
        return (f"on the {place}", f"at the {place}", f"on the {place} side")
    if " " in place:
        return (f"at the {place}", f"in the {place}", f"in the {place} corner", f"on the {place}")
    return (f"at the {place}", f"on the {place}")


# The first of each place is the one that answers use.
AT = {place: _at(place) for place in PLACES}

WHAT = (
    "what is this",
    "what is it",
    "what is in the picture",
    "what is in the image",
    "what is shown here",
    "what do you see",
    "what can you see",
    "what does the picture show",
    "which object is this",
    "name the object.",
)
PLACE = (
    "what is {at}",
    "what is {at} of the picture",
    "what is {at} of the image",
    "what is shown {at}",
    "what do you see {at}",
    "what can you see {at}",
    "which object is {at}",
    "name the object {at}.",
)
CATEGORY = (
    "which {category} is in the picture",
    "what {category} is in the picture",
    "which {category} is this",
    "which {category} do you see",
    "what {category} can you see",
    "which {category} is there",
    "what {category} is shown",
    "name the {category}.",
)
WHERE = (
    "where is the {name}",
    "where is the {name} in the picture",
    "where can you see the {name}",
    "where do you see the {name}",
    "in which place is the {name}",
    "find the {name}.",
)
EXISTS = (
    "is there {a}",
    "is there {a} in the picture",
    "is there {a} in the image",
    "do you see {a}",
    "can you see {a}",
    "does the picture show {a}",
    "is {a} in the picture",
)
COUNT = (
    "how many {plural} are there",
    "how many {plural} are in the picture",
    "how many {plural} do you see",
    "how many {plural} can you see",
    "count the {plural}.",
)
TOTAL = (
    "how many objects are there",
    "how many objects are in the picture",
    "how many things are there",
    "how many things do you see",
    "how many objects can you see",
    "count the objects.",
)
READ = (
    "what is written on the card",
    "what does the card say",
    "what is on the card",
    "what is written here",
    "read the card.",
)
READ_DIGIT = (
    "which number is on the card",
    "what number is written",
    "which digit is on the card",
    "what digit is it",
)
READ_WORD = (
    "which word is on the card",
    "what word is written",
    "which word is it",
)
COLOUR = (
    "what color is the card",
    "what colour is the card",
    "which color is the card",
    "which colour does the card have",
)
RELATION = {
    "left": ("what is to the left of the {name}", "what is left of the {name}"),
    "right": ("what is to the right of the {name}", "what is right of the {name}"),
    "above": ("what is above the {name}", "which object is above the {name}"),
    "below": ("what is below the {name}", "what is under the {name}"),
    "next": (
        "what is next to the {name}",
        "what is beside the {name}",
        "which object is next to the {name}",
    ),
}
