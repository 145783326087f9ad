"""The lab's virtual machines: Docker hosts with Debian's own kernel, for what lab hosts cannot do."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import images
from access import STATE, ssh
from command import LabError, attempt, in_parallel, run, say, tail
from node import Lan

NAME = "machine"
ADDRESS = "127.0.0.1"
PACKAGES = {"qemu-system-x86": "qemu-system-x86_64", "qemu-utils": "qemu-img", "e2fsprogs": "mkfs.ext4"}

_HOME = STATE / NAME
_LAN = Lan(NAME, 254)
_BASE_FILES = ("disk.raw", "vmlinuz", "initrd.img")
_DISK_SIZE = "8G"
# To shake hands takes an emulated processor seconds, many beside a busy test run.
CONNECT_SECONDS = 60
# Two that boot beside a busy test run were seen to take 265 s.
_BOOT_SECONDS = 600
# An emulated processor: /dev/kvm is not everywhere, and where it is, a stock kernel may hang on it. A plain one: what a
# newer one has on top is slow to emulate. A single one: two wait for each other, which takes a fifth more of the
# machine's time. Without cx16: QEMU 7.2 spoils the flags of that instruction now and then, and the guest's kernel
# panics.
_HARDWARE = (
    *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "qemu64,-cx16", "-smp", "1", "-m", "2G"),
    *("-display", "none", "-nodefaults", "-no-user-config", "-device", "virtio-rng-pci"),
)
_KERNEL_LINE = "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off panic=1 systemd.ssh_auto=no quiet"


@dataclass(frozen=True)
class Machine:
    """One of the virtual machines: it is told its name by the kernel line, for all start from the same disk."""

    name: str
    number: int

    @property
    def addresses(self) -> tuple[str, str]:
        """Return the machine's IPv4 and IPv6 address on the LAN of the machines."""
        return _LAN.addresses(self.number)

    @property
    def port(self) -> int:
        """Return the port of this machine that leads to the virtual one's ssh."""
        return int(self.file("port").read_text())

    @property
    def running_pid(self) -> int | None:
        """Return the ID of its process, answering or not; None if it does not run."""
        remembered = self.file("pid")
        try:
            pid = int(remembered.read_text())
            return pid if str(remembered) in Path(f"/proc/{pid}/cmdline").read_text() else None
        except (OSError, ValueError):
            return None

    def file(self, kind: str) -> Path:
        """Return the path of what stands of it here: its disk, pid, port, console, connection or end of the LAN."""
        return _HOME / f"{self.name}.{kind}"

    def command(self, *argv: str) -> list[str]:
        """Return the command that runs `argv` on the machine as root."""
        if self.running_pid is None:
            raise LabError(f"{self.name} does not run; `vm-up --machines {self.number}` starts it")
        return ssh(ADDRESS, "sudo", *argv, port=self.port, shared=self.file("ssh"), within=CONNECT_SECONDS)


MACHINES = (Machine(NAME, 1), Machine(f"{NAME}2", 2))
# The one that stands while the base is built.
_BUILDER = Machine("builder", 0)

_LAN_LINES = "link set eth1 up\naddress replace {}/24 dev eth1\naddress replace {}/64 dev eth1\n"
_HOSTS = "".join(f"{address} {one.name}\n" for one in MACHINES for address in one.addresses)
_FILES = {
    # The kernel line names the machine.
    "etc/hostname": "",
    "etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n{_HOSTS}",
    # No name server: it says so at once.
    "etc/resolv.conf": "nameserver 127.0.0.1\n",
    "etc/lab/network4": (
        "link set lo up\nlink set eth0 up\naddress replace 10.0.2.15/24 dev eth0\nroute replace default via 10.0.2.2\n"
    ),
    "etc/lab/network6": "address replace fec0::15/64 dev eth0\nroute replace default via fec0::2\n",
    **{f"etc/lab/lan-{one.name}": _LAN_LINES.format(*one.addresses) for one in MACHINES},
}


def up(number: int, public_key: str, workload: Path) -> None:
    """Have this number of machines running and answering; one that does not stand starts from a clean disk.

    `workload` is the file with the image that their containers run.
    """
    wanted = MACHINES[:number]
    missing = [one for one in wanted if one.running_pid is None]
    if missing:
        base = _base(public_key, workload)
        for one in missing:
            _boot(one, base, _disk(one, base), *_lan_card(one))
    in_parallel(_wait_until_ready, wanted)


def running() -> list[Machine]:
    """Return the machines that run, answering or not."""
    return [one for one in MACHINES if one.running_pid is not None]


def reboot(one: Machine, *, hard: bool) -> None:
    """Reboot, and wait until it answers: the kernel starts anew, the disk stays."""
    before = _boot_id(one)
    say(f"{one.name}: {'power cut' if hard else 'shutting down'}")
    # The kernel's own reset button: nothing is stopped, nothing is written back.
    argv = ["sh", "-c", "echo b > /proc/sysrq-trigger"] if hard else ["systemctl", "reboot"]
    attempt(one.command(*argv), timeout=15)
    attempt(["ssh", "-o", f"ControlPath={one.file('ssh')}", "-O", "exit", ADDRESS])
    _wait_until_ready(one, before)


