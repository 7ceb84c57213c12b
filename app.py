"""Start the page from a checkout: ``python app.py``. Installed, it is ``pruneviz serve``."""

import sys

from pruneviz.starting import quietly

with quietly("app.py"):
    from pruneviz.serving import main

if __name__ == "__main__":
    sys.exit(main(prog="app.py"))
