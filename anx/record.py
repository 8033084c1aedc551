"""`python -m anx.record`."""

from anx.experiment.config.program import is_helped

if __name__ == "__main__" and not is_helped("record"):
    from anx.commands.record import main

    main()
