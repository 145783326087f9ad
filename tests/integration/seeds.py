# SPDX-License-Identifier: GPL-3.0-or-later
"""Every ``docker network create`` and ``connect`` of the five source documents that a single host can run.

A scene is a run of one document's commands that stand beside each other; each one gets a host of its own, because
the documents use the same names and subnets again and again. A command is given twice: as the document has it, and as
it is declared. Left out, and why:

* 003:203, 003:631  ``--encrypted``: the docker command has no such option. What is meant, ``--opt encrypted``, is in
  the scenes of 001 and 004.
* 004:46, 004:96  ``docker network create`` in prose, without a name.
* 004:58, and ``connect`` of 004:34 and 004:261  placeholders in place of a network or a container.
* ``docker service create`` and ``docker run``, which attach to networks by themselves: they are no network commands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Command:
    """One line of a document: the words after ``docker network create`` or ``connect``, and the module's arguments."""

    line: int
    words: str
    declared: dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """``needs`` are networks that the document takes for granted, ``runs`` its containers and their first network."""

    title: str
    creates: tuple[Command, ...] = ()
    connects: tuple[Command, ...] = ()
    runs: tuple[tuple[str, str], ...] = ()
    needs: tuple[str, ...] = ()
    swarm: bool = False


def network(line: int, words: str, **declared: Any) -> Command:
    """A create; the name is the last word of the document's line unless it is declared."""
    return Command(line, words, {"name": words.split()[-1], **declared})


def subnet(line: int, name: str, cidr: str, words: str, **declared: Any) -> Command:
    """A create of a bridge with one subnet and nothing else to it."""
    return network(line, words, name=name, ipam_config=[{"subnet": cidr}], **declared)


def joins(line: int, name: str, container: str) -> Command:
    """A connect without an option, as nearly all of the documents have it."""
    return Command(line, f"{name} {container}", {"container": container, "networks": [{"name": name}]})


