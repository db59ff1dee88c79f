"""Two providers at once, while keys move from one to the other (docs/operations.md, "To another keeper")."""

from configsvc.crypto.providers.provider import Context, KeyProvider, Wrapped
from configsvc.errors import CannotOpen


class Moving:
    """Wraps with ``present``; what that one has no key for is read with ``other``.

    To bring a data key over it has to be unwrapped here for a moment: neither provider can do it for the other.
    """

    def __init__(self, present: KeyProvider, other: KeyProvider) -> None:
        self._present = present
        self._other = other

    def current_kek(self) -> str:
        """Return that of ``present``."""
        return self._present.current_kek()

    def wrap(self, material: bytes, context: Context) -> Wrapped:
        """Encrypt under the current KEK of ``present``."""
        return self._present.wrap(material, context)

    def unwrap(self, wrapped: Wrapped, context: Context) -> bytes:
        """Return the key, from whichever of both has its KEK."""
        try:
            return self._present.unwrap(wrapped, context)
        except CannotOpen as refusal:
            return self._from_other(wrapped, context, refusal)

    def rewrap(self, wrapped: Wrapped, context: Context) -> Wrapped:
        """Bring a key under the current KEK of ``present``, inside it where it is there already."""
        try:
            return self._present.rewrap(wrapped, context)
        except CannotOpen as refusal:
            return self._present.wrap(self._from_other(wrapped, context, refusal), context)

    def __repr__(self) -> str:
        return f"Moving({self._present!r}, {self._other!r})"

    def _from_other(self, wrapped: Wrapped, context: Context, refusal: CannotOpen) -> bytes:
        try:
            return self._other.unwrap(wrapped, context)
        except CannotOpen as error:
            raise CannotOpen(f"{refusal.detail}; {error.detail}") from None
