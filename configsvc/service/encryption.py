"""Which keys secrets are under, for admins to see; changing them is for whoever runs the service (``rotation``)."""

from collections.abc import Sequence

from configsvc.crypto.datakeys import DataKeys
from configsvc.domain.policy import Action
from configsvc.service.access import Caller
from configsvc.service.rotation import Rotation, Under
from configsvc.store.database import Database


class Encryption:
    """Tells which keys are in use. ``data_keys``: None where the service keeps no secrets."""

    def __init__(self, database: Database, data_keys: DataKeys | None) -> None:
        self._database = database
        self._data_keys = data_keys

    def status(self, caller: Caller) -> Sequence[Under] | None:
        """Return every data key that is in use, None where the service keeps no secrets; for admins.

        Raises:
            Unavailable: the keeper of the keys does not answer.
        """
        caller.require(Action.ADMINISTER, None, None)
        if self._data_keys is None:
            return None
        return Rotation(self._database, self._data_keys, caller.origin).status()
