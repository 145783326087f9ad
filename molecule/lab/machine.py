"""The lab's virtual machine: a Docker host with Debian's own kernel, for what lab hosts cannot do."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

import images
from access import STATE, ssh
from command import LabError, attempt, run, say, tail

NAME = "machine"
ADDRESS = "127.0.0.1"
PACKAGES = {"qemu-system-x86": "qemu-system-x86_64", "qemu-utils": "qemu-img", "e2fsprogs": "mkfs.ext4"}

# What stands: the disk over the base, which every `up` makes anew; the process; the port that leads to its ssh.
_HOME = STATE / NAME
_DISK, _PID, _PORT, _CONSOLE = (_HOME / name for name in ("disk.qcow2", "pid", "port", "console.log"))
_BASE_FILES = ("disk.raw", "vmlinuz", "initrd.img")
_DISK_SIZE = "8G"
_BOOT_SECONDS = 300
# An emulated processor: /dev/kvm is not everywhere, and where it is, a stock kernel may hang on it. Without cx16:
# QEMU 7.2 spoils the flags of that instruction now and then, and the guest's kernel panics.
_HARDWARE = (
    *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max,-cx16", "-smp", "2", "-m", "2G"),
    *("-display", "none", "-nodefaults", "-no-user-config", "-device", "virtio-rng-pci"),
)
_KERNEL_LINE = "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off panic=1 systemd.ssh_auto=no quiet"
_FILES = {
    "etc/hostname": f"{NAME}\n",
    "etc/hosts": f"127.0.0.1 localhost {NAME}\n::1 localhost\n",
    # No name server: it says so at once.
    "etc/resolv.conf": "nameserver 127.0.0.1\n",
    "etc/lab/network4": (
        "link set lo up\nlink set eth0 up\naddress replace 10.0.2.15/24 dev eth0\nroute replace default via 10.0.2.2\n"
    ),
    "etc/lab/network6": "address replace fec0::15/64 dev eth0\nroute replace default via fec0::2\n",
}


def up(public_key: str) -> None:
    """Have the machine running and answering; one that does not stand starts from a clean disk."""
    if is_running():
        return _wait_until_ready()
    base = _base(public_key)
    backing = ("-b", str(base / "disk.raw"), "-F", "raw")
    run(f"{NAME}: laying out the disk", ["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(_DISK)])
    _boot(base, f"file={_DISK},format=qcow2")
    return None


def reboot(*, hard: bool) -> None:
    """Reboot, and wait until it answers: the kernel starts anew, the disk stays."""
    before = _boot_id()
    say(f"{NAME}: {'power cut' if hard else 'shutting down'}")
    # The kernel's own reset button: nothing is stopped, nothing is written back.
    argv = ["sh", "-c", "echo b > /proc/sysrq-trigger"] if hard else ["systemctl", "reboot"]
    attempt(command(*argv), timeout=15)
    _wait_until_ready(before)


def down() -> None:
    """Destroy the machine with its disk; the base stays."""
    pid = _running_pid()
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        while is_running():
            time.sleep(0.1)
    for each in (_DISK, _PID, _PORT, _CONSOLE):
        each.unlink(missing_ok=True)
    say(f"{NAME}: destroyed")


def command(*argv: str) -> list[str]:
    """Return the command that runs `argv` on the machine as root."""
    if not is_running():
        raise LabError(f"the {NAME} does not run; `vm-up` starts it")
    return ssh(ADDRESS, "sudo", *argv, port=port())


def port() -> int:
    """Return the port of this machine that leads to the virtual one's ssh."""
    return int(_PORT.read_text())


def is_running() -> bool:
    """Tell whether the machine runs, answering or not."""
    return _running_pid() is not None


def _running_pid() -> int | None:
    try:
        pid = int(_PID.read_text())
        return pid if str(_HOME) in Path(f"/proc/{pid}/cmdline").read_text() else None
    except (OSError, ValueError):
        return None


