"""`python -m anx.export`."""

from anx.commands.export import main

if __name__ == "__main__":
    main()
