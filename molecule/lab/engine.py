"""The outer Docker engine that carries the lab: use the one that answers, or bring one up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from command import LabError, attempt, run, say, tail

# All that an engine of the lab's own keeps is below these two, so that stopping it can remove it.
_DATA = Path("/var/lib/breakwater-lab")
_RUN = Path("/run/breakwater-lab")
_PID_FILE = _RUN / "dockerd.pid"
_LOG = _DATA / "dockerd.log"
_BEFORE = _DATA / "before.json"
# Each systemd takes about ten of the inotify instances of root, of whom all nodes are.
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_INSTANCES = 4096
_CGROUP = "breakwater-lab"

# What dockerd and containerd leave elsewhere, whatever their options say.
_TRACES = (
    *("/etc/docker", "/etc/docker/key.json", "/opt/containerd"),
    *("/run/containerd", "/run/docker", "/run/docker.sock"),
)

_PACKAGES = {
    "docker.io": "dockerd",
    "docker-cli": "docker",
    "mmdebstrap": "mmdebstrap",
    "openssh-client": "ssh-keygen",
}


def docker(*arguments: str) -> list[str]:
    """Return the argument list of a docker command, with Debian's own client where it is there."""
    packaged = "/usr/bin/docker"
    return [packaged if os.access(packaged, os.X_OK) else "docker", *arguments]


def version() -> str | None:
    """Return the version of the engine that answers, or None."""
    done = attempt(docker("version", "--format", "{{.Server.Version}}"), timeout=20)
    return done.stdout if done.returncode == 0 else None


def is_ours() -> bool:
    """Tell whether the lab started the engine (it is the one with the lab's pid file)."""
    return _dockerd_pid() is not None


def ensure(more: Mapping[str, str] | None = None) -> None:
    """Have an engine that answers, and the programs that building takes, `more` (package: program) among them."""
    answering = version()
    missing = [p for p, program in {**_PACKAGES, **(more or {})}.items() if not shutil.which(program)]
    if answering:
        missing = [package for package in missing if package != "docker.io"]
    if missing:
        _install(missing)
    if not answering and not version():
        _start()
    if int(_INOTIFY.read_text()) < _INOTIFY_INSTANCES and os.geteuid() == 0:
        _remember()
        _INOTIFY.write_text(str(_INOTIFY_INSTANCES))


def _install(packages: list[str]) -> None:
    _need_root(f"installing {', '.join(packages)}")
    # On Debian bookworm the client is part of docker.io, and docker-cli is no package.
    if "docker-cli" in packages and attempt(["apt-cache", "show", "docker-cli"]).returncode:
        packages = [p for p in packages if p != "docker-cli"]
    # RUNLEVEL keeps invoke-rc.d from starting the service where no systemd runs.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    argv = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    say(f"installing {', '.join(packages)}")
    if attempt(argv, timeout=600, env=env).returncode:
        run("refreshing the package lists", ["apt-get", "update"], timeout=300, env=env)
        run("installing the lab's packages", argv, timeout=600, env=env)


def _start() -> None:
    _need_root("starting dockerd")
    say("starting the outer Docker engine")
    _remember()
    _RUN.mkdir(exist_ok=True)
    # The LAN needs a bridge and no more: the engine leaves the machine's firewall, forwarding and
    # addresses alone, and nothing that a lab host sends can leave the machine.
    # Where systemd runs, the daemon is a unit, so that it outlives the session that started it.
    unit = ("systemd-run", "--unit=breakwater-lab", "--collect", "--property=Delegate=yes")
    launcher = unit if Path("/run/systemd/system").is_dir() else ()
    with _LOG.open("ab") as log:
        daemon = subprocess.Popen(
            [
                *launcher,
                *("dockerd", "--data-root", f"{_DATA}/docker", "--exec-root", f"{_RUN}/docker"),
                *("--pidfile", str(_PID_FILE), "--cgroup-parent", f"/{_CGROUP}"),
                *("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"),
                *("--userland-proxy=false", "--exec-opt", "native.cgroupdriver=cgroupfs"),
                *("--log-level", "warn"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    deadline = time.monotonic() + 60
    while not version():
        if daemon.poll() or time.monotonic() > deadline:
            log_end = attempt(["tail", str(_LOG)])
            raise LabError(f"starting dockerd: no answer; {_LOG} ends with:\n{tail(log_end)}")
        time.sleep(0.1)


def _remember() -> None:
    """Write down, once, what `stop` shall find again."""
    if not _BEFORE.exists():
        _DATA.mkdir(parents=True, exist_ok=True)
        traces = [trace for trace in _TRACES if Path(trace).exists()]
        _BEFORE.write_text(json.dumps({"traces": traces, "inotify": int(_INOTIFY.read_text())}))


def stop() -> None:
    """Stop the engine if the lab started it, and remove all that the lab left on the machine."""
    pid = _dockerd_pid()
    if pid is not None:
        say("stopping the outer Docker engine")
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 60
        while _runs_dockerd(pid):
            if time.monotonic() > deadline:
                raise LabError(f"stopping dockerd: process {pid} does not end; see {_LOG}")
            time.sleep(0.1)
    if not _BEFORE.exists():
        return
    before = json.loads(_BEFORE.read_text())
    _INOTIFY.write_text(str(before["inotify"]))
    traces = [trace for trace in _TRACES if trace not in before["traces"]]
    leftovers = [_DATA, _RUN, *(Path(trace) for trace in traces if not version())]
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        mounted = Path(line.split()[1])
        if any(mounted.is_relative_to(folder) for folder in leftovers):
            run("unmounting the engine's leftovers", ["umount", str(mounted)])
    for leftover in leftovers:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)
    for root in Path("/sys/fs/cgroup").glob(f"**/{_CGROUP}"):
        for folder, _, _ in os.walk(root, topdown=False):
            Path(folder).rmdir()


def _dockerd_pid() -> int | None:
    try:
        pid = int(_PID_FILE.read_text())
    except (OSError, ValueError):
        return None
    return pid if _runs_dockerd(pid) else None


def _runs_dockerd(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return "(dockerd)" in stat and ") Z " not in stat


def _need_root(step: str) -> None:
    if os.geteuid() != 0:
        raise LabError(f"{step}: needs root; run the lab as root, or start a Docker engine first")
