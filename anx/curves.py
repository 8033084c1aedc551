"""`python -m anx.curves`."""

from anx.commands.curves import main

if __name__ == "__main__":
    main()
