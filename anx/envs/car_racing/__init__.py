"""CarRacing from above, preprocessed as in the paper."""

from anx.envs.car_racing.env import CarRacing as CarRacing
