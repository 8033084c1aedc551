"""Connections that are encrypted with a certificate of one's own, or refused."""

import shutil
import subprocess

import pytest
import torch
from conftest import compose

from anx.cluster.dask import Scheduler
from anx.cluster.local import Local
from anx.cluster.security import read_credentials
from anx.errors import ConfigError
from anx.experiment.prepare import build_learner

distributed = pytest.importorskip("distributed")

SMALL = ["env.max_steps=5", "rollout.compile=false", "optimizer.popsize=4", "learner.rollouts=2"]
SECONDS = 120  # for anything at all


@pytest.fixture(scope="module")
def credentials(tmp_path_factory):
    """What makes everybody's arguments of one certificate, by name: nobody has signed it but itself."""
    folder = tmp_path_factory.mktemp("tls")
    openssl = shutil.which("openssl") or pytest.skip("there is no openssl to make a certificate")

    def make(name):
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        command = [openssl, "req", "-x509", *curve, "-subj", "/CN=anx", "-keyout", key, "-out", certificate]
        subprocess.run(command, check=True, capture_output=True)
        roles = ("client", "scheduler", "worker")
        ours = {
            f"tls_{role}_{kind}": str(file) for role in roles for kind, file in (("cert", certificate), ("key", key))
        }
        return {"tls_ca_file": str(certificate), **ours}

    return make


@pytest.fixture(scope="module")
def cluster(credentials):
    """A scheduler and a worker that speak TLS, and their credentials."""
    own = credentials("own")
    secured = {"protocol": "tls://", "security": distributed.Security(require_encryption=True, **own)}
    here = {"host": "127.0.0.1", "dashboard_address": None, "memory_limit": None, "threads_per_worker": 1}
    with distributed.LocalCluster(n_workers=1, processes=False, **here, **secured) as cluster:
        yield cluster.scheduler_address, own


def test_a_generation_over_tls_is_that_of_a_single_process(cluster, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    address, own = cluster
    assert address.startswith("tls://127.0.0.1:")
    config = compose(*SMALL, "cluster=dask", f"cluster.address={address}", f"cluster.security={own}".replace("'", ""))
    ours, theirs = build_learner(config), build_learner(compose(*SMALL))
    population = ours.optimizer.ask()
    returns = [each.rollout(population, 2, 0, training=True).returns for each in (ours, theirs)]
    ours.rollout.close()
    assert torch.equal(*returns)


def test_who_has_no_certificate_or_another_one_is_refused(cluster, credentials):
    address, _ = cluster
    for engine in (Scheduler(address.replace("tls://", "tcp://")), Scheduler(address, security=credentials("other"))):
        with pytest.raises(ConfigError, match="cluster: no scheduler answers at"):
            engine.submit(pow, 2, 3).result(SECONDS)
        engine.shutdown()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda own: Scheduler("tls://h:1"), "address=tls://h:1 must be tls://HOST:PORT with cluster.security"),
        (lambda own: Scheduler("tcp://h:1", security=own), "address=tcp://h:1 must be tls://HOST:PORT with"),
        (
            lambda own: Scheduler("tls://h:1", security={**own, "tls_ca_file": "/no/file"}),
            r"cluster.security=.*No such",
        ),
        (
            lambda own: Scheduler("tls://h:1", security={"tls_ca_file": own["tls_ca_file"]}),
            "must have tls_ca_file, tls_client_cert and tls_client_key",
        ),
        (
            lambda own: Local(security={name: file for name, file in own.items() if "worker" not in name}),
            "must have tls_ca_file, tls_worker_cert and tls_worker_key",
        ),
    ],
)
def test_credentials_that_are_none_are_said_in_a_line_before_anything_starts(make, message, credentials):
    with pytest.raises(ValueError, match=message):
        make(credentials("some"))


def test_a_key_itself_is_in_no_message():
    with pytest.raises(ConfigError) as refused:
        read_credentials("cluster.security", {"tls_client_key": "-----BEGIN\nSECRET"}, ["client"])
    assert "SECRET" not in str(refused.value)
