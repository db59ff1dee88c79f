"""Typed values: what each type takes, and the canonical text that is stored (DESIGN.md §2, §4)."""

from configsvc.domain import strict_json

#: One value. Larger things belong in a file or an object store, with the setting naming them.
VALUE_BYTES_MAX = 256 * 1024

_EXPECTED = {
    "string": "a JSON string",
    "int": "a JSON integer in 64 bits, without fraction, exponent or quotes",
    "float": "a JSON number that a 64-bit float holds exactly",
    "bool": "true or false",
    "json": "any JSON",
}


def to_text(type_: str, value: object) -> str:
    """Return the canonical JSON text of ``value``, which came through the strict door, as a value of ``type_``.

    Raises:
        ValueError: the value is not of the type, or larger than ``VALUE_BYTES_MAX``; the message does not quote the
        value.
    """
    if not _fits(type_, value):
        raise ValueError(f"must be {_EXPECTED[type_]}, because the key's type is {type_}")
    if type_ == "float":
        value = float(value)  # type: ignore[arg-type]  # _fits made sure of int or float
    text = strict_json.dumps(value)
    size = len(text.encode())
    if size > VALUE_BYTES_MAX:
        raise ValueError(f"is {size} bytes of JSON; the limit for one value is {VALUE_BYTES_MAX}")
    return text


def _fits(type_: str, value: object) -> bool:
    match type_:
        case "string":
            return isinstance(value, str)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            # 2**53 + 1 would come back as another number.
            exact_int = isinstance(value, int) and not isinstance(value, bool) and int(float(value)) == value
            return isinstance(value, float) or exact_int
        case "bool":
            return isinstance(value, bool)
        case _:
            return True
