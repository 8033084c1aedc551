"""What a user can mend."""


class ConfigError(ValueError):
    """Something a user can mend: one line that names the key, the value and what is allowed."""


class InputsDoNotFitError(ConfigError):
    """An agent takes one number of inputs, and perturbations leave another."""
