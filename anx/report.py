"""`python -m anx.report`."""

from anx.commands.report import main

if __name__ == "__main__":
    main()
