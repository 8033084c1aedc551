"""`python -m anx.run`."""

from anx.commands.run import main

if __name__ == "__main__":
    main()