def down() -> None:
    """Destroy the machines with their disks; the base stays."""
    for one in (*MACHINES, _BUILDER):
        _destroy(one)
    say(f"{NAME}s: destroyed")


def _destroy(one: Machine) -> None:
    pid = one.running_pid
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        while one.running_pid is not None:
            time.sleep(0.1)
    for each in _HOME.glob(f"{one.name}.*"):
        each.unlink(missing_ok=True)  # a connection takes its own away


def _recipe() -> images.Recipe:
    """Return the recipe of the machines: a lab host, and what only a kernel of its own takes."""
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


def _base(public_key: str, workload: Path) -> Path:
    """Return the folder with the disk that each machine starts from and its kernel, built if the recipe changed."""
    recipe = _recipe()
    base = _HOME / recipe.digest
    if not base.exists():
        _destroy(_BUILDER)
        # A machine that stands keeps the disk below its own open.
        for outdated in _HOME.glob("*/"):
            shutil.rmtree(outdated)
        unfinished = base.with_suffix(".unfinished")
        unfinished.mkdir(parents=True)
        _build(recipe, unfinished, public_key, workload)
        unfinished.rename(base)
    return base


def _build(recipe: images.Recipe, base: Path, public_key: str, workload: Path) -> None:
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
    _boot(_BUILDER, base, f"file={disk},format=raw", "-drive", f"file={workload},format=raw,if=virtio,readonly=on")
    _wait_until_ready(_BUILDER)
    load = _BUILDER.command("docker", "load", "--quiet", "--input", "/dev/vdb")
    run(f"{NAME}: loading the workload image", load, timeout=600)
    say(f"{NAME}: workload image loaded")
    attempt(_BUILDER.command("systemctl", "poweroff"), timeout=60)
    deadline = time.monotonic() + 60
    while _BUILDER.running_pid is not None:
        if time.monotonic() > deadline:
            raise LabError(f"{NAME}: does not shut down; its console ended with:\n{_console(_BUILDER)}")
        time.sleep(0.2)
    _destroy(_BUILDER)


def _disk(one: Machine, base: Path) -> str:
    """Lay out the machine's own disk over the base, and return it as QEMU's drive."""
    disk = one.file("disk")
    backing = ("-b", str(base / "disk.raw"), "-F", "raw")
    run(f"{one.name}: laying out the disk", ["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(disk)])
    return f"file={disk},format=qcow2"


def _lan_card(one: Machine) -> list[str]:
    """Return the card on the LAN: a wire to the other machine, where a frame is a datagram between their sockets."""
    (other,) = (each for each in MACHINES if each != one)
    ends = f"local.type=unix,local.path={one.file('lan')},remote.type=unix,remote.path={other.file('lan')}"
    card = f"virtio-net-pci,netdev=lan,mac=52:54:00:99:fe:{one.number:02x}"
    return ["-netdev", f"dgram,id=lan,{ends}", "-device", card]


def _boot(one: Machine, base: Path, disk: str, *more: str) -> None:
    with socket.create_server((ADDRESS, 0)) as free:
        port = free.getsockname()[1]
    one.file("port").write_text(str(port))
    _raw, kernel, initrd = (str(base / name) for name in _BASE_FILES)
    # systemd makes the addresses of virtual interfaces from the machine's ID: two of one ID would share them.
    identity = uuid.uuid5(uuid.NAMESPACE_DNS, one.name).hex
    line = f"{_KERNEL_LINE} systemd.hostname={one.name} systemd.machine_id={identity}"
    # The way in, and none out: `restrict`.
    network = f"user,id=ssh,restrict=on,hostfwd=tcp:{ADDRESS}:{port}-:22"
    say(f"{one.name}: booting Debian's kernel, emulated")
    argv = [
        *(*_HARDWARE, "-kernel", kernel, "-initrd", initrd, "-append", line),
        *("-drive", f"{disk},if=virtio,cache=unsafe,discard=unmap"),
        *("-netdev", network, "-device", "virtio-net-pci,netdev=ssh", *more),
        *("-serial", f"file:{one.file('console')}", "-daemonize", "-pidfile", str(one.file("pid"))),
    ]
    run(f"{one.name}: starting qemu", argv)


def _wait_until_ready(one: Machine, booted_before: str = "") -> None:
    """Wait until dockerd answers over ssh, on another boot than `booted_before`."""
    begin = time.monotonic()
    last = None
    while one.running_pid is not None and time.monotonic() - begin < _BOOT_SECONDS:
        if _boot_id(one) not in ("", booted_before):
            last = attempt(one.command("docker", "version"), timeout=60)
            if last.returncode == 0:
                say(f"{one.name}: answers after {time.monotonic() - begin:.1f} s")
                return
        time.sleep(0.5)
    told = f"`docker version` over ssh said:\n{tail(last)}\n  and " if last else ""
    raise LabError(f"{one.name}: does not answer; {told}the console ended with:\n{_console(one)}")


def _boot_id(one: Machine) -> str:
    # By a connection of its own: one that is shared may lead to a machine that is going down.
    return attempt(ssh(ADDRESS, "cat", "/proc/sys/kernel/random/boot_id", port=one.port), timeout=15).stdout


def _console(one: Machine) -> str:
    return tail(attempt(["tail", "-n", "15", str(one.file("console"))]))
