"""`python -m anx.reproduce`."""

from anx.commands.reproduce import main

if __name__ == "__main__":
    main()
