"""`python -m anx.demo`: a page on which an agent plays."""

from anx.demo.command import main

if __name__ == "__main__":
    main()