def _recipe() -> images.Recipe:
    """Return the recipe of the machine: a lab host, and what only a kernel of its own takes."""
    folder = Path(__file__).resolve().parent / NAME
    host = images.host("trixie")
    return images.Recipe(
        repository=NAME,
        suite=host.suite,
        packages=(*host.packages, "linux-image-cloud-amd64", "initramfs-tools", "zstd", "udev"),
        files=(*host.files, *images.below(folder / "rootfs").items()),
        script=folder / "customize.sh",
        settings=(images.workload().digest, _DISK_SIZE, *_FILES.values()),
    )


def _base(public_key: str) -> Path:
    """Return the folder with the disk that each machine starts from and its kernel, built if the recipe changed."""
    recipe = _recipe()
    base = _HOME / recipe.digest
    if not base.exists():
        for outdated in _HOME.glob("*/"):
            shutil.rmtree(outdated)
        unfinished = base.with_suffix(".unfinished")
        unfinished.mkdir(parents=True)
        _build(recipe, unfinished, public_key)
        unfinished.rename(base)
    return base


def _build(recipe: images.Recipe, base: Path, public_key: str) -> None:
    texts = {**_FILES, "etc/lab/authorized_keys": public_key}
    disk, kernel, initrd = (base / name for name in _BASE_FILES)
    with tempfile.TemporaryDirectory(prefix="breakwater-lab-") as folder:
        root = Path(folder, "root")
        images.bootstrap(recipe, root, {path: text.encode() for path, text in texts.items()})
        shutil.copy(root / "vmlinuz", kernel)
        shutil.copy(root / "initrd.img", initrd)
        say(f"{NAME}: laying out its disk")
        make = ["mkfs.ext4", "-q", "-L", NAME, "-d", str(root), str(disk), _DISK_SIZE]
        run(f"{NAME}: making the file system", make, timeout=300)
    images.build([images.workload()])
    workload = images.save_workload()
    _boot(base, f"file={disk},format=raw", "-drive", f"file={workload},format=raw,if=virtio,readonly=on")
    load = command("docker", "load", "--quiet", "--input", "/dev/vdb")
    run(f"{NAME}: loading the workload image", load, timeout=600)
    say(f"{NAME}: workload image loaded")
    attempt(command("systemctl", "poweroff"), timeout=60)
    deadline = time.monotonic() + 60
    while is_running():
        if time.monotonic() > deadline:
            raise LabError(f"{NAME}: does not shut down; its console ended with:\n{_console()}")
        time.sleep(0.2)


def _boot(base: Path, disk: str, *more: str) -> None:
    with socket.create_server((ADDRESS, 0)) as free:
        number = free.getsockname()[1]
    _PORT.write_text(str(number))
    _disk, kernel, initrd = (str(base / name) for name in _BASE_FILES)
    # The machine's network ends at this one, but for the way in: `restrict`.
    network = f"user,id=lan,restrict=on,hostfwd=tcp:{ADDRESS}:{number}-:22"
    say(f"{NAME}: booting Debian's kernel, emulated")
    argv = [
        *(*_HARDWARE, "-kernel", kernel, "-initrd", initrd, "-append", _KERNEL_LINE),
        *("-drive", f"{disk},if=virtio,cache=unsafe,discard=unmap", *more),
        *("-netdev", network, "-device", "virtio-net-pci,netdev=lan"),
        *("-serial", f"file:{_CONSOLE}", "-daemonize", "-pidfile", str(_PID)),
    ]
    run(f"{NAME}: starting qemu", argv)
    _wait_until_ready()


def _wait_until_ready(booted_before: str = "") -> None:
    """Wait until dockerd answers over ssh, on another boot than `booted_before`."""
    begin = time.monotonic()
    last = None
    while is_running() and time.monotonic() - begin < _BOOT_SECONDS:
        if _boot_id() not in ("", booted_before):
            last = attempt(command("docker", "version"), timeout=60)
            if last.returncode == 0:
                say(f"{NAME}: answers after {time.monotonic() - begin:.1f} s")
                return
        time.sleep(0.5)
    told = f"`docker version` over ssh said:\n{tail(last)}\n  and " if last else ""
    raise LabError(f"{NAME}: does not answer; {told}the console ended with:\n{_console()}")


def _boot_id() -> str:
    return attempt(command("cat", "/proc/sys/kernel/random/boot_id"), timeout=15).stdout


def _console() -> str:
    return tail(attempt(["tail", "-n", "15", str(_CONSOLE)]))
