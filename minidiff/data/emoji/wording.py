"""English for the captions of emoji: articles, plurals, names without their colour."""

from __future__ import annotations

import re

COLOUR_WORDS = re.compile(r"^(?:light |dark )?(?:red|orange|yellow|green|cyan|blue|purple|pink|brown|black|white|grey|"
                          r"gray) ")
VOWEL = re.compile(r"(?!one\b|eu|ewe|uni|use|ura)[aeiou]|hour|x-", re.IGNORECASE)  # as it sounds: a unicorn, an hour
TAIL = re.compile(r" (?:with|of|in|on|and|without|over|by|from|to|at|for) .*")
IRREGULAR = {"man": "men", "woman": "women", "person": "people", "child": "children", "mouse": "mice", "foot": "feet",
             "tooth": "teeth", "goose": "geese", "leaf": "leaves", "wolf": "wolves", "knife": "knives", "elf": "elves",
             "sheep": "sheep", "fish": "fish", "shrimp": "shrimp", "squid": "squid", "deer": "deer", "bison": "bison",
             "moose": "moose", "ox": "oxen", "potato": "potatoes", "tomato": "tomatoes",
             "mango": "mangoes", "volcano": "volcanoes", "tornado": "tornadoes", "scarf": "scarves"}
NO_HEADS = {"away", "camping", "construction", "cooking", "decreasing", "dizzy", "done", "exhaling", "foggy",
            "increasing", "locked", "skis", "struck", "thirty", "unlocked", "up", "volume", "vomiting"}
MASS = {"bacon", "badminton", "bowling", "bread", "butter", "custard", "dna", "fog", "garlic", "hockey", "ice",
        "lacrosse", "luggage", "mate", "meat", "money", "oden", "popcorn", "rice", "sake", "salt", "soap", "spaghetti",
        "sushi", "tennis", "wood", "yarn"}
NUMBERS = {2: "two", 3: "three", 4: "four"}


def with_article(name: str) -> str:
    """'a penguin', 'an octopus'; names of many things, and of what can't be counted, stay without"""
    if is_plural(name) or is_mass(name):
        return name
    return f"an {name}" if VOWEL.match(name) else f"a {name}"


def is_thing(name: str) -> bool:
    """Whether a name is that of one thing, which can have an article and a number; not so 'page facing up'."""
    return not is_plural(name) and not NO_HEADS & {*TAIL.sub("", name).replace("-", " ").split()[-1:]}


def is_mass(name: str) -> bool:
    """Whether a name is that of something that can't be counted: bread, ice hockey."""
    return TAIL.sub("", name).rpartition(" ")[2] in MASS


def is_plural(name: str) -> bool:
    """Whether a name is that of many things."""
    head = TAIL.sub("", name)
    return (head.endswith("s") and not head.endswith(("ss", "us", "is", "os"))) or head.endswith("people")


def plural(name: str) -> str:
    """'penguins', 'glasses of milk', 'snowmen'"""
    tail = TAIL.search(name)
    head = name[:tail.start()] if tail else name
    first, space, word = head.rpartition(" ")
    return first + space + _plural_word(word) + (tail[0] if tail else "")


def _plural_word(word):
    for ending, many in IRREGULAR.items():
        if word == ending or (ending in ("man", "woman") and word.endswith(ending) and word != "human"):
            return word[:-len(ending)] + many
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


def without_colour(name: str) -> str:
    """'apple' for 'green apple'"""
    return COLOUR_WORDS.sub("", name)
