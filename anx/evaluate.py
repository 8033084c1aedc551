"""`python -m anx.evaluate`. Imported, it is the function `anx.evaluate`: one name leads to one thing."""

import sys

if __name__ == "__main__":
    from anx.experiment.config.program import is_helped

    if not is_helped("evaluate"):
        from anx.commands.evaluate import main

        main()
elif __name__ == "anx.evaluate":  # else it is a program's main module, imported again by a process of its own
    from anx.api import evaluate

    sys.modules[__name__] = evaluate  # type: ignore[assignment]
