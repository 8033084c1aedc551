"""How connections are secured: TLS, as Dask has it (https://distributed.dask.org/en/stable/tls.html)."""

from __future__ import annotations  # distributed is an extra

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from anx.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Security

Credentials = Mapping[str, object]  # arguments of distributed.Security
Role = Literal["client", "scheduler", "worker"]


def read_credentials(key: str, credentials: Credentials, roles: Sequence[Role]) -> Security:
    """What encrypts the connections of whoever has these roles, or refuses them.

    Raises:
        ConfigError: the credentials, which a configuration has at `key`, are not theirs, or cannot be read.
    """
    from distributed import Security

    stated = f"{key}={shown(credentials)}"
    try:
        security = Security(require_encryption=True, **credentials)
        contexts = {role: security.get_connection_args(role).get("ssl_context") for role in roles}
    except (TypeError, ValueError, OSError) as error:  # OSError: no such file, or no certificate in it
        raise ConfigError(f"{stated}: {error}") from None
    for role, context in contexts.items():
        if context is None:
            raise ConfigError(f"{stated} must have tls_ca_file, tls_{role}_cert and tls_{role}_key")
    return security


def shown(credentials: Credentials) -> dict[str, object]:
    """Credentials for a message: one may be a key itself, rather than the file that has it."""
    return {name: "..." if "\n" in str(value) else value for name, value in credentials.items()}
