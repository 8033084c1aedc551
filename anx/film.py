"""`python -m anx.film`."""

from anx.commands.film import main

if __name__ == "__main__":
    main()
