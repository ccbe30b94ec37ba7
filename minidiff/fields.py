"""What a field of a dataclass may hold, said once, by its type; files, the command line and Python are read by it.

    @dataclass(frozen=True)
    class Sizes(Checked):
        layers_per_block: Layers = 2
        block_out_channels: Widths = (320, 640)
        hidden_act: Literal["gelu", "quick_gelu"] = "gelu"

    Sizes(layers_per_block=0)              # UserError: layers_per_block is 0: use a whole number from 1 to 100
    read(Sizes(), {"layers_per_block": 1}, "unet/config.json")       # the same checks, and the file in the message
    parsed("8,16", Widths, "block_out_channels")                     # (8, 16)

Types are strict: no text counts as a number, and no number as true or false; NaN and infinity are no numbers.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import cache
from reprlib import Repr
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import UserError

T = TypeVar("T")
SHORT = Repr()   # how values from outside are shown
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = 60
SHORT.maxlevel = SHORT.maxlist = SHORT.maxtuple = SHORT.maxdict = 4
LARGEST = 1e30  # of any number, and of what a product of a few of them may reach in float64


class Between(NamedTuple):
    """The range of a number, or of the length of a text or list; `most` itself is in it unless it is `open`."""

    least: float
    most: float
    open: bool = False

    def holds(self, value) -> bool:
        size = len(value) if isinstance(value, str | tuple) else value
        return self.least <= size < self.most or (size == self.most and not self.open)

    def __str__(self):
        least, most = (f"{bound:g}" if isinstance(bound, float) else str(bound) for bound in (self.least, self.most))
        return f"from {least} to less than {most}" if self.open else f"from {least} to {most}"


Steps = Annotated[int, Between(0, 1_000_000_000)]
Count = Annotated[int, Between(1, 1_000_000_000)]
Layers = Annotated[int, Between(1, 100)]
Depth = Annotated[int, Between(0, 100)]                # of a transformer; one without layers only embeds
Width = Annotated[int, Between(1, 16384)]              # channels: the widest published model of this kind has 5120
Widths = Annotated[tuple[Width, ...], Between(1, 8)]   # one for each resolution
Side = Annotated[int, Between(1, 2048)]                # of an image in pixels
Tokens = Annotated[int, Between(1, 1_000_000)]
Id = Annotated[int, Between(0, 1_000_000)]
Length = Annotated[int, Between(2, 4096)]              # tokens of a text
Epsilon = Annotated[float, Between(1e-12, 1)]
Fraction = Annotated[float, Between(0, 1)]
Decay = Annotated[float, Between(0, 1, open=True)]
Factor = Annotated[float, Between(0, 1e6)]
Text = Annotated[str, Between(0, 4096)]
Name = Annotated[str, Between(1, 60)]
Activation = Literal["gelu", "quick_gelu"]
Precision = Literal["float32", "tf32", "bf16"]         # to which the factors of products are rounded


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is of this kind: a class, a Literal, a tuple[kind, ...], a union, or Annotated[kind, Between]."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return fits(value, parts[0]) and all(part.holds(value) for part in parts[1:])
    if origin is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if origin in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if origin is tuple:
        return isinstance(value, tuple) and all(fits(item, parts[0]) for item in value)
    if kind in (int, float):
        numbers = int if kind is int else int | float
        return isinstance(value, numbers) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST
    return isinstance(value, kind)


def described(kind: Any) -> str:
    """What a value of this kind is, in words: 'a whole number from 1 to 64'."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        if get_origin(parts[0]) is not tuple:
            return " ".join([described(parts[0]), *(["of a length"] if parts[0] is str else []), *map(str, parts[1:])])
        return f"a list of {parts[1].least} to {parts[1].most}, each {described(get_args(parts[0])[0])}"
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if origin in (Union, UnionType):
        return " or ".join(map(described, parts))
    if origin is tuple:
        return f"a list, each {described(parts[0])}"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text", NoneType: "null"}.get(
        kind, "an object")


def parsed(text: str, kind: Any, name: str) -> Any:
    """A value of this kind as people write it: 8, 1e-4, true, or 8,16,32. Raises UserError, which says the `name`."""
    try:
        value = _converted(text, kind)
    except ValueError:
        value = text
    if not fits(value, kind):
        raise misfit(name, value, kind)
    return value


def _converted(text, kind):
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _converted(text, parts[0])
    if origin is tuple:
        return tuple(_converted(part, parts[0]) for part in text.split(","))
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return kind(text) if kind in (int, float) else text


class Checked:
    """A dataclass whose fields are checked whenever one is made."""

    def __post_init__(self):
        check_fields(self)


def check_fields(instance: Any) -> None:
    """Raises UserError unless each field of a dataclass is of the kind that its type says."""
    for name, kind in types_of(type(instance)).items():
        if not fits(getattr(instance, name), kind):
            raise misfit(name, getattr(instance, name), kind)


def read(default: T, values: dict, source: str) -> T:
    """A dataclass, `default`, with the values that a JSON object has for its fields; it may have others too.

    Lists become tuples, and objects are read into the fields that are dataclasses. Raises UserError, which names the
    `source`, for a value that does not fit.
    """
    known = {}
    for field in fields(default):
        if field.name not in values:
            continue
        value, own = values[field.name], getattr(default, field.name)
        if is_dataclass(own) and isinstance(value, dict):
            value = read(own, value, f"{source}: {field.name}")
        known[field.name] = tuple(value) if isinstance(value, list) else value
    try:
        return replace(default, **known)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error


@cache
def types_of(cls: type) -> dict[str, Any]:
    """The kind of each field of a dataclass."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in fields(cls)}


def misfit(name: str, value: Any, kind: Any) -> UserError:
    return UserError(f"{name} is {shown(value)}: use {described(kind)}")


def shown(value: Any) -> str:
    """A value from outside as part of a message: short, however long or deep it is."""
    try:
        return " ".join(SHORT.repr(value).split())[:160]
    except ValueError:  # Python writes no number of more than 4300 digits
        return "too long a number"