def on(first: str, containers: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((each, first) for each in containers)


MTU = "com.docker.network.driver.mtu"
BRIDGE = "com.docker.network.bridge"
VXLAN = "com.docker.network.driver.overlay.vxlanid_list"
SERVICES = ("user-service", "product-service", "order-service", "payment-service")
TEAMS = {"frontend": 29, "backend": 28, "devops": 27}
"""``172.$((20+$(echo $team | wc -c))).0.0/16``, computed: wc counts the newline, too."""

SCENES = (
    Scene(
        "000 three networks, three containers that come from the default bridge",
        creates=(
            subnet(12, "backend", "10.0.0.0/24", "backend --subnet 10.0.0.0/24"),
            subnet(13, "frontend", "10.0.1.0/24", "frontend --subnet 10.0.1.0/24"),
            subnet(14, "loadbalancer", "10.0.2.0/24", "loadbalancer --subnet 10.0.2.0/24"),
        ),
        runs=on("bridge", ("s1", "s2", "lb1")),
        connects=(joins(30, "backend", "s1"), joins(31, "frontend", "s2"), joins(32, "loadbalancer", "lb1")),
    ),
    Scene(
        "001 overlays of the first chapter",
        creates=(
            network(
                45,
                "--driver overlay --opt encrypted=true --attachable --subnet=10.10.0.0/16 --gateway=10.10.0.1"
                " my-overlay-network",
                driver="overlay",
                driver_options={"encrypted": True},
                attachable=True,
                ipam_config=[{"subnet": "10.10.0.0/16", "gateway": "10.10.0.1"}],
            ),
            network(
                521,
                "--driver overlay --opt encrypted=true secure-overlay-network",
                driver="overlay",
                driver_options={"encrypted": True},
            ),
        ),
        swarm=True,
    ),
    Scene(
        "001 advanced configurations",
        creates=(
            network(
                129,
                "--driver=bridge --subnet=172.28.0.0/16 --ip-range=172.28.5.0/24 --gateway=172.28.5.254 custom-bridge",
                driver="bridge",
                ipam_config=[{"subnet": "172.28.0.0/16", "iprange": "172.28.5.0/24", "gateway": "172.28.5.254"}],
            ),
            network(139, f"--driver=bridge --opt {MTU}=1400 low-mtu-network", driver_options={MTU: 1400}),
            network(144, "--driver=bridge --internal isolated-network", internal=True),
            network(
                155,
                "--driver=macvlan --subnet=192.168.1.0/24 --gateway=192.168.1.1 --ip-range=192.168.1.128/25"
                " -o parent=eth0 macvlan-network",
                driver="macvlan",
                driver_options={"parent": "eth0"},
                ipam_config=[{"subnet": "192.168.1.0/24", "gateway": "192.168.1.1", "iprange": "192.168.1.128/25"}],
            ),
        ),
        needs=("frontend-network", "backend-network"),
        runs=on("frontend-network", ("multi-home-container",)),
        connects=(joins(152, "backend-network", "multi-home-container"),),
    ),
    Scene(
        "001 DMZ, discovery, MTU",
        creates=(
            network(213, "dmz-network"),
            network(216, "--internal backend-network", internal=True),
            network(314, "app-network"),
            network(765, f"--opt {MTU}=1400 low-mtu-net", driver_options={MTU: "1400"}),
        ),
        runs=on("dmz-network", ("nginx-proxy",)),
        connects=(joins(225, "backend-network", "nginx-proxy"),),
    ),
    Scene(
        "001 enterprise and cloud",
        creates=(
            network(
                813,
                f"--subnet=10.100.0.0/16 --gateway=10.100.0.1 --opt {BRIDGE}.name=docker_gwbridge corporate-network",
                driver_options={f"{BRIDGE}.name": "docker_gwbridge"},
                ipam_config=[{"subnet": "10.100.0.0/16", "gateway": "10.100.0.1"}],
            ),
            network(
                976,
                f"--driver=bridge --subnet=172.31.0.0/16 --opt {BRIDGE}.enable_icc=true aws-integrated-network",
                driver_options={f"{BRIDGE}.enable_icc": True},
                ipam_config=[{"subnet": "172.31.0.0/16"}],
            ),
        ),
    ),
    *(
        Scene(
            f"001 one end of the hybrid overlay, {cidr}",
            creates=(
                network(
                    line,
                    f"--driver overlay --subnet={cidr} --opt encrypted=true --opt {VXLAN}=4097 hybrid-overlay",
                    driver="overlay",
                    driver_options={"encrypted": True, VXLAN: 4097},
                    ipam_config=[{"subnet": cidr}],
                ),
            ),
            swarm=True,
        )
        for line, cidr in ((1030, "10.10.0.0/16"), (1039, "10.20.0.0/16"))
    ),
    Scene(
        "002 two of a scaled service",
        needs=("my_network",),
        runs=on("bridge", ("my_web_app_1", "my_web_app_2")),
        connects=(joins(23, "my_network", "my_web_app_1"), joins(24, "my_network", "my_web_app_2")),
    ),
    Scene(
        "003 drivers",
        creates=(
            network(61, "--driver bridge my-network", driver="bridge"),
            network(
                105,
                "--driver bridge --subnet=172.20.0.0/16 --ip-range=172.20.240.0/20 --gateway=172.20.0.1"
                f" --opt {BRIDGE}.name=my-bridge production-network",
                driver_options={f"{BRIDGE}.name": "my-bridge"},
                ipam_config=[{"subnet": "172.20.0.0/16", "iprange": "172.20.240.0/20", "gateway": "172.20.0.1"}],
            ),
            network(
                114,
                f"--driver bridge --subnet=192.168.100.0/24 --gateway=192.168.100.1 --opt {BRIDGE}.enable_icc=true"
                f" --opt {BRIDGE}.enable_ip_masquerade=true --opt {BRIDGE}.host_binding_ipv4=0.0.0.0 advanced-bridge",
                driver_options={
                    f"{BRIDGE}.enable_icc": "true",
                    f"{BRIDGE}.enable_ip_masquerade": "true",
                    f"{BRIDGE}.host_binding_ipv4": "0.0.0.0",
                },
                ipam_config=[{"subnet": "192.168.100.0/24", "gateway": "192.168.100.1"}],
            ),
            network(127, "app-network"),
            network(
                233,
                "--driver macvlan --subnet=192.168.1.0/24 --gateway=192.168.1.1 --opt parent=eth0 macvlan-network",
                driver="macvlan",
                driver_options={"parent": "eth0"},
                ipam_config=[{"subnet": "192.168.1.0/24", "gateway": "192.168.1.1"}],
            ),
        ),
        runs=on("bridge", ("container_name",)),
        connects=(joins(64, "my-network", "container_name"),),
    ),
    Scene(
        "003 discovery and load balancing",
        creates=(network(274, "app-network"), network(362, "service-network"), network(435, "lb-network")),
    ),
    Scene(
        "003 overlays",
        creates=(
            network(404, "--driver overlay lb-network", driver="overlay"),
            network(
                807,
                "--driver overlay --attachable --subnet=10.0.0.0/16 ha-network",
                driver="overlay",
                attachable=True,
                ipam_config=[{"subnet": "10.0.0.0/16"}],
            ),
        ),
        swarm=True,
    ),
    Scene(
        "003 multi-tier",
        creates=(
            subnet(549, "frontend-network", "172.18.0.0/16", "--driver bridge --subnet=172.18.0.0/16 frontend-network"),
            subnet(
                555,
                "backend-network",
                "172.19.0.0/16",
                "--driver bridge --internal --subnet=172.19.0.0/16 backend-network",
                internal=True,
            ),
            subnet(
                562,
                "database-network",
                "172.20.0.0/16",
                "--driver bridge --internal --subnet=172.20.0.0/16 database-network",
                internal=True,
            ),
        ),
        runs=(("web-server", "frontend-network"), ("app-server", "backend-network")),
        connects=(joins(575, "backend-network", "web-server"), joins(583, "database-network", "app-server")),
    ),
    Scene(
        "003 microservices",
        creates=(
            network(685, "frontend-services"),
            network(686, "backend-services"),
            network(687, "data-services --internal", name="data-services", internal=True),
        ),
        runs=(("api-gateway", "frontend-services"), *on("backend-services", ("user-service", "order-service"))),
        connects=(
            joins(698, "backend-services", "api-gateway"),
            joins(715, "data-services", "user-service"),
            joins(716, "data-services", "order-service"),
        ),
    ),
    Scene(
        "003 blue and green, service mesh",
        creates=(
            network(743, "infrastructure"),
            network(746, "blue-env"),
            network(752, "green-env"),
            network(777, "service-mesh-control"),
            network(780, "service-mesh-data"),
        ),
        runs=on("infrastructure", ("load-balancer",)),
        connects=(joins(766, "blue-env", "load-balancer"), joins(767, "green-env", "load-balancer")),
    ),
    Scene(
        "003 troubleshooting",
        creates=(
            network(949, "shared-network"),
            network(954, "--driver bridge custom-bridge"),
            network(1000, f"--opt {MTU}=9000 jumbo-network", driver_options={MTU: 9000}),
        ),
        runs=on("bridge", ("container1", "container2")),
        connects=(joins(950, "shared-network", "container1"), joins(951, "shared-network", "container2")),
    ),
    Scene(
        "003 scenario 1, the e-commerce platform",
        creates=(
            subnet(1058, "public-network", "172.18.0.0/16", "--driver bridge --subnet=172.18.0.0/16 public-network"),
            subnet(
                1064,
                "internal-network",
                "172.19.0.0/16",
                "--driver bridge --internal --subnet=172.19.0.0/16 internal-network",
                internal=True,
            ),
            subnet(
                1071,
                "data-network",
                "172.20.0.0/16",
                "--driver bridge --internal --subnet=172.20.0.0/16 data-network",
                internal=True,
            ),
        ),
        runs=(("web-frontend", "public-network"), *on("internal-network", ("api-gateway", *SERVICES))),
        connects=(
            joins(1092, "internal-network", "web-frontend"),
            joins(1101, "data-network", "api-gateway"),
            *(joins(1112, "data-network", each) for each in SERVICES),
        ),
    ),
    Scene(
        "003 scenario 2, a network for each team",
        creates=(
            *(
                subnet(
                    1151,
                    f"{team}-dev-network",
                    f"172.{number}.0.0/16",
                    f"--driver bridge --subnet=172.{number}.0.0/16 {team}-dev-network",
                )
                for team, number in TEAMS.items()
            ),
            network(1158, "shared-dev-services"),
        ),
        runs=(
            ("react-dev", "frontend-dev-network"),
            ("api-dev", "backend-dev-network"),
            ("prometheus", "devops-dev-network"),
        ),
        connects=(
            joins(1177, "shared-dev-services", "react-dev"),
            joins(1187, "shared-dev-services", "api-dev"),
            # The loop's last turn finds prometheus on its team's network already: the command fails, ours has no work.
            *(joins(1204, f"{team}-dev-network", "prometheus") for team in ("frontend", "backend")),
        ),
    ),
    Scene(
        "004 prose, DNS and macvlan",
        creates=(
            network(34, "app-net"),
            network(69, "app-network"),
            network(298, "test-net"),
            network(
                461,
                "-d macvlan --subnet=192.168.1.0/24 --gateway=192.168.1.1 -o parent=eth0 my-macvlan",
                driver="macvlan",
                driver_options={"parent": "eth0"},
                ipam_config=[{"subnet": "192.168.1.0/24", "gateway": "192.168.1.1"}],
            ),
        ),
    ),
    Scene(
        "004 overlay",
        creates=(
            network(
                364,
                "--driver overlay --subnet 10.0.10.0/24 --opt encrypted my-overlay",
                driver="overlay",
                driver_options={"encrypted": ""},
                ipam_config=[{"subnet": "10.0.10.0/24"}],
            ),
        ),
        swarm=True,
    ),
)
