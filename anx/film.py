"""`python -m anx.film`."""

from anx.experiment.config.program import is_helped

if __name__ == "__main__" and not is_helped("evaluate", "hydra/help=anx_film"):
    from anx.commands.film import main

    main()
