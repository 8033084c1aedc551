"""`python -m anx.demo`: a page on which an agent plays."""

from anx.experiment.config.program import is_helped

if __name__ == "__main__" and not is_helped("demo"):
    from anx.demo.command import main

    main()
