"""`python -m anx.zoo`: the agents that ship, and what they score."""

from anx.commands.shipped import main

if __name__ == "__main__":
    main()
