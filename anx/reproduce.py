"""`python -m anx.reproduce`."""

from anx.experiment.config.program import is_helped

if __name__ == "__main__" and not is_helped("reproduce"):
    from anx.commands.reproduce import main

    main()
