"""`python -m anx.run`."""

from anx.experiment.config.program import is_helped

if __name__ == "__main__" and not is_helped("config"):
    from anx.commands.run import main

    main()
