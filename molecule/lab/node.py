"""What a fleet is made of: its LAN, and nodes as containers that boot systemd and take ssh."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import images

OUTSIDE = "outside"
OUTSIDE_SUITE = "bookworm"
OUTSIDE_ADDRESSES = ("198.51.100.10/24", "203.0.113.10/24", "2001:db8:100::10/64")

LABEL = "breakwater.lab"
_NAME_SERVER = "198.51.100.10"  # on outside; it knows no name, and says so at once
OUTSIDE_NUMBER = 2
HOST_NUMBERS = range(11, 255)
SAVED_IMAGES = "/mnt/images"

# Where the machine lacks CAP_SYS_RESOURCE the engine refuses --privileged; these are enough.
_CAPABILITIES = (
    *("NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "NET_BROADCAST", "IPC_LOCK"),
    *("DAC_READ_SEARCH", "SYSLOG", "SYS_NICE", "LINUX_IMMUTABLE"),
)
# The machine may mount cgroup v1, which systemd 258 and later refuse.
INIT = "mount -o remount,rw /sys; umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec /sbin/init"


def container(fleet: str, host: str) -> str:
    """Return the name of a node's container in the outer engine."""
    return f"breakwater-{fleet}-{host}"


@dataclass(frozen=True)
class Lan:
    """The LAN of a fleet: which subnets, and which address is whose."""

    fleet: str
    index: int

    @property
    def network(self) -> str:
        """Return the name of the LAN's network in the outer engine."""
        return f"breakwater-{self.fleet}"

    @property
    def subnets(self) -> tuple[str, str]:
        """Return the IPv4 and the IPv6 subnet."""
        return f"10.99.{self.index}.0/24", f"fd99:{self.index:x}::/64"

    def addresses(self, number: int) -> tuple[str, str]:
        """Return the IPv4 and the IPv6 address of the node with this number."""
        return f"10.99.{self.index}.{number}", f"fd99:{self.index:x}::{number}"


@dataclass(frozen=True)
class Node:
    """A lab host, or the outside node: a container that boots systemd and takes ssh."""

    lan: Lan
    name: str
    suite: str
    number: int

    @property
    def container(self) -> str:
        """Return the name of the container in the outer engine."""
        return container(self.lan.fleet, self.name)

    @property
    def title(self) -> str:
        """Return how messages call the node."""
        return f"{self.lan.fleet}/{self.name}"

    @property
    def is_outside(self) -> bool:
        """Tell whether this is the node with the documentation addresses."""
        return self.name == OUTSIDE

    @property
    def addresses(self) -> tuple[str, str]:
        """Return the node's IPv4 and IPv6 address on the LAN."""
        return self.lan.addresses(self.number)

    def files(self, public_key: str) -> dict[str, bytes]:
        """Return what the node's disk holds beyond its image, by path."""
        texts = {
            "etc/lab/authorized_keys": public_key,
            # An empty one would make the first boot apply systemd's presets.
            "etc/machine-id": uuid.uuid5(uuid.NAMESPACE_DNS, self.container).hex + "\n",
        }
        if self.is_outside:
            texts["etc/lab/outside"] = ""
            texts["usr/local/bin/echo-service"] = images.ECHO_SERVICE.read_text()
        for family, lines in zip("46", self._network(), strict=True):
            texts[f"etc/lab/network{family}"] = "".join(f"{line}\n" for line in lines)
        return {path: text.encode() for path, text in texts.items()}

    def _network(self) -> tuple[list[str], list[str]]:
        """Return the `ip` and `ip -6` lines of each boot: what is not the LAN lies outside."""
        if self.is_outside:
            # What arrives but is for no address of this node is "unreachable" at once, not silent.
            sealed = ["route delete default", "rule add iif eth0 unreachable"]
            own = [f"address replace {address} dev lo" for address in OUTSIDE_ADDRESSES]
            return [*sealed, *own[:2]], [*sealed, *own[2:]]
        gateway4, gateway6 = self.lan.addresses(OUTSIDE_NUMBER)
        destinations4 = ("default", "198.51.100.0/24", "203.0.113.0/24")
        destinations6 = ("default", "2001:db8::/32")
        return (
            [f"route replace {destination} via {gateway4}" for destination in destinations4],
            [f"route replace {destination} via {gateway6}" for destination in destinations6],
        )

    def options(self) -> list[str]:
        """Return the options of `docker create`."""
        address4, address6 = self.addresses
        sysctls = ["net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0"]
        if self.is_outside:
            sysctls += ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]
        return [
            *("--name", self.container, "--hostname", self.name, "--tty"),
            *("--network", self.lan.network, "--network-alias", self.name),
            *("--ip", address4, "--ip6", address6, "--dns", _NAME_SERVER),
            *("--cgroupns", "private", "--device", "/dev/net/tun", "--env", "container=docker"),
            *("--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined"),
            *("--volume", "/var/lib/docker", "--volume", f"{images.SAVED}:{SAVED_IMAGES}:ro"),
            *("--stop-signal", "SIGRTMIN+3"),
            *("--tmpfs", "/run:exec,mode=755", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec"),
            *(f"--cap-add={capability}" for capability in _CAPABILITIES),
            *(f"--sysctl={sysctl}" for sysctl in sysctls),
            *(f"--label={LABEL}={self.lan.fleet}", f"--label={LABEL}.host={self.name}"),
            *(f"--label={LABEL}.suite={self.suite}", f"--label={LABEL}.number={self.number}"),
        ]
