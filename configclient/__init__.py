"""Makes ``import configclient`` from the repository's root mean ``configclient/src/configclient``.

Without this file Python would find this folder first and take it for an empty namespace package. It is no part of the
distribution: the wheel holds ``src/configclient`` alone.
"""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))
del sys.modules[__name__]
importlib.import_module(__name__)
