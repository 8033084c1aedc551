"""`python -m anx.evaluate`."""

from anx.commands.evaluate import main

if __name__ == "__main__":
    main()
