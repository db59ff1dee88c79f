"""Prints docs/api.md."""

import sys

from configsvc.api.openapi.document import document
from configsvc.api.openapi.reference import page

if __name__ == "__main__":
    sys.stdout.write(page(document()))
