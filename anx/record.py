"""`python -m anx.record`."""

from anx.commands.record import main

if __name__ == "__main__":
    main()
